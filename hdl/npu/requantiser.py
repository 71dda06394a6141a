# SPDX-License-Identifier: Apache-2.0
"""One requantisation lane: int32 sums to int8 results, with every rounding bit for bit."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .delay import delayed
from .isa import Rounding
from .latency import BIAS_AFTER

__all__ = ["Requantiser"]

#: Bits of the product below its integer part, before the shift.
FRACTION_BITS = 31
#: Bits of the lower half of a factor: a multiplier of 18 signed bits takes 17 without a sign.
HALF_BITS = 17
#: Places of the fraction: of the halves; of half a unit of the 24th bit of a product whose integer
#: has 0 to 8 bits, and the one above.
_HALF_BIT, _NEAREST, _FARTHEST = FRACTION_BITS - 1, 6, 15


class Requantiser(wiring.Component):
    """``clamp(round((sum + bias) * multiplier / 2**(31 + shift)) + zero_point)``, a lane wide.

    *TFLite* rounding is `MultiplyByQuantizedMultiplier` of its reference kernels: half up at bit 31
    (`SaturatingRoundingDoublingHighMul`), then half away from zero (`RoundingDivideByPOT`). Its
    *single* rounding, that of fully connected layers, is half up.

    *ONNX* rounding is float32's: the sum is rounded to 24 significant bits, half to even; the exact
    product too; then it is rounded to an integer, half to even. The second rounding can only
    matter where it ends on a tie of the third. So the product is not normalised: its fraction is
    compared with one half, and counts as a tie within half a unit of the 24th bit.

    A cycle holds a few levels of LUTs, a sum, or a DSP block, for a fast clock on a full FPGA::

        1 - 4    the sum waits for its bias
        5        sum + bias
        6 - 8    rounded to 24 bits, where the rule is ONNX's: bits to drop, carry, sum
        9, 10    products of halves, their sum
        11       TFLite's first rounding
        12, 13   shifted by 16 and 8, by 4, 2 and 1
        14, 15   how far from one half, whether that is rounded up
        16       integer; with the zero point, which is clamped on its way out

    Latency: 16 cycles from `sum` to `o`; the parameters are taken on the way, each into a register:
    `bias` 3 cycles after `sum`, `multiplier` 7, `shift` 10 (`latency.py`).
    Throughput: one a cycle. Cost: four products of 17 bits and a 63-bit shifter.

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
        waited = delayed(m, "waited", self.sum, BIAS_AFTER + 1, reset_less=True)
        bias = _register(m, "own_bias", self.bias)
        biased = _register(m, "biased", (waited + bias)[:32].as_signed())
        significant = _to_24_bits(m, biased, self.rounding == Rounding.ONNX)
        product = _multiply(m, significant, _register(m, "own_multiplier", self.multiplier))
        first = _register(m, "first", self._first_rounding(product))
        shifted, sticky = _shift_right(m, first, _register(m, "own_shift", self.shift))
        whole = shifted[FRACTION_BITS:].as_signed()
        up = self._rounds_up(m, shifted, sticky)
        limited = _limit(m, whole)
        scaled = (delayed(m, "whole", whole, 2, reset_less=True) + up)[:32].as_signed()
        # A sum of three in one addition: its lowest place carries into the next.
        with_zero_point = Cat(up, limited).as_signed() + Cat(up, self.zero_point).as_signed()
        result = _register(m, "result", with_zero_point[1:].as_signed())
        m.d.comb += [
            self.scaled.eq(_register(m, "rounded", scaled)),
            self.o.eq(
                Mux(
                    result < self.clamp_low,
                    self.clamp_low,
                    Mux(result > self.clamp_high, self.clamp_high, result[:8].as_signed()),
                )
            ),
        ]
        return m

    def _first_rounding(self, product: Value) -> Value:
        """TFLite's at bit 31, half up: there is no fraction left. Other rules round once."""
        is_made = self.rounding == Rounding.TFLITE
        whole = product[FRACTION_BITS:].as_signed() + (product[FRACTION_BITS - 1] & is_made)
        return Cat(Mux(is_made, 0, product[:FRACTION_BITS]), whole[:32]).as_signed()

    def _rounds_up(self, m: Module, value: Value, sticky: Value) -> Value:
        """Whether the next integer is the result, rather than the one below. 2 cycles.

        Below the bit of the halves, the fraction tells how far away one half is: if the halves' bit
        is 0, the less the more ones it begins with; if it is 1, the more zeros.
        """
        low, middle, high = value[:_NEAREST], value[_NEAREST:_FARTHEST], value[_FARTHEST:_HALF_BIT]
        fields = {
            "half": value[_HALF_BIT], "odd": value[FRACTION_BITS], "negative": value[-1],
            "middle": middle, "ones": high.all(), "zeros": ~high.any(), "rest": low.any() | sticky,
            "beyond": _beyond_tolerance(value),
        }  # fmt: skip
        half, odd, negative, middle, ones, zeros, rest, beyond = (
            _register(m, name, field) for name, field in fields.items()
        )
        tolerance = beyond & ~(beyond << 1)[: len(beyond)]
        is_tolerance = (middle == tolerance) & ~rest
        near = Mux(
            half,
            zeros & (~(middle & beyond).any() | is_tolerance),
            ones & (middle | ~beyond).all(),
        )
        # TFLite's halves end at bit 31: no shift drops a one of theirs.
        is_tie = ~middle.any() & zeros & ~rest
        is_single = self.rounding != Rounding.TFLITE
        away = half & (~is_tie | ~negative | is_single)
        is_even_sought = (self.rounding == Rounding.ONNX) & near
        return _register(m, "up", Mux(is_even_sought, odd, away))


