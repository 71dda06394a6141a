# SPDX-License-Identifier: Apache-2.0
"""One requantisation lane: int32 sums to int8 results, with every rounding bit for bit."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .isa import Rounding

__all__ = ["Requantiser"]

#: Bits of the product below its integer part, before the shift.
FRACTION_BITS = 31


class Requantiser(wiring.Component):
    """``clamp(round((sum + bias) * multiplier / 2**(31 + shift)) + zero_point)``, a lane wide.

    *TFLite* rounding is `MultiplyByQuantizedMultiplier` of its reference kernels: half up at bit 31
    (`SaturatingRoundingDoublingHighMul`), then half away from zero (`RoundingDivideByPOT`). Its
    *single* rounding, that of fully connected layers, is half up.

    *ONNX* rounding is float32's: the sum is rounded to 24 significant bits, half to even; the exact
    product too; then it is rounded to an integer, half to even. The second rounding can only
    matter where it ends on a tie of the third. So the product is not normalised: its fraction is
    compared with one half, and counts as a tie within half a unit of the 24th bit.

    Latency: 7 cycles from `sum` to `o`; the parameters are taken on the way: `bias` 1 cycle after
    `sum`, `multiplier` 3, `shift` 6 (`latency.py`). Throughput: one a cycle. Cost: a 32 x 31 bit
    multiplier and a 63-bit shifter.

    Members
    -------
    sum : In(signed(32))
    bias : In(signed(32))
        ``sum + bias`` wraps around at 32 bits.
    multiplier : In(31)
    shift : In(5)
    rounding : In(2)
        A `Rounding`; steady while values are on their way, as are the four below.
    zero_point, clamp_low, clamp_high : In(signed(8))
    o : Out(signed(8))
    scaled : Out(signed(32))
        The sum, scaled and rounded to 32 bits, in the cycle of `o`; not for ONNX's rule.
    """

    sum: Signal
    bias: Signal
    multiplier: Signal
    shift: Signal
    rounding: Signal
    zero_point: Signal
    clamp_low: Signal
    clamp_high: Signal
    o: Signal
    scaled: Signal

    def __init__(self) -> None:
        super().__init__(
            {
                "sum": In(signed(32)),
                "bias": In(signed(32)),
                "multiplier": In(31),
                "shift": In(5),
                "rounding": In(2),
                "zero_point": In(signed(8)),
                "clamp_low": In(signed(8)),
                "clamp_high": In(signed(8)),
                "o": Out(signed(8)),
                "scaled": Out(signed(32)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        onnx = Signal()
        # The product is rounded once, in the end.
        once = Signal()
        m.d.comb += [
            onnx.eq(self.rounding == Rounding.ONNX),
            once.eq(self.rounding != Rounding.TFLITE),
        ]
        stage1 = _register(m, "sum", self.sum, 32)
        biased = _register(m, "biased", (stage1 + self.bias)[:32].as_signed(), 32)
        significant = _register(
            m, "significant", Mux(onnx, _to_24_bits(m, biased), biased), 33
        )
        # Two halves of the multiplier: products that a DSP block holds.
        low = _register(m, "product_low", significant * self.multiplier[:16], 49)
        high = _register(m, "product_high", significant * self.multiplier[16:], 48)
        product = _register(m, "product", (low + (high << 16))[:63].as_signed(), 63)
        doubled_high = Cat(
            Const(0, FRACTION_BITS), (product + (1 << 30))[FRACTION_BITS:63]
        ).as_signed()
        scaled = _register(m, "scaled", Mux(once, product, doubled_high), 63)
        shifted, sticky = _shift_right(m, scaled, self.shift)
        value = _register(m, "value", shifted, 63)
        dropped = Signal()
        m.d.sync += dropped.eq(sticky)
        m.d.comb += self.o.eq(self._finish(m, value, dropped))
        return m

    def _finish(self, m: Module, value: Signal, sticky: Signal) -> Value:
        """Round to an integer, add the zero point, clamp."""
        whole = value[FRACTION_BITS:].as_signed()
        up = self._round_up(m, value, sticky)
        m.d.comb += self.scaled.eq((whole + up)[:32].as_signed())
        rounded = _saturate(m, whole, 10) + up
        result = Signal(signed(12))
        m.d.comb += result.eq(rounded + self.zero_point)
        return Mux(
            result < self.clamp_low,
            self.clamp_low,
            Mux(result > self.clamp_high, self.clamp_high, result[:8].as_signed()),
        )

    def _round_up(self, m: Module, value: Signal, sticky: Signal) -> Value:
        """Whether the next integer is the result, rather than the one below."""
        half = 1 << (FRACTION_BITS - 1)
        fraction = value[:FRACTION_BITS]
        whole = value[FRACTION_BITS:]
        negative = value[-1]
        distance = Signal(signed(FRACTION_BITS))
        above = Signal()
        tie = Signal()
        near = Signal()
        tolerance = _tie_tolerance(m, whole[:8] ^ negative.replicate(8))
        m.d.comb += [
            # Flipping the top bit subtracts one half.
            distance.eq((fraction ^ half).as_signed()),
            # TFLite's halves end at bit 31: no shift drops a one of theirs. Half up, it does not
            # matter.
            tie.eq(distance == 0),
            above.eq(distance > 0),
            near.eq(
                Mux(
                    distance < 0,
                    -distance <= tolerance,
                    (distance < tolerance) | ((distance == tolerance) & ~sticky),
                )
            ),
        ]
        to_even, is_single = Mux(near, whole[0], above), self.rounding == Rounding.TFLITE_SINGLE
        away = above | (tie & (~negative | is_single))
        return Mux(self.rounding == Rounding.ONNX, to_even, away)


def _register(m: Module, name: str, value: Value, width: int) -> Signal:
    """A signed pipeline register; the datapath needs no reset."""
    register = Signal(signed(width), name=name, reset_less=True)
    m.d.sync += register.eq(value)
    return register


def _to_24_bits(m: Module, value: Signal) -> Value:
    """`value` rounded to 24 significant bits, half to even: its conversion to float32.

    For a negative value the leading bit is looked for in its complement. That is one place low only
    for powers of two, which need no rounding.
    """
    magnitude = value ^ value[-1].replicate(32)
    # drop[k]: at least k low bits are dropped.
    drop = Cat(magnitude[23 + k : 31].any() if k else Const(1) for k in range(8))
    keep = Signal(33)
    half_less_one = Signal(8)
    lowest = Signal()
    m.d.comb += keep.eq(~Cat(drop[1:], Const(0, 26)))
    m.d.comb += half_less_one.eq(drop[2:])
    for k in range(8):
        with m.If(drop[k]):
            m.d.comb += lowest.eq(value[k])
    carry = Signal(9)
    m.d.comb += carry.eq(Mux(drop[1], half_less_one + lowest, 0))
    return ((value + carry)[:33] & keep).as_signed()


def _shift_right(m: Module, value: Signal, shift: Signal) -> tuple[Value, Value]:
    """Arithmetic shift, and whether a one was shifted out."""
    dropped = Const(0, 1)
    for bit in range(len(shift)):
        amount = 1 << bit
        dropped = dropped | (shift[bit] & value[:amount].any())
        following = Signal(value.shape(), name=f"shifted{amount}")
        m.d.comb += following.eq(Mux(shift[bit], value >> amount, value))
        value = following
    return value, dropped


def _tie_tolerance(m: Module, magnitude: Value) -> Signal:
    """Half a unit of the 24th significant bit, for a product just around ``magnitude + 0.5``.

    The product's leading bit e is that of the magnitude, or -1 where it is zero; the unit of the
    24th bit is 2**(e - 23), half of it 2**(e - 24), which in units of the fraction is 2**(e + 7).
    """
    tolerance = Signal(16)
    m.d.comb += tolerance.eq(1 << (-1 + 7))
    for bit in range(8):
        with m.If(magnitude[bit]):
            m.d.comb += tolerance.eq(1 << (bit + 7))
    return tolerance


def _saturate(m: Module, value: Value, width: int) -> Signal:
    """`value` limited to `width` bits."""
    highest = (1 << (width - 1)) - 1
    lowest = -1 << (width - 1)
    result = Signal(signed(width))
    with m.If(value > highest):
        m.d.comb += result.eq(highest)
    with m.Elif(value < lowest):
        m.d.comb += result.eq(lowest)
    with m.Else():
        m.d.comb += result.eq(value[:width].as_signed())
    return result
