# SPDX-License-Identifier: Apache-2.0
# amaranth: UnusedElaboratable=no
"""Every rounding of a requantisation lane, bit for bit, against its definition in exact numbers.

The stimulus is mostly what random numbers never meet: products on a tie and within half a unit of
its 24th bit, for every leading bit of the result. The tests assert that it does meet them.
"""

import math
import random
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from amaranth.hdl import Module, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In

from cimple.hdl.npu.isa import Rounding
from cimple.hdl.npu.latency import (
    BIAS_AFTER,
    MULTIPLIER_AFTER,
    REQUANTISE_CYCLES,
    SHIFT_AFTER,
)
from cimple.hdl.npu.requantiser import Requantiser

INT32 = (-1 << 31, (1 << 31) - 1)
TOP_MULTIPLIER = (1 << 31) - 1
#: A multiplier with ONNX rounding is a float32's 24 bits above 7 zeros.
ONNX_STEP = 1 << 7


def wrapped(number):
    """To 32 bits."""
    return (number + (1 << 31)) % (1 << 32) - (1 << 31)


def to_24_bits(number):
    """An integer to 24 significant bits, half to even."""
    unit = 1 << max(0, abs(number).bit_length() - 24)
    return round(Fraction(number, unit)) * unit


def onnx(total, multiplier, shift):
    """The steps of float32, where neither overflows nor is denormal."""
    return round(Fraction(to_24_bits(to_24_bits(total) * multiplier), 1 << 31 + shift))


def tflite(total, multiplier, shift):
    """The functions of gemmlowp as they stand in C, where division cuts towards zero."""
    product = total * multiplier
    nudge = 1 << 30 if product >= 0 else 1 - (1 << 30)
    high = int(Fraction(product + nudge, 1 << 31))
    half = Fraction(1 if high >= 0 else -1, 2)
    return int(Fraction(high, 1 << shift) + half)


def tflite_single(total, multiplier, shift):
    """Half up."""
    return math.floor(exact(total, multiplier, shift) + Fraction(1, 2))


def exact(total, multiplier, shift):
    """The product, not rounded."""
    return Fraction(total * multiplier, 1 << 31 + shift)


RULES = {
    Rounding.TFLITE: tflite, Rounding.ONNX: onnx, Rounding.TFLITE_SINGLE: tflite_single,
}


class DelayedParameters(wiring.Component):
    """A lane that is given a sum with its parameters, and hands each over at its latency."""

    i: data.View

    def __init__(self):
        self.lane = Requantiser()
        super().__init__({"i": In(data.StructLayout({
            "sum": signed(32), "bias": signed(32), "multiplier": 31, "shift": 5,
        }))})

    def elaborate(self, platform):
        m = Module()
        m.submodules.lane = self.lane
        after = {
            "sum": 0, "bias": BIAS_AFTER, "multiplier": MULTIPLIER_AFTER, "shift": SHIFT_AFTER,
        }
        for name, cycles in after.items():
            value = self.i[name]
            for _ in range(cycles):
                following = Signal.like(value)
                m.d.sync += following.eq(value)
                value = following
            m.d.comb += getattr(self.lane, name).eq(value)
        return m


def run(simulate, vectors, rounding, parameters=(0, -128, 127)):
    """Results of (sum, bias, multiplier, shift), one a cycle."""
    block = DelayedParameters()
    lane, latency = block.lane, REQUANTISE_CYCLES
    results = []

    async def bench(ctx):
        ctx.set(lane.rounding, rounding)
        for port, value in zip((lane.zero_point, lane.clamp_low, lane.clamp_high), parameters,
                               strict=True):
            ctx.set(port, value)
        for cycle in range(len(vectors) + latency):
            if cycle < len(vectors):
                ctx.set(block.i, dict(zip(block.i.shape().members, vectors[cycle], strict=True)))
            if cycle >= latency:
                results.append(ctx.get(lane.o))
            await ctx.tick()

    simulate(block, bench, cycles=len(vectors) + 100)
    return results


def check(simulate, vectors, rounding, parameters=(0, -128, 127)):
    """Every result against the definition."""
    zero_point, low, high = parameters
    rule = RULES[rounding]
    expected = [
        min(max(rule(wrapped(total + bias), multiplier, shift) + zero_point, low), high)
        for total, bias, multiplier, shift in vectors
    ]
    assert_equal(vectors, run(simulate, vectors, rounding, parameters), expected)


def assert_equal(vectors, results, expected):
    wrong = [(vector, got, right)
             for vector, got, right in zip(vectors, results, expected, strict=True) if got != right]
    assert not wrong, f"{len(wrong)} of {len(vectors)}: (vector, got, expected) {wrong[:5]}"


def split(source, total):
    """A sum and a bias that make `total`: wrapping around or not."""
    bias = source.choice([0, source.randint(*INT32)])
    return wrapped(total - bias), bias


