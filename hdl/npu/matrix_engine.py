# SPDX-License-Identifier: Apache-2.0
"""Matrix engine: macros, the weight loader and the window feeder before them, slots in between."""

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Module, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from ..macro.macro import Macro
from .config import NpuConfig
from .isa import WORDS
from .ports import ActivationReadPort, KernelWritePort
from .row_slots import RowSlots
from .vector_slots import VectorSlots
from .weight_loader import WeightLoader
from .window_feeder import WindowFeeder

__all__ = ["MatrixEngine"]


class MatrixEngine(wiring.Component):
    """Runs LOAD_WEIGHTS, LOAD_TAPS and COMPUTE: loads beside products where tokens allow it.

    Members
    -------
    load_start, compute_start : In(1)
    load_descriptor, compute_descriptor : In(32 * WORDS)
    load_done, compute_done, load_settled : Out(1)
        As in `WeightLoader` and `WindowFeeder`.
    weight_address, weight_data
        As in `WeightMemory`.
    kernel : Out(KernelWritePort)
    read : Out(ActivationReadPort)
    o : Out(stream of config.macro.output_layout), one for each macro
    row_taken : Out(1)
        As `taken` of `WeightLoader`.
    round_taken : Out(1)
        A round of windows goes to the macros, a vector for each.
    top_plane : Out(config.macro.plane_bits)
        The first of their planes that is to meet the array.
    """

    load_start: Signal
    compute_start: Signal
    load_descriptor: Signal
    compute_descriptor: Signal
    load_done: Signal
    load_settled: Signal
    compute_done: Signal
    weight_address: Signal
    weight_data: Signal
    kernel: Any
    read: Any
    o: Any
    row_taken: Signal
    round_taken: Signal
    top_plane: Signal

    def __init__(self, config: NpuConfig) -> None:
        self.config = config
        super().__init__(
            {
                "load_start": In(1),
                "load_descriptor": In(32 * WORDS),
                "load_done": Out(1),
                "load_settled": Out(1),
                "compute_start": In(1),
                "compute_descriptor": In(32 * WORDS),
                "compute_done": Out(1),
                "weight_address": Out(config.weight_word_bits),
                "weight_data": In(8 * config.weight_port),
                "kernel": Out(KernelWritePort(config)),
                "read": Out(ActivationReadPort(config)),
                "o": Out(stream.Signature(config.macro.output_layout)).array(config.macros),
                "row_taken": Out(1),
                "round_taken": Out(1),
                "top_plane": Out(config.macro.plane_bits),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        macros = [Macro(config.array) for _ in range(config.macros)]
        for index, macro in enumerate(macros):
            m.submodules[f"macro{index}" if len(macros) > 1 else "macro"] = macro
        m.submodules.loader = loader = WeightLoader(config)
        m.submodules.feeder = feeder = WindowFeeder(config)
        m.submodules.rows = rows = RowSlots(config)
        m.submodules.slots = slots = VectorSlots(config)
        connect(m, loader.kernel, flipped(self.kernel))
        connect(m, feeder.read, flipped(self.read))
        connect(m, loader.w, rows.i)
        connect(m, feeder.o, slots.i)
        m.d.comb += [
            loader.descriptor.as_value().eq(self.load_descriptor),
            loader.start.eq(self.load_start),
            rows.macros.eq(loader.macros),
            rows.ends_group.eq(loader.ends_group),
            loader.written.eq(rows.written),
            self.load_settled.eq(loader.settled),
            self.weight_address.eq(loader.address),
            loader.data.eq(self.weight_data),
            feeder.descriptor.as_value().eq(self.compute_descriptor),
            feeder.start.eq(self.compute_start),
            self.compute_done.eq(_emptied(m, "ends", feeder.done, slots.empty)),
            self.row_taken.eq(loader.taken),
            self.round_taken.eq(feeder.o.valid & feeder.o.ready),
            self.top_plane.eq(feeder.o.payload.top_plane),
        ]
        self._write(m, loader.done, rows, macros)
        self._compute(m, feeder.descriptor.bank, slots, macros)
        for macro, output in zip(macros, self.o, strict=True):
            connect(m, macro.o, flipped(output))
        return m

    def _write(self, m: Module, ended: Value, rows: Any, macros: Sequence[Macro]) -> None:
        """Rows go from their slots to the macros; a load is done when the last slot is empty."""
        alone = len(macros) == 1
        done = ended if alone else _emptied(m, "ends_load", ended, rows.empty)
        m.d.comb += self.load_done.eq(done)
        for macro, row in zip(macros, rows.o, strict=True):
            connect(m, row, macro.w)
            m.d.comb += [
                macro.read_request.valid.eq(0),
                macro.read_request.payload.as_value().eq(0),
                macro.read_data.ready.eq(1),
            ]

    def _compute(self, m: Module, bank: Value, slots: Any, macros: Sequence[Macro]) -> None:
        """Each macro has its vector; weights of the descriptor's bank are to meet it."""
        for macro, slot in zip(macros, slots.o, strict=True):
            vector = macro.i.payload
            bank_bits = min(len(vector.bank), len(bank))
            m.d.comb += [
                macro.i.valid.eq(slot.valid),
                slot.ready.eq(macro.i.ready),
                vector.data.eq(slot.payload.data),
                vector.top_plane.eq(slot.payload.top_plane),
                vector.signed.eq(0),
                vector.bank.eq(bank[:bank_bits]),
                vector.first.eq(1),
                vector.last.eq(1),
                vector.fused.eq(0),
            ]


def _emptied(m: Module, name: str, ended: Value, empty: Value) -> Value:
    """The last slot is empty, after the last of what came has left for the slots."""
    ends = Signal(name=name)
    m.d.sync += ends.eq(ended | (ends & ~empty))
    return ends & empty
