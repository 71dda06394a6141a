# SPDX-License-Identifier: Apache-2.0
"""Matrix engine: the macro, the weight loader before it and the window feeder beside it."""

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from ..macro.macro import Macro
from .config import NpuConfig
from .isa import WORDS
from .ports import ActivationReadPort, KernelWritePort
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
    o : Out(stream of config.macro.output_layout)
    vector_taken : Out(1)
        The last plane of a vector meets the array in the next cycle.
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
    o: stream.Interface
    vector_taken: Signal

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
                "o": Out(stream.Signature(config.macro.output_layout)),
                "vector_taken": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        m.submodules.macro = macro = Macro(config.macro)
        m.submodules.loader = loader = WeightLoader(config)
        m.submodules.feeder = feeder = WindowFeeder(config)
        connect(m, loader.w, macro.w)
        connect(m, loader.kernel, flipped(self.kernel))
        connect(m, feeder.read, flipped(self.read))
        connect(m, macro.o, flipped(self.o))
        vector = macro.i.payload
        bank_bits = min(len(vector.bank), len(feeder.descriptor.bank))
        m.d.comb += [
            loader.descriptor.as_value().eq(self.load_descriptor),
            loader.start.eq(self.load_start),
            self.load_done.eq(loader.done),
            self.load_settled.eq(loader.settled),
            self.weight_address.eq(loader.address),
            loader.data.eq(self.weight_data),
            feeder.descriptor.as_value().eq(self.compute_descriptor),
            feeder.start.eq(self.compute_start),
            self.compute_done.eq(feeder.done),
            macro.i.valid.eq(feeder.o.valid),
            feeder.o.ready.eq(macro.i.ready),
            vector.data.eq(feeder.o.payload),
            vector.top_plane.eq(config.macro.input_bits - 1),
            vector.signed.eq(0),
            vector.bank.eq(feeder.descriptor.bank[:bank_bits]),
            vector.first.eq(1),
            vector.last.eq(1),
            vector.fused.eq(0),
            macro.read_request.valid.eq(0),
            macro.read_request.payload.as_value().eq(0),
            macro.read_data.ready.eq(1),
            self.vector_taken.eq(macro.i.valid & macro.i.ready),
        ]
        return m
