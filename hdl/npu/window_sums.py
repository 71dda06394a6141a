# SPDX-License-Identifier: Apache-2.0
"""Window sums: depthwise convolution and average pooling, a multiplier and an adder a lane."""

from collections.abc import Sequence
from functools import reduce
from operator import or_
from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for, exact_log2

from .block_memory import block_memory
from .config import TAP_BANKS, NpuConfig
from .delay import delayed
from .isa import Opcode, layout
from .ports import KernelWritePort, byte_lanes
from .requantise_lanes import beat_layout, sums_layout
from .tap_walker import TAP_NUMBER_BITS, tap_layout

__all__ = ["WindowSums"]


class WindowSums(wiring.Component):
    """Sums of a window's taps, each times its weight: a kernel's, or 1 for an average.

    Two banks of kernels are kept, so that the next is loaded while one computes. Beyond the image
    a byte is the descriptor's `padding`, which is 0 for an average.

    Lanes that are more than the requantisers form groups of so many, each a cycle behind the one
    before it, from its taps to its sums. So the groups' beats follow one another, and sums need not
    be kept while those of the next window are formed.

    Throughput: a tap of `lanes` channels a cycle. Latency: 3 cycles from a window's last tap to its
    first `beat`.

    Members
    -------
    descriptor : In(layout(Opcode.DEPTHWISE))
        Or an AVERAGE_POOL, whose fields lie in the same places.
    number : In(TAP_NUMBER_BITS)
        As in `TapWalker`: of the tap that comes a cycle later.
    tap : In(tap_layout(config))
        Valid only for these two. Last taps are `sum_beats` cycles apart, or more.
    bytes : In(byte_lanes(config))
        The tap's, its first channel in lane 0.
    kernel : In(KernelWritePort)
    beat : Out(beat_layout(config))
        Zero where there is none.
    sums : Out(sums_layout(config))
        Zero where there is no beat.
    """

    descriptor: data.View
    number: Signal
    tap: Any
    bytes: data.View
    kernel: Any
    beat: Any
    sums: data.View

    def __init__(self, config: NpuConfig) -> None:
        self.config = config
        super().__init__(
            {
                "descriptor": In(layout(Opcode.DEPTHWISE)),
                "number": In(TAP_NUMBER_BITS),
                "tap": In(tap_layout(config)),
                "bytes": In(byte_lanes(config)),
                "kernel": In(KernelWritePort(config)),
                "beat": Out(beat_layout(config)),
                "sums": Out(sums_layout(config)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        config = self.config
        # The tap with its operands, with its product, and with the sum that has it.
        operands, product, total = (
            Signal(tap_layout(config), name=name) for name in ("operands", "product", "total")
        )
        m.d.sync += [operands.eq(self.tap), product.eq(operands), total.eq(product)]
        weights = self._kernels(m)
        beats: list[Value] = []
        sums: list[list[Value]] = []
        will_end = product.valid & product.last
        for group in range(config.sum_beats):
            if group:
                will_end = total.valid & self._goes_on(total)
                product, total = total, self._next_group(m, group, total)
            ends = delayed(m, f"ends{group}_", will_end, 1)
            beats.append(Mux(ends, self._beat(m, group, total).as_value(), 0))
            sums.append([
                self._sum(m, group * config.requantisers + index, weights, product, will_end)
                for index in range(config.requantisers)
            ])
        m.d.comb += self.beat.as_value().eq(reduce(or_, beats))
        for index, groups in enumerate(zip(*sums, strict=True)):
            m.d.comb += self.sums[index].eq(reduce(or_, groups))
        return m

    def _goes_on(self, total: Any) -> Value:
        """The tap is a window's last, and the next group has sums of its chunk, too."""
        return total.last & (total.count > self.config.requantisers)

    def _next_group(self, m: Module, group: int, total: Any) -> Any:
        """The tap with the sum of the next group, and only its channels."""
        width = self.config.requantisers
        following = Signal(tap_layout(self.config), name=f"total{group}")
        m.d.sync += [
            following.eq(total),
            following.last.eq(self._goes_on(total)),
            following.count.eq((total.count - width)[: len(total.count)]),
            following.address.eq((total.address + width)[: len(total.address)]),
        ]
        return following

    def _beat(self, m: Module, group: int, total: Any) -> Any:
        """What goes with a group's sums. For an average all groups have the same parameters."""
        fields, width = self.descriptor, self.config.requantisers
        beat = Signal(beat_layout(self.config), name=f"beat{group}")
        channels = fields.channel[exact_log2(width) :]
        if group:
            channels += Mux(fields.opcode == Opcode.AVERAGE_POOL, 0, group)
        # The descriptor is there long before.
        parameters = Signal(len(beat.parameters), name=f"parameters{group}")
        m.d.sync += parameters.eq(channels[: len(parameters)])
        is_partial = total.count <= width if group < self.config.sum_beats - 1 else Const(1, 1)
        m.d.comb += [
            beat.valid.eq(1),
            beat.last.eq(total.ends_all & is_partial),
            beat.count.eq(Mux(is_partial, total.count, width)[: len(beat.count)]),
            beat.parameters.eq(parameters),
            beat.address.eq(total.address),
        ]
        return beat

    def _kernels(self, m: Module) -> list[Value]:
        """The memory of kernels; the weights of the tap that is there."""
        config = self.config
        kernels = block_memory(data.ArrayLayout(8, config.lanes), TAP_BANKS * config.taps)
        m.submodules.kernels = kernels
        write, read = kernels.write_port(), kernels.read_port()
        bits = bits_for(config.taps - 1)
        # The loader is far away, on a large die very far; no tap comes so soon after its last word.
        wait = 2 if config.macros > 1 else 1
        for name, taken in (("enable", write.en), ("address", write.addr), ("data", write.data)):
            kept = delayed(m, f"kernel_{name}", getattr(self.kernel, name), wait, reset_less=True)
            m.d.comb += Value.cast(taken).eq(kept)
        bank = self.descriptor.bank[: exact_log2(TAP_BANKS)]
        m.d.comb += read.addr.eq(Cat(self.number[:bits], bank))
        is_average = Signal()
        m.d.sync += is_average.eq(self.descriptor.opcode == Opcode.AVERAGE_POOL)
        return [
            Mux(is_average, Const(1, signed(8)), read.data[lane].as_signed())
            for lane in range(config.lanes)
        ]

    def _sum(
        self, m: Module, lane: int, weights: Sequence[Value], tap: Any, will_end: Value
    ) -> Value:
        """A lane's sum where it is whole, else 0; it `will_end` in the cycle before.

        Lanes lie far apart: each has a register of its own that tells.
        """
        total = self._lane(m, lane, weights, tap)
        keep = self.config.macros > 1
        return Mux(delayed(m, f"lane{lane}_ends", will_end, 1, keep=keep), total, 0)

    def _lane(self, m: Module, lane: int, weights: Sequence[Value], tap: Any) -> Signal:
        """Multiply and add; `tap` is the one whose product is there. As late as its group is."""
        group = lane // self.config.requantisers
        inside = self.bytes[lane].as_signed()
        padded = Mux(self.tap.inside, inside, self.descriptor.padding)
        value, weight = (
            delayed(m, f"{name}{lane}_", operand, 1 + group, reset_less=True).as_signed()
            for name, operand in (("value", padded), ("weight", weights[lane]))
        )
        product = Signal(signed(16), name=f"product{lane}", reset_less=True)
        total = Signal(signed(32), name=f"total{lane}", reset_less=True)
        m.d.sync += product.eq(value * weight)
        with m.If(tap.valid):
            m.d.sync += total.eq((Mux(tap.first, 0, total) + product)[:32].as_signed())
        return total
