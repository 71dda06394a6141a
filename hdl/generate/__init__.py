# SPDX-License-Identifier: Apache-2.0
"""From a configuration to the files a designer uses: Verilog, manifest, FuseSoC core, waivers."""

from .design import Design, generate, write

__all__ = ["Design", "generate", "write"]
