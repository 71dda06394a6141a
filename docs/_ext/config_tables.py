# SPDX-License-Identifier: Apache-2.0
"""Configurations, cells and presets as tables, from `cimple.hdl` and `cimple.ip`."""

from collections.abc import Iterator
from typing import TypeVar

from amaranth.hdl import Shape
from enum_docs import member_docs
from md_pieces import code, escape, table

from cimple.hdl.config import Config, field_table
from cimple.hdl.load import load_config, preset_files
from cimple.hdl.macro.config import LEGAL_BANKS, Cell, MacroConfig
from cimple.hdl.npu.config import NpuConfig

__all__ = ["cells", "fields", "macro_facts", "macro_presets", "npu_presets"]

C = TypeVar("C", bound=Config)


def fields(config: type[Config]) -> str:
    """Every field of a configuration: type, range, default, description."""
    rows = (
        (code(row.name), escape(row.type), escape(_range(row.range)),
         "required" if row.default is None else code(row.default), escape(row.description))
        for row in field_table(config)
    )
    return table(["Field", "Value", "Range", "Default", "Meaning"], rows)


def _range(text: str) -> str:
    form = "of the form "
    return f"{form}`{text.removeprefix(form)}`" if text.startswith(form) else text


def cells() -> str:
    """Every cell; every legal number of banks, and what follows from it."""
    docs = member_docs(Cell)
    meaning = ((code(cell.value), escape(docs[cell.name])) for cell in Cell)
    rows = []
    for cell, legal in LEGAL_BANKS.items():
        for banks in legal:
            config = MacroConfig(rows=64, columns=16).replace(cell=cell, banks=banks)
            rows.append((code(cell.value), banks, config.rows_per_group, config.write_cycles))
    return (
        table(["`cell`", "A weight"], meaning) + "\n"
        + table(["`cell`", "`banks`", "`rows_per_group`", "`write_cycles`"], rows)
    )


def macro_presets() -> str:
    """The macro presets: parameters and size."""
    rows = (
        (code(name), f"{config.rows} x {config.columns}", config.weight_bits, config.input_bits,
         code(config.cell.value), config.banks, config.accumulations, config.pipeline,
         config.binary_operations)
        for name, config in _presets(MacroConfig)
    )
    return table(
        ["Preset", "Rows x columns", "Weight bits", "Input bits", "Cell", "Banks", "Accumulations",
         "Pipeline", "Binary operations a cycle"],
        rows,
    )


def macro_facts() -> str:
    """Cycles and port widths of the macro presets, both at the most input bits."""
    rows = (
        (code(name), config.groups, config.array_registers,
         config.vector_latency(config.input_bits),
         config.vector_interval(config.input_bits), config.write_cycles, config.read_latency,
         *(Shape.cast(layout).width for layout in (
             config.write_layout, config.input_layout, config.output_layout,
             config.read_request_layout, config.read_data_layout)))
        for name, config in _presets(MacroConfig)
    )
    return table(
        ["Preset", "Row groups", "Array registers", "Vector latency", "Vector interval",
         "Group write", "Row read", "`w`", "`i`", "`o`", "`read_request`", "`read_data`"],
        rows,
    )


def npu_presets() -> str:
    """The NPU presets."""
    rows = [
        (code(name), f"{config.macro.rows} x {config.macro.columns}", code(config.macro.cell.value),
         config.macro.banks, config.activation_bytes, config.activation_port, config.weight_bytes,
         config.weight_port, config.channels, config.lanes, config.macro.binary_operations)
        for name, config in _presets(NpuConfig)
    ]
    if not rows:
        return "There is none.\n"
    return table(
        ["Preset", "Rows x columns", "Cell", "Banks", "`activation_bytes`", "`activation_port`",
         "`weight_bytes`", "`weight_port`", "`channels`", "`lanes`", "Binary operations a cycle"],
        rows,
    )


def _presets(kind: type[C]) -> Iterator[tuple[str, C]]:
    for name in preset_files():
        config = load_config(name)
        if isinstance(config, kind):
            yield name, config
