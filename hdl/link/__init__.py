# SPDX-License-Identifier: Apache-2.0
"""Transports: thin adaptors between the NPU's two streams of words and what is around it."""

from .config import Protocol, WrapperConfig

__all__ = ["Protocol", "WrapperConfig"]
