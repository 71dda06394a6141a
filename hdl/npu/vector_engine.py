# SPDX-License-Identifier: Apache-2.0
"""Vector engine: what follows the array. One descriptor at a time, on one of its units."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from .config import NpuConfig
from .image_adder import ImageAdder
from .isa import WORDS, Opcode, layout
from .max_pool import MaxPool
from .ports import ActivationReadPort, ActivationWritePort, KernelWritePort
from .requantise_lanes import RequantiseLanes
from .result_store import ResultStore
from .tap_walker import TapWalker
from .window_sums import WindowSums
from .word_memories import PARAMETER_BITS

__all__ = ["VectorEngine"]


#: Which kind the descriptor is: registers, told a cycle before it starts.
_UNITS = ("is_max", "is_add", "is_stored", "has_taps")


class VectorEngine(wiring.Component):
    """Hands each descriptor to its unit; three of them share the requantisation lanes.

    Structure::

        array's vectors -> result store ------+
        activations -> tap walker -> window sums -> requantisation lanes -> activations
                    |             -> max pool ------|-------------------> activations
                    -> image adder <----------------+

    Members
    -------
    start : In(1)
        `descriptor` has been there since the cycle before, and stays until `done`.
    descriptor : In(32 * WORDS)
    done : Out(1)
    i : In(stream of config.macro.output_layout), one for each macro
    kernel : In(KernelWritePort)
    bias_address .. shift
        As in `ParameterMemory`.
    read : Out(ActivationReadPort)
        Must be served in the cycle in which it asks.
    will_read : Out(1)
        It asks in the next cycle, unless a reset comes.
    store_write, pool_write : Out(ActivationWritePort)
    """

    start: Signal
    descriptor: Signal
    done: Signal
    i: Any
    kernel: Any
    bias_address: Signal
    multiplier_address: Signal
    shift_address: Signal
    bias: data.View
    multiplier: data.View
    shift: data.View
    read: Any
    will_read: Signal
    store_write: Any
    pool_write: Any

    def __init__(self, config: NpuConfig) -> None:
        self.config = config
        members: dict[str, Any] = {
            "start": In(1),
            "descriptor": In(32 * WORDS),
            "done": Out(1),
            "i": In(stream.Signature(config.macro.output_layout)).array(config.macros),
            "kernel": In(KernelWritePort(config)),
            "read": Out(ActivationReadPort(config)),
            "will_read": Out(1),
            "store_write": Out(ActivationWritePort(config)),
            "pool_write": Out(ActivationWritePort(config)),
        }
        for name, bits in PARAMETER_BITS.items():
            members[f"{name}_address"] = Out(config.channel_word_bits)
            members[name] = In(data.ArrayLayout(bits, config.requantisers))
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.lanes = lanes = RequantiseLanes(self.config)
        m.submodules.store = store = ResultStore(self.config)
        m.submodules.taps = taps = TapWalker(self.config)
        m.submodules.pool = pool = MaxPool(self.config)
        m.submodules.window_sums = window_sums = WindowSums(self.config)
        m.submodules.adder = adder = ImageAdder(self.config)
        for outputs, taken in zip(self.i, store.i, strict=True):
            connect(m, flipped(outputs), taken)
        connect(m, flipped(self.kernel), window_sums.kernel)
        connect(m, lanes.write, flipped(self.store_write))
        connect(m, pool.write, flipped(self.pool_write))
        for unit in (lanes, store, taps, pool, window_sums, adder):
            m.d.comb += unit.descriptor.as_value().eq(self.descriptor)
        for name in PARAMETER_BITS:
            m.d.comb += [
                getattr(self, f"{name}_address").eq(getattr(lanes, f"{name}_address")),
                getattr(lanes, name).eq(getattr(self, name)),
            ]
        opcode = data.View(layout(Opcode.END), self.descriptor).opcode
        is_max, is_add, is_stored, has_taps = (Signal(name=name) for name in _UNITS)
        m.d.sync += [
            is_max.eq(opcode == Opcode.MAX_POOL),
            is_add.eq(opcode == Opcode.ADD),
            is_stored.eq(opcode == Opcode.REQUANTISE),
            has_taps.eq(
                opcode.matches(Opcode.MAX_POOL, Opcode.DEPTHWISE, Opcode.AVERAGE_POOL)
            ),
        ]
        m.d.comb += [
            store.start.eq(self.start & is_stored),
            adder.start.eq(self.start & is_add),
            taps.start.eq(self.start & has_taps),
            taps.width.eq(Mux(is_max, self.config.pool_lanes, self.config.lanes)),
            pool.tap.eq(taps.tap),
            pool.tap.valid.eq(taps.tap.valid & is_max),
            window_sums.tap.eq(taps.tap),
            window_sums.tap.valid.eq(taps.tap.valid & ~is_max),
            window_sums.number.eq(taps.number),
            adder.scaled.eq(lanes.scaled),
            self.done.eq(lanes.done | store.kept | pool.done),
        ]
        self._merge_reads(m, taps, adder)
        self._merge_beats(m, lanes, store, window_sums, adder)
        for unit in (pool, window_sums, adder):
            m.d.comb += unit.bytes.eq(self.read.data)
        return m

    def _merge_reads(self, m: Module, taps: Any, adder: Any) -> None:
        """One unit is at work at a time, and always served, with the first byte in lane 0."""
        m.d.comb += [
            self.read.valid.eq(taps.asks | adder.asks),
            self.will_read.eq(taps.will_ask | adder.will_ask),
            self.read.lane.eq(0),
            self.read.address.eq(Mux(adder.asks, adder.address, taps.address)),
        ]

    def _merge_beats(
        self, m: Module, lanes: Any, store: Any, window_sums: Any, adder: Any
    ) -> None:
        """A unit that sends nothing sends zeros."""
        sources = (store, window_sums, adder)
        beats = [source.beat.as_value() for source in sources]
        m.d.comb += lanes.beat.as_value().eq(beats[0] | beats[1] | beats[2])
        sums = [source.sums.as_value() for source in sources]
        m.d.comb += lanes.sums.as_value().eq(sums[0] | sums[1] | sums[2])