def near_ties(source, count, rounding):
    """Products as near to ``integer + 1/2`` as there are, whatever the integer's leading bit."""
    vectors = []
    while len(vectors) < count:
        magnitude = source.choice([0, *(1 << bit for bit in range(8))])
        tie = magnitude + source.randrange(magnitude or 1) + Fraction(1, 2)
        total = source.getrandbits(source.choice([8, 16, 22, 23, 24, 25, 28, 31])) + 256
        total_met = to_24_bits(total) if rounding == Rounding.ONNX else total
        # The shift that gives a multiplier of 31 bits.
        shift = int(total_met / tie).bit_length() - 1
        multiplier = round(tie * 2 ** (31 + shift) / total_met)
        step = ONNX_STEP if rounding == Rounding.ONNX else 1
        multiplier = round(multiplier / step) * step + source.choice([0, 0, 0, step, -step])
        if 0 <= shift <= 31 and 0 < multiplier <= TOP_MULTIPLIER and total <= INT32[1]:
            sign = source.choice([1, -1])
            vectors.append((*split(source, sign * total), multiplier, shift))
    return vectors


def half_units(source, leading):
    """A place half a unit of the 24th bit from ``integer + 1/2``, in half units: 25 bits.

    `leading` is the integer's leading bit, -1 if it is zero; half a unit is ``2**(leading - 24)``.
    """
    integer = (1 << leading) + source.randrange(1 << leading) if leading >= 0 else 0
    return (2 * integer + 1 << 23 - leading) + source.choice([1, -1])


def half_a_unit_away(source, count):
    """Products that lie there exactly: the place taken apart into two factors."""
    vectors = []
    while len(vectors) < count:
        leading = source.randint(-1, 7)
        place, shift = half_units(source, leading), source.randint(8, 25)
        factor = source.choice([3, 5, 7, 9, 11, 13, 15, 17, 19, 23, 77, 127, 255])
        total, multiplier = factor << shift + leading, place // factor << 7
        if place % factor == 0 and multiplier <= TOP_MULTIPLIER:
            vectors.append((*split(source, source.choice([1, -1]) * total), multiplier, shift))
    return vectors


