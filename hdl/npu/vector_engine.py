# SPDX-License-Identifier: Apache-2.0
"""Vector engine: what follows the array. One descriptor at a time, on one of its two units."""

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from .config import NpuConfig
from .isa import WORDS, Opcode, layout
from .max_pool import MaxPool
from .ports import ActivationReadPort, ActivationWritePort
from .result_store import ResultStore
from .word_memories import PARAMETER_BITS

__all__ = ["VectorEngine"]


class VectorEngine(wiring.Component):
    """Hands REQUANTISE to the result store and MAX_POOL to the pooling unit.

    Members
    -------
    start : In(1)
        `descriptor` is there and stays until `done`.
    descriptor : In(32 * WORDS)
    done : Out(1)
    i : In(stream of config.macro.output_layout)
    bias_address .. shift
        As in `ParameterMemory`.
    read : Out(ActivationReadPort)
    store_write, pool_write : Out(ActivationWritePort)
    """

    start: Signal
    descriptor: Signal
    done: Signal
    i: stream.Interface
    bias_address: Signal
    multiplier_address: Signal
    shift_address: Signal
    bias: data.View
    multiplier: data.View
    shift: data.View
    read: Any
    store_write: Any
    pool_write: Any

    def __init__(self, config: NpuConfig) -> None:
        self.config = config
        members: dict[str, Any] = {
            "start": In(1),
            "descriptor": In(32 * WORDS),
            "done": Out(1),
            "i": In(stream.Signature(config.macro.output_layout)),
            "read": Out(ActivationReadPort(config)),
            "store_write": Out(ActivationWritePort(config)),
            "pool_write": Out(ActivationWritePort(config)),
        }
        for name, bits in PARAMETER_BITS.items():
            members[f"{name}_address"] = Out(config.channel_word_bits)
            members[name] = In(data.ArrayLayout(bits, config.lanes))
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.store = store = ResultStore(self.config)
        m.submodules.pool = pool = MaxPool(self.config)
        connect(m, flipped(self.i), store.i)
        connect(m, pool.read, flipped(self.read))
        connect(m, store.write, flipped(self.store_write))
        connect(m, pool.write, flipped(self.pool_write))
        opcode = data.View(layout(Opcode.END), self.descriptor).opcode
        m.d.comb += [
            store.descriptor.as_value().eq(self.descriptor),
            pool.descriptor.as_value().eq(self.descriptor),
            store.start.eq(self.start & (opcode == Opcode.REQUANTISE)),
            pool.start.eq(self.start & (opcode == Opcode.MAX_POOL)),
            self.done.eq(store.done | pool.done),
        ]
        for name in PARAMETER_BITS:
            m.d.comb += [
                getattr(self, f"{name}_address").eq(getattr(store, f"{name}_address")),
                getattr(store, name).eq(getattr(self, name)),
            ]
        return m
