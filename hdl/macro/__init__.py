# SPDX-License-Identifier: Apache-2.0
"""The compute-in-memory macro: parameters, cells, adder tree, accumulators, the macro itself."""

from .config import Cell, MacroConfig

__all__ = ["Cell", "MacroConfig"]