def beyond_half_a_unit(source, count):
    """Products just above that, by less than the bits that are left when `shift` is done."""
    vectors = []
    while len(vectors) < count:
        leading, shift = source.randint(-1, 1), source.randint(20, 25)
        total = source.randrange(1 << 23, 1 << 24) << max(0, shift - 24)
        scaled = half_units(source, leading) << 7 + shift + leading
        multiplier = -(-scaled // (total << 7)) << 7
        if 0 < total * multiplier - scaled < 1 << shift and multiplier <= TOP_MULTIPLIER:
            vectors.append((*split(source, source.choice([1, -1]) * total), multiplier, shift))
    return vectors


def exact_ties(source, count):
    """Products that are ``integer + 1/2``, and those of the sums around them."""
    vectors = []
    while len(vectors) < count:
        odd = source.randrange(1, 1 << source.randint(1, 10), 2)
        shift, power = source.randint(0, 31), source.randint(7, 30)
        # odd << up times 1 << power is odd / 2 in units of 2**(31 + shift).
        up = 30 + shift - power
        if up >= 0 and odd << up < INT32[1]:
            for total in range((odd << up) - 1, (odd << up) + 2):
                for sign in (1, -1):
                    vectors.append((*split(source, sign * total), 1 << power, shift))
    return vectors


def leading_bits(vectors):
    """How many results there are by sign and leading bit, -1 for those between -1 and 1."""
    values = [exact(wrapped(total + bias), m, s) for total, bias, m, s in vectors]
    return Counter((value < 0, int(abs(value)).bit_length() - 1) for value in values)


def test_onnx_near_ties(simulate):
    """Where rounding to 24 bits first makes the difference, a few times for each leading bit."""
    source = random.Random(1)
    vectors = near_ties(source, 1400, rounding=Rounding.ONNX)
    decisive = [
        vector for vector, total in ((v, wrapped(v[0] + v[1])) for v in vectors)
        if onnx(total, *vector[2:]) != round(exact(to_24_bits(total), *vector[2:]))
    ]
    met = leading_bits(decisive)
    for leading in range(-1, 8):
        assert min(met[True, leading], met[False, leading]) >= 4, met
    check(simulate, vectors, rounding=Rounding.ONNX)


def test_onnx_half_a_unit_from_a_tie(simulate):
    """There the first rounding ends on the tie, whose last bit is even; a trifle beyond it not."""
    source = random.Random(5)
    vectors = [*half_a_unit_away(source, 300), *beyond_half_a_unit(source, 100)]
    check(simulate, vectors, rounding=Rounding.ONNX)


def test_tflite_near_ties(simulate):
    """Where rounding at bit 31 first makes the difference, and where half up and away differ."""
    source = random.Random(2)
    vectors = near_ties(source, 800, rounding=Rounding.TFLITE)
    decisive = [
        (total, bias, m, s) for total, bias, m, s in vectors
        if tflite(wrapped(total + bias), m, s) != tflite_in_one(wrapped(total + bias), m, s)
    ]
    assert len(decisive) > 60
    assert {sum_ + bias < 0 for sum_, bias, _, _ in decisive} == {True, False}
    check(simulate, vectors, rounding=Rounding.TFLITE)


def tflite_in_one(total, multiplier, shift):
    """Half away from zero, once."""
    value = exact(total, multiplier, shift)
    return int(value + Fraction(1 if value >= 0 else -1, 2))


@pytest.mark.parametrize("rounding", Rounding)
def test_exact_ties(simulate, rounding):
    vectors = exact_ties(random.Random(3), 800)
    ties = [v for v in vectors if exact(wrapped(v[0] + v[1]), *v[2:]).denominator == 2]
    met = leading_bits(ties)
    for leading in range(-1, 8):
        assert min(met[True, leading], met[False, leading]) >= 4, met
    check(simulate, vectors, rounding)


@pytest.mark.parametrize("rounding", Rounding)
def test_large_sums(simulate, rounding):
    """Beyond 2**24 float32 rounds the sum itself; at the ends of int32 nothing may overflow."""
    source = random.Random(4)
    step = ONNX_STEP if rounding == Rounding.ONNX else 1
    totals = [*INT32, INT32[0] + 1, INT32[1] - 1, 0, 1, -1]
    for bit in range(22, 32):
        totals += [sign * (1 << bit) + offset for sign in (1, -1) for offset in range(-3, 4)]
    for _ in range(300):
        # Halves of the unit of the 24th bit, and what lies beside them.
        drop = source.randint(1, 8)
        kept = source.randrange(1 << 23, 1 << 24)
        beside = source.choice([-1, 0, 1])
        totals.append(source.choice([1, -1]) * ((kept << drop) + (1 << drop - 1) + beside))
    vectors = []
    for total in totals:
        if INT32[0] <= total <= INT32[1]:
            # A result that tells neighbouring units of the 24th bit apart where it can.
            shift = source.randint(0, 31)
            multiplier = source.randrange(0, TOP_MULTIPLIER, step)
            vectors.append((*split(source, total), multiplier, shift))
            vectors.append((*split(source, total), multiplier | 1 << 30, 23))
    check(simulate, vectors, rounding)


@pytest.mark.parametrize("rounding", Rounding)
def test_every_shift_and_the_ends_of_every_range(simulate, rounding):
    step = ONNX_STEP if rounding == Rounding.ONNX else 1
    vectors = [
        (total, bias, multiplier, shift)
        for shift in range(32)
        for multiplier in (0, 1 << 30, (1 << 31) - step)
        for total in (*INT32, -1, 0, 1, 255 << shift, -(255 << shift))
        if INT32[0] <= total <= INT32[1]
        for bias in (0, INT32[0])
    ]
    check(simulate, vectors, rounding)


@pytest.mark.parametrize("rounding", Rounding)
@pytest.mark.parametrize(
    "parameters", [(0, -128, 127), (-128, -128, 127), (127, -128, 127), (5, -3, 6), (-7, 20, 20)]
)
def test_zero_point_before_clamp(simulate, rounding, parameters):
    """All results from far below to far above the range."""
    vectors = [(value, 0, 1 << 30, 0) for value in range(-700, 700, 3)]
    vectors += [(sign << 30, 0, TOP_MULTIPLIER // 128 * 128, 0) for sign in (1, -1)]
    check(simulate, vectors, rounding, parameters)


def test_random_tflite(simulate):
    vectors = random_vectors(1000, 1)
    total, bias, multiplier, shift = (np.array(column) for column in zip(*vectors, strict=True))
    # Where the product is positive int64 holds it all; signs are put back afterwards.
    total = (total + bias).astype(np.int32).astype(np.int64)
    high = total * multiplier + np.where(total < 0, 1 - (1 << 30), 1 << 30)
    high = np.sign(high) * (np.abs(high) >> 31)
    rounded = np.sign(high) * (np.abs(high) + (1 << shift >> 1) >> shift)
    assert_equal(vectors, run(simulate, vectors, False), np.clip(rounded, -128, 127).tolist())


def test_random_onnx(simulate):
    """Against NumPy's float32."""
    vectors = random_vectors(1000, ONNX_STEP)
    total, bias, multiplier, shift = (np.array(column) for column in zip(*vectors, strict=True))
    scale = np.ldexp(multiplier.astype(np.float32), -31 - shift)
    assert scale.dtype == np.float32
    product = (total + bias).astype(np.int32).astype(np.float32) * scale
    expected = np.clip(np.rint(product), -128, 127).astype(int).tolist()
    assert_equal(vectors, run(simulate, vectors, True), expected)


def random_vectors(count, step):
    """Results over the whole range and a little beyond."""
    source = random.Random(step)
    vectors = []
    while len(vectors) < count:
        value = source.uniform(-160, 160)
        total = source.getrandbits(source.randint(9, 31)) * (1 if value > 0 else -1)
        shift = max(0, int(total / value).bit_length() - 1) if total else 0
        multiplier = int(value / total * 2 ** (31 + shift)) // step * step if total else step
        if 0 <= multiplier <= TOP_MULTIPLIER and shift < 32:
            vectors.append((*split(source, total), multiplier, shift))
    return vectors
