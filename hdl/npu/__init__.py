# SPDX-License-Identifier: Apache-2.0
"""The NPU: parameters, instruction set, packets, front door, sequencer, engines, memories."""

from .config import NpuConfig

__all__ = ["NpuConfig"]
