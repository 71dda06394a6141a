# SPDX-License-Identifier: Apache-2.0
"""Sphinx extension: writes the generated parts of the manual into docs/_generated.

A page takes a part in with an `include` directive. No number or name that the code knows is typed
in a page.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import bench_tables
import command_reference
import compiler_tables
import config_tables
import cost_tables
import isa_tables
import link_tables
import listing
import packet_tables
import proof_tables
import rate_tables
import toc
import waves

from cimple.hdl.macro.config import MacroConfig
from cimple.hdl.npu.config import NpuConfig

__all__ = ["FRAGMENTS", "setup", "write_fragments"]

DOCS = Path(__file__).resolve().parent.parent

#: Text by the name of the file that a page includes.
FRAGMENTS: dict[str, Callable[[], str]] = {
    "macro_fields.md": lambda: config_tables.fields(MacroConfig),
    "npu_fields.md": lambda: config_tables.fields(NpuConfig),
    "cells.md": config_tables.cells,
    "cell_limits.md": config_tables.cell_limits,
    "row_groups.md": config_tables.row_groups,
    "choices.md": config_tables.choices,
    "macro_presets.md": config_tables.macro_presets,
    "macro_facts.md": config_tables.macro_facts,
    "npu_presets.md": config_tables.npu_presets,
    "opcodes.md": isa_tables.opcodes,
    "descriptors.md": isa_tables.descriptors,
    "listing.md": listing.listing,
    "headers.md": packet_tables.headers,
    "requests.md": packet_tables.requests,
    "statuses.md": packet_tables.statuses,
    "memory_map.md": packet_tables.memory_map,
    "counters.md": packet_tables.counters,
    "identity.md": packet_tables.identity_words,
    "registers.md": link_tables.registers,
    "register_fields.md": link_tables.fields,
    "link_control.md": link_tables.link_control,
    "link_reports.md": link_tables.link_reports,
    "rates.md": rate_tables.rates,
    "operators.md": compiler_tables.operators,
    "tflite_operators.md": compiler_tables.tflite_operators,
    "bench_cases.md": bench_tables.bench_cases,
    "proof_properties.md": proof_tables.properties,
    "proof_sizes.md": proof_tables.sizes,
    "proof_limits.md": proof_tables.limits,
    "command_line.md": command_reference.command_line,
    "waves_vector.txt": waves.vector,
    "waves_write.txt": waves.write,
    "waves_skip.txt": waves.skip,
    "waves_stall.txt": waves.stall,
    "macro_costs.md": lambda: cost_tables.macro_costs(DOCS / "results" / "macro_cost.json"),
    "results.md": lambda: toc.contents(DOCS, "results"),
    "decisions.md": lambda: toc.contents(DOCS, "decisions"),
}


def write_fragments(directory: Path) -> None:
    """Write every part; leave alone what has not changed, so that Sphinx need not read it again."""
    directory.mkdir(exist_ok=True)
    for name, make in FRAGMENTS.items():
        text, path = make(), directory / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def setup(app: Any) -> dict[str, Any]:
    """Called by Sphinx."""
    app.connect("builder-inited", lambda app: write_fragments(Path(app.srcdir) / "_generated"))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
