# SPDX-License-Identifier: Apache-2.0
"""The program of docs/examples/two_layers.py as a listing."""

import importlib.util
from pathlib import Path
from typing import Any

from md_pieces import code, table

from cimple.hdl.npu.isa import Descriptor, Queue

__all__ = ["EXAMPLE", "example", "listing"]

EXAMPLE = Path(__file__).resolve().parent.parent / "examples" / "two_layers.py"

#: Fields with columns of their own, or that are the same in every program.
_ELSEWHERE = ("opcode", "version", "wait", "signal")


def example() -> Any:
    """The example as a module."""
    spec = importlib.util.spec_from_file_location(EXAMPLE.stem, EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def listing() -> str:
    """Number, opcode, tokens and fields of every descriptor."""
    program: list[Descriptor] = example().PROGRAM
    rows = (
        (number, code(descriptor.opcode.name), _names(descriptor.waits_for()),
         _names(descriptor.signals()), _fields(descriptor))
        for number, descriptor in enumerate(program)
    )
    return table(["", "Opcode", "Waits for", "Signals", "Fields that are not zero"], rows)


def _names(queues: list[Queue]) -> str:
    return ", ".join(code(queue.name) for queue in queues)


def _fields(descriptor: Descriptor) -> str:
    values = ((name, value) for name, value in descriptor.values.items() if value)
    shown = (f"{name} {_value(name, value)}" for name, value in values if name not in _ELSEWHERE)
    return ", ".join(shown).replace("_", "\\_")


def _value(name: str, value: int) -> str:
    return f"{value:#x}" if name in ("start", "out_start", "address") else str(int(value))