def _register(m: Module, name: str, value: Value) -> Value:
    """A pipeline register; the datapath needs no reset."""
    return delayed(m, name, value, 1, reset_less=True)


def _to_24_bits(m: Module, value: Value, enable: Value) -> Value:
    """`value` rounded to 24 significant bits, half to even: its conversion to float32. 3 cycles.

    For a negative value the leading bit is looked for in its complement. That is one place low only
    for powers of two, which need no rounding.
    """
    magnitude = value ^ value[-1].replicate(32)
    # Bit k: more than k low bits are dropped.
    drops = Cat(enable & magnitude[24 + k : 31].any() for k in range(7))
    drops = _register(m, "drops", drops)
    value = _register(m, "biased_then", value)
    half_less_one = drops >> 1
    half = drops & ~half_less_one
    lowest = (value[1:8] & half).any()
    carry = _register(m, "carry", Mux(lowest, half, half_less_one))
    drops = _register(m, "drops_then", drops)
    rounded = (_register(m, "biased_last", value) + carry)[:33]
    return _register(m, "significant", Cat(rounded[:7] & ~drops, rounded[7:]).as_signed())


def _multiply(m: Module, value: Value, multiplier: Value) -> Value:
    """Product with 31 bits, of halves that fit DSP blocks. 2 cycles.

    `value` has 33 bits but is at most 2**31, so 33 bits hold the sum of the two crossed products.
    """
    low, high = value[:HALF_BITS], value[HALF_BITS:].as_signed()
    by_low, by_high = multiplier[:HALF_BITS], multiplier[HALF_BITS:]
    low_low = _register(m, "low_low", low * by_low)
    low_high = _register(m, "low_high", low * by_high)
    high_low = _register(m, "high_low", high * by_low)
    high_high = _register(m, "high_high", high * by_high)
    crossed = (low_high + high_low)[:33].as_signed()
    upper = Cat(low_low[HALF_BITS:], high_high).as_signed() + crossed
    return _register(m, "product", Cat(low_low[:HALF_BITS], upper)[:63].as_signed())


def _shift_right(m: Module, value: Value, shift: Value) -> tuple[Value, Value]:
    """Arithmetic shift, and whether a one was shifted out. 2 cycles."""
    coarse, dropped = _shift_by(m, value, Const(0, 1), {16: shift[4], 8: shift[3]})
    fine = _register(m, "fine_shift", shift[:3])
    return _shift_by(m, coarse, dropped, {4: fine[2], 2: fine[1], 1: fine[0]})


def _shift_by(
    m: Module, value: Value, dropped: Value, amounts: dict[int, Value]
) -> tuple[Value, Value]:
    """`value` shifted by each amount that has its bit set, `dropped` or a one shifted out."""
    for amount, chosen in amounts.items():
        dropped = dropped | (chosen & value[:amount].any())
        following = Signal(value.shape(), name=f"shifted{amount}")
        m.d.comb += following.eq(Mux(chosen, value >> amount, value))
        value = following
    last = min(amounts)
    return _register(m, f"value{last}_", value), _register(m, f"dropped{last}_", dropped)


def _beyond_tolerance(value: Value) -> Value:
    """What counts from half a unit of the 24th significant bit, for a product around ``n + 0.5``.

    The product's leading bit e is that of the magnitude, or -1 where it is zero; the unit of the
    24th bit is 2**(e - 23), half of it 2**(e - 24), which in units of the fraction is 2**(e + 7):
    that place of the fraction and those above count, from `_NEAREST` to `_FARTHEST`. Where the
    magnitude has more than 8 bits, the result is clamped anyway.
    """
    magnitude = value[FRACTION_BITS:][:8] ^ value[-1].replicate(8)
    return Cat(*(~magnitude[bit:].any() for bit in range(8)), Const(1, 1))


def _limit(m: Module, whole: Value) -> Value:
    """`whole` limited to 10 bits. 2 cycles."""
    fits = _register(m, "fits", whole[9:].all() | ~whole[9:].any())
    low, negative = _register(m, "whole_low", whole[:9]), _register(m, "whole_sign", whole[-1])
    limited = Mux(fits, low, ~negative.replicate(9))
    return _register(m, "limited", Cat(limited, negative).as_signed())
