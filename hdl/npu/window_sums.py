# SPDX-License-Identifier: Apache-2.0
"""Window sums: depthwise convolution and average pooling, a multiplier and an adder a lane."""

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for, exact_log2

from .config import TAP_BANKS, NpuConfig
from .isa import Opcode, layout
from .ports import KernelWritePort, byte_lanes
from .requantise_lanes import beat_layout, sums_layout
from .tap_walker import TAP_NUMBER_BITS, tap_layout

__all__ = ["WindowSums"]


class WindowSums(wiring.Component):
    """Sums of a window's taps, each times its weight: a kernel's, or 1 for an average.

    Two banks of kernels are kept, so that the next is loaded while one computes. Beyond the image
    a byte is the descriptor's `padding`, which is 0 for an average.

    Throughput: a tap of `lanes` channels a cycle. Latency: 3 cycles from a window's last tap to its
    `beat`.

    Members
    -------
    descriptor : In(layout(Opcode.DEPTHWISE))
        Or an AVERAGE_POOL, whose fields lie in the same places.
    number : In(TAP_NUMBER_BITS)
        As in `TapWalker`: of the tap that comes a cycle later.
    tap : In(tap_layout(config))
        Valid only for these two.
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
        weights = self._kernels(m)
        # The tap with its operands, with its product, and with the sum that has it.
        operands, product, total = (
            Signal(tap_layout(self.config), name=name) for name in ("operands", "product", "total")
        )
        m.d.sync += [operands.eq(self.tap), product.eq(operands), total.eq(product)]
        ends = Signal()
        parameters = self.descriptor.channel[exact_log2(self.config.lanes) :]
        beat = Signal(beat_layout(self.config))
        m.d.comb += [
            ends.eq(total.valid & total.last),
            beat.valid.eq(1),
            beat.last.eq(total.ends_all),
            beat.count.eq(total.count[: len(beat.count)]),
            beat.parameters.eq(parameters[: len(beat.parameters)]),
            beat.address.eq(total.address),
            self.beat.as_value().eq(Mux(ends, beat.as_value(), 0)),
        ]
        for lane in range(self.config.lanes):
            self._lane(m, lane, weights[lane], product, ends)
        return m

    def _kernels(self, m: Module) -> list[Signal]:
        """The memory of kernels; the weights of the tap that is there."""
        config = self.config
        m.submodules.kernels = kernels = memory.Memory(
            shape=data.ArrayLayout(8, config.lanes), depth=TAP_BANKS * config.taps, init=[]
        )
        write, read = kernels.write_port(), kernels.read_port()
        bits = bits_for(config.taps - 1)
        m.d.comb += [
            write.en.eq(self.kernel.enable),
            write.addr.eq(self.kernel.address),
            write.data.eq(self.kernel.data),
            read.addr.eq(Cat(self.number[:bits], self.descriptor.bank[: exact_log2(TAP_BANKS)])),
        ]
        is_average = self.descriptor.opcode == Opcode.AVERAGE_POOL
        weights = []
        for lane in range(config.lanes):
            weight = Signal(signed(8), name=f"weight{lane}", reset_less=True)
            m.d.sync += weight.eq(Mux(is_average, Const(1, signed(8)), read.data[lane].as_signed()))
            weights.append(weight)
        return weights

    def _lane(self, m: Module, lane: int, weight: Signal, tap: Any, ends: Signal) -> None:
        """Multiply and add; `tap` is the one whose product is there."""
        value = Signal(signed(8), name=f"value{lane}", reset_less=True)
        product = Signal(signed(16), name=f"product{lane}", reset_less=True)
        total = Signal(signed(32), name=f"total{lane}", reset_less=True)
        inside = self.bytes[lane].as_signed()
        m.d.sync += [
            value.eq(Mux(self.tap.inside, inside, self.descriptor.padding)),
            product.eq(value * weight),
        ]
        with m.If(tap.valid):
            m.d.sync += total.eq((Mux(tap.first, 0, total) + product)[:32].as_signed())
        m.d.comb += self.sums[lane].eq(Mux(ends, total, 0))
