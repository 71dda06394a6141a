# SPDX-License-Identifier: Apache-2.0
"""Timing diagrams of the macro's streams, drawn from a simulation of the macro itself."""
# amaranth: UnusedElaboratable=no

from collections.abc import Mapping, Sequence
from typing import Any

from amaranth.sim import Simulator

from cimple.hdl.macro.config import Cell, MacroConfig
from cimple.hdl.macro.macro import Macro

__all__ = ["EXAMPLE", "record", "skip", "stall", "vector", "write"]

#: Four rows in one table, one column, inputs of four bits.
EXAMPLE = MacroConfig(rows=4, columns=1, weight_bits=4, input_bits=4, cell=Cell.LOOKUP)

#: What its column holds at first.
WEIGHTS = (3, -2, 1, 7)

#: The same with two planes a cycle and nothing spent on planes of zeros.
SKIPPING = EXAMPLE.replace(cell=Cell.BITCELL, bits_per_cycle=2, skip_zero_planes=True)


def vector() -> str:
    """A vector of four bits and one of two, with nothing in the way."""
    vectors = [_vector([1, 2, 3, 4], bits=4), _vector([1, 1, 1, 1], bits=2)]
    return _draw(record({"i": vectors}, cycles=11), ("i", "o"))


def write() -> str:
    """A row group while vectors of the same bank come without end."""
    vectors = [_vector([1, 1, 1, 1], bits=2)] * 3
    trace = record({"i": vectors, "w": _group((1, 1, 1, 1))}, cycles=28)
    return _draw(trace, ("i", "w", "o"))


def stall() -> str:
    """Vectors of two bits in front of an output that is taken late."""
    vectors = [_vector([n, 0, 0, 0], bits=2) for n in (1, 2, 3)]
    trace = record({"i": vectors}, cycles=17, o_ready=[0] * 10 + [1] * 7)
    return _draw(trace, ("i", "o"))


def skip() -> str:
    """A vector that needs all its planes, one that needs a quarter of them, one of zeros."""
    vectors = [_vector(data, bits=4) for data in ([15, 0, 1, 0], [1, 2, 3, 0], [0, 0, 0, 0])]
    return _draw(record({"i": vectors}, cycles=11, config=SKIPPING), ("i", "o"))


def _group(weights: Sequence[int], *, size: int = 4) -> list[dict[str, Any]]:
    """The transfers that write a column, in groups of `size` rows."""
    return [
        {"weights": [weight], "row": number % size, "group": number // size, "bank": 0}
        for number, weight in enumerate(weights)
    ]


def _vector(data: Sequence[int], *, bits: int) -> dict[str, Any]:
    return {"data": list(data), "top_plane": bits - 1, "signed": 0, "bank": 0, "first": 1,
            "last": 1}


#: Values of signals by name, cycle by cycle.
Trace = list[dict[str, int]]

_OUTPUT = "o.payload[0]"
_ROW = "w.row"


def record(
    inputs: Mapping[str, Sequence[Any]],
    *,
    cycles: int,
    o_ready: Sequence[int] = (),
    config: MacroConfig = EXAMPLE,
) -> Trace:
    """What the streams `i`, `w` and `o` show in each cycle.

    The weights are in the macro before the first cycle; each stream's values are offered as soon as
    those before them are taken.
    """
    macro = Macro(config)
    trace: Trace = []

    async def bench(ctx: Any) -> None:
        await _preload(ctx, macro)
        waiting = {name: list(values) for name, values in inputs.items()}
        for cycle in range(cycles):
            ctx.set(macro.o.ready, o_ready[cycle] if o_ready else 1)
            for name, values in waiting.items():
                stream = getattr(macro, name)
                ctx.set(stream.valid, bool(values))
                if values:
                    ctx.set(stream.payload, values[0])
            trace.append(_sample(ctx, macro))
            for name, values in waiting.items():
                if values and trace[-1][f"{name}.ready"]:
                    values.pop(0)
            await ctx.tick()

    simulator = Simulator(macro)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return trace


async def _preload(ctx: Any, macro: Macro) -> None:
    for row in _group(WEIGHTS, size=macro.config.rows_per_group):
        ctx.set(macro.w.payload, row)
        ctx.set(macro.w.valid, 1)
        await ctx.tick().until(macro.w.ready)
    ctx.set(macro.w.valid, 0)
    await ctx.tick().repeat(macro.config.fill_cycles + 1)


def _sample(ctx: Any, macro: Macro) -> dict[str, int]:
    sample = {
        f"{name}.{part}": ctx.get(getattr(getattr(macro, name), part))
        for name in ("i", "w", "o") for part in ("valid", "ready")
    }
    return sample | {_OUTPUT: ctx.get(macro.o.payload[0]), _ROW: ctx.get(macro.w.payload.row)}


def _draw(trace: Trace, streams: Sequence[str]) -> str:
    lines = [_line("cycle", [str(cycle) for cycle in range(len(trace))])]
    for name in streams:
        for signal in (f"{name}.valid", f"{name}.ready"):
            lines.append(_line(signal, ["1" if sample[signal] else "." for sample in trace]))
        if name == "w":
            rows = [str(sample[_ROW]) if sample["w.valid"] else "" for sample in trace]
            lines.append(_line(_ROW, rows))
    values = [str(sample[_OUTPUT]) if sample["o.valid"] else "" for sample in trace]
    lines.append(_line(_OUTPUT, values))
    return "\n".join(lines) + "\n"


def _line(label: str, values: Sequence[str]) -> str:
    return (f"{label:13}" + "".join(f"{value:>3}" for value in values)).rstrip()
