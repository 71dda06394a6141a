# SPDX-License-Identifier: Apache-2.0
"""Who reads the bits of a module, in netlists as Yosys's `write_json` writes them."""

from collections import Counter
from typing import Any

__all__ = ["count_readers"]


def count_readers(module: dict[str, Any]) -> Counter[int | str]:
    """How many ports take each bit: those of cells, and those by which it leaves the module."""
    readers: Counter[int | str] = Counter()
    for cell in module["cells"].values():
        for port, bits in cell["connections"].items():
            if cell["port_directions"].get(port) != "output":
                readers.update(bits)
    for port in module["ports"].values():
        if port["direction"] != "input":
            readers.update(port["bits"])
    return readers
