# SPDX-License-Identifier: Apache-2.0
"""Configurations, cells and presets as tables, from `cimple.hdl` and `cimple.ip`."""

from collections.abc import Iterator
from enum import Enum
from typing import Any, TypeVar, get_args

from amaranth.hdl import Shape
from amaranth.lib import data
from enum_docs import member_docs
from md_pieces import code, escape, table

from cimple.hdl.config import Config, field_table
from cimple.hdl.load import load_config, preset_files
from cimple.hdl.macro.config import LEGAL, Cell, MacroConfig, Storage, Table, Target, Tree
from cimple.hdl.macro.parameters import STORAGE_BANKS
from cimple.hdl.npu.config import NpuConfig

__all__ = [
    "cell_limits", "cells", "choices", "fields", "legal_values", "limited_fields", "macro_facts",
    "macro_presets", "npu_presets", "row_groups", "value_text",
]

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
    """Every cell, and the values that its fields may have."""
    docs = member_docs(Cell)
    meaning = ((code(cell.value), escape(docs[cell.name])) for cell in Cell)
    rows = [
        (code(field), *(_legal_text(cell, field) for cell in Cell)) for field in limited_fields()
    ]
    headings = ["Field", *(code(cell.value) for cell in Cell)]
    return table(["`cell`", "A weight"], meaning) + "\n" + table(headings, rows)


def limited_fields() -> list[str]:
    """Fields that do not have all their values with every cell, in the order of the fields."""
    limited = {field for limits in LEGAL.values() for field in limits.values}
    return [field for field in MacroConfig.model_fields if field in limited]


def legal_values(cell: Cell, field: str) -> tuple[Any, ...]:
    """The legal values of a field with a cell, whatever the other fields are."""
    return LEGAL[cell].values.get(field, _all_values(field))


def _all_values(field: str) -> tuple[Any, ...]:
    annotation = MacroConfig.model_fields[field].annotation
    if annotation is bool:
        return False, True
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return tuple(annotation)
    return get_args(annotation)


def _legal_text(cell: Cell, field: str) -> str:
    return ", ".join(code(value_text(value)) for value in legal_values(cell, field))


def value_text(value: Any) -> str:
    """A value as YAML has it."""
    return str(value).lower() if isinstance(value, bool) else str(getattr(value, "value", value))


def cell_limits() -> str:
    """Why a cell does not have the other values."""
    rows = [
        (code(cell.value), code(field), escape(reason))
        for cell, limits in LEGAL.items()
        for field, reason in limits.reasons.items()
        if reason
    ]
    rows += [
        (f"{code(Cell.BITCELL.value)} of {code(storage.value)}", code("banks"),
         f"{', '.join(map(str, banks))}: every bank is another set of cells behind a multiplexer")
        for storage, banks in STORAGE_BANKS.items()
        if set(banks) < set(legal_values(Cell.BITCELL, "banks"))
    ]
    return table(["Cell", "Field", "Why no other value"], rows)


def choices() -> str:
    """What storage, tables, trees and targets are."""
    rows = [
        (code(name), code(member.value), escape(member_docs(kind)[member.name]))
        for name, kind in (("storage", Storage), ("table", Table), ("tree", Tree),
                           ("target", Target))
        for member in kind
    ]
    return table(["Field", "Value", "Meaning"], rows)


def row_groups() -> str:
    """How many rows are written together, and how long that takes, for each way of tables."""
    base = MacroConfig(rows=64, columns=16, input_bits=16)
    kinds = [(Cell.BITCELL, {}, ""), (Cell.NEAR, {}, "")]
    kinds += [
        (Cell.LOOKUP, {"table": shape, "target": target, "banks": banks}, banks)
        for shape, target in ((Table.LUTRAM, Target.GENERIC), (Table.BLOCKRAM, Target.GENERIC),
                              (Table.BLOCKRAM, Target.ICE40))
        for banks in legal_values(Cell.LOOKUP, "banks")
    ]
    rows = []
    for cell, fields, banks in kinds:
        config = base.replace(cell=cell, **fields)
        memory = f"{code(config.table.value)}" if cell is Cell.LOOKUP else ""
        on_ice40 = config.target is Target.ICE40
        rows.append((code(cell.value), memory + (" on the iCE40" if on_ice40 else ""),
                     banks or "any", config.rows_per_group, config.write_cycles,
                     config.fill_cycles, config.write_interval))
    return table(["`cell`", "`table`", "`banks`", "`rows_per_group`", "`write_cycles`",
                  "`fill_cycles`", "`write_interval`"], rows)


def macro_presets() -> str:
    """The macro presets: parameters and size."""
    rows = (
        (code(name), f"{config.rows} x {config.columns}", config.weight_bits, config.input_bits,
         _cell_text(config), config.banks, config.fusion, config.bits_per_cycle,
         code(config.tree.value), code(config.target.value), config.accumulations, config.pipeline,
         "yes" if config.skip_zero_planes else "", config.binary_operations)
        for name, config in _presets(MacroConfig)
    )
    return table(
        ["Preset", "Rows x columns", "Weight bits", "Input bits", "Cell", "Banks", "Fusion",
         "Bits a cycle", "Tree", "Target", "Accumulations", "Pipeline", "Skips zero planes",
         "Binary operations a cycle"],
        rows,
    )


def _cell_text(config: MacroConfig) -> str:
    detail = {Cell.BITCELL: config.storage, Cell.LOOKUP: config.table}.get(config.cell)
    return code(config.cell.value) + (f", {code(detail.value)}" if detail else "")


def macro_facts() -> str:
    """Cycles and port widths of the macro presets, both at the most input bits."""
    rows = (
        (code(name), config.groups, config.array_registers,
         config.vector_latency(config.input_bits),
         config.vector_interval(config.input_bits),
         *((config.write_cycles, config.fill_cycles) if config.is_writable else ("", "")),
         config.read_latency, _width(config.write_layout) if config.is_writable else "",
         *map(_width, (config.input_layout, config.output_layout, config.read_request_layout,
                       config.read_data_layout)))
        for name, config in _presets(MacroConfig)
    )
    return table(
        ["Preset", "Row groups", "Array registers", "Vector latency", "Vector interval",
         "Group write", "Fill", "Row read", "`w`", "`i`", "`o`", "`read_request`", "`read_data`"],
        rows,
    )


def _width(layout: data.Layout) -> int:
    return Shape.cast(layout).width


def npu_presets() -> str:
    """The NPU presets."""
    rows = [
        (code(name), config.macros, f"{config.macro.rows} x {config.macro.columns}",
         code(config.macro.cell.value), config.macro.banks, config.activation_bytes,
         config.activation_port, config.weight_bytes, config.weight_port, config.channels,
         config.lanes, config.requantisers, "yes" if config.macro.skip_zero_planes else "",
         config.macros * config.macro.binary_operations)
        for name, config in _presets(NpuConfig)
    ]
    if not rows:
        return "There is none.\n"
    return table(
        ["Preset", "Macros", "Rows x columns", "Cell", "Banks", "`activation_bytes`",
         "`activation_port`", "`weight_bytes`", "`weight_port`", "`channels`", "`lanes`",
         "`requantisers`", "Skips zero planes", "Binary operations a cycle"],
        rows,
    )


def _presets(kind: type[C]) -> Iterator[tuple[str, C]]:
    for name in preset_files():
        config = load_config(name)
        if isinstance(config, kind):
            yield name, config
