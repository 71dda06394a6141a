# SPDX-License-Identifier: Apache-2.0
"""Programs carried out byte by byte, in program order: slow, and too simple to be wrong."""

import math
from fractions import Fraction

from cimple.hdl.npu.config import NpuConfig
from cimple.hdl.npu.isa import Descriptor, Opcode, Rounding

__all__ = [
    "NaiveNpu", "half_even", "round_half_away", "scale_onnx", "scale_tflite",
    "scale_tflite_single", "wrap32",
]


def wrap32(value: int) -> int:
    """Two's complement, 32 bits."""
    return (value + (1 << 31)) % (1 << 32) - (1 << 31)


def round_half_away(value: Fraction) -> int:
    """To the nearest integer, halves away from zero."""
    magnitude = int(abs(value) + Fraction(1, 2))
    return magnitude if value >= 0 else -magnitude


def half_even(value: Fraction, bits: int | None = None) -> Fraction:
    """To an integer, or to `bits` significant bits, halves to even."""
    if value == 0:
        return value
    unit = Fraction(1)
    if bits is not None:
        while abs(value) >= unit * 2**bits:
            unit *= 2
        while abs(value) < unit * 2 ** (bits - 1):
            unit /= 2
    return Fraction(round(value / unit)) * unit  # round() of a Fraction is half to even


def scale_tflite(total: int, multiplier: int, shift: int) -> int:
    """Saturating rounding doubling high multiplication, then rounding division, as written down.

    In its own words: ab + nudge, divided by 2**31 with truncation towards zero, where the nudge is
    2**30 for a product that is not negative and 1 - 2**30 for others.
    """
    product = total * multiplier
    nudged = product + (1 << 30 if product >= 0 else 1 - (1 << 30))
    high = abs(nudged) >> 31
    return round_half_away(Fraction(high if nudged >= 0 else -high, 1 << shift))


def scale_onnx(total: int, multiplier: int, shift: int) -> int:
    """Accumulator and product to 24 significant bits, then to an integer, each half to even."""
    scale = Fraction(multiplier, 1 << 31 + shift)
    return int(half_even(half_even(half_even(Fraction(total), 24) * scale, 24)))


def scale_tflite_single(total: int, multiplier: int, shift: int) -> int:
    """To the nearest integer, the upper one in the middle."""
    return math.floor(Fraction(total * multiplier, 1 << 31 + shift) + Fraction(1, 2))


RULES = {
    Rounding.TFLITE: scale_tflite,
    Rounding.ONNX: scale_onnx,
    Rounding.TFLITE_SINGLE: scale_tflite_single,
}


class NaiveNpu:
    """Memories as lists of numbers; `run` changes them.

    Attributes
    ----------
    activations, weights : list of int
        Signed bytes.
    parameters : list of (bias, multiplier, shift)
    banks : list of dict from (row, column) to weight
        Of each bank, the columns of all macros side by side.
    kernels : list of dict from (tap, lane) to weight
    planes : list of list of int
        For each COMPUTE, in order, those of its rounds down from the first with a one.
    """

    def __init__(self, config: NpuConfig) -> None:
        self.config = config
        self.activations = [0] * config.activation_bytes
        self.weights = [0] * config.weight_bytes
        self.parameters = [(0, 0, 0)] * config.channels
        self.banks: list[dict[tuple[int, int], int]] = [{} for _ in range(config.macro.banks)]
        self.kernels: list[dict[tuple[int, int], int]] = [{}, {}]
        self.partial: dict[tuple[int, int], int] = {}
        self.vectors: list[list[int]] = []
        self.planes: list[list[int]] = []

    def run(self, descriptors: list[Descriptor]) -> None:
        """Carry out descriptors in their order; a REQUANTISE when its vectors are there."""
        waiting: list[tuple[Descriptor, list[dict[tuple[int, int], int]]]] = []
        for descriptor in descriptors:
            match descriptor.opcode:
                case Opcode.LOAD_WEIGHTS:
                    self._load(descriptor)
                case Opcode.LOAD_TAPS:
                    self._load_taps(descriptor)
                case Opcode.COMPUTE:
                    self._compute(descriptor)
                case Opcode.END:
                    pass
                case _:
                    # It means the kernels that were loaded before it, whenever it runs.
                    waiting.append((descriptor, [dict(kernel) for kernel in self.kernels]))
            while waiting and self._ready(waiting[0][0]):
                self._vector_operation(*waiting.pop(0))
        assert not waiting
        assert not self.vectors

    def _ready(self, d: Descriptor) -> bool:
        needed = d["out_width"] * d["out_height"] if d.opcode is Opcode.REQUANTISE else 0
        return len(self.vectors) >= needed

    def _vector_operation(
        self, d: Descriptor, kernels: list[dict[tuple[int, int], int]]
    ) -> None:
        match d.opcode:
            case Opcode.REQUANTISE:
                self._requantise(d)
            case Opcode.ADD:
                self._add(d)
            case _:
                self._pool(d, kernels)

    def _load_taps(self, d: Descriptor) -> None:
        lanes, port = self.config.lanes, self.config.weight_port
        tap_bytes = -(-lanes // port) * port
        for tap in range(d["taps"]):
            for lane in range(lanes):
                byte = self.weights[d["address"] + tap * tap_bytes + lane]
                self.kernels[d["bank"]][tap, lane] = byte

    def _load(self, d: Descriptor) -> None:
        macro, port = self.config.macro, self.config.weight_port
        row_bytes = -(-macro.columns // port) * port
        place, parts = d["address"], max(1, d["parts"])
        for turn in range(d["groups"] * parts):
            group, part = divmod(turn, parts)
            for index in range(macro.rows_per_group):
                row = (d["group"] + group) * macro.rows_per_group + index
                for column in range(macro.columns):
                    byte = self.weights[place + column]
                    for target in range(self.config.macros):
                        is_named = not d["macros"] or d["macros"] << part >> target & 1
                        if is_named and row < macro.rows:
                            own = target * macro.columns + column
                            self.banks[d["bank"]][row, own] = byte
                place += row_bytes

    def _compute(self, d: Descriptor) -> None:
        """With a split, windows go to the macros in turn, and have the columns of those only."""
        bank, columns = self.banks[d["bank"]], self.config.macros * self.config.macro.columns
        columns >>= d["split"]
        planes: dict[int, int] = {}
        for number in range(d["out_height"] * d["out_width"]):
            oy, ox = divmod(number, d["out_width"])
            first = number % (1 << d["split"]) * columns
            sums = [0] * columns
            for element in range(d["depth"]):
                row, offset = divmod(d["skip"] + element, d["run_bytes"])
                value = self._tap(d, oy, ox, row, offset)
                byte = d["zero_point"] if value is None else value
                round_ = number >> d["split"]
                needed = max(1, (byte + 128).bit_length()) if d["skip_zero_planes"] else 8
                planes[round_] = max(planes.get(round_, 0), needed)
                for column in range(columns):
                    sums[column] += (byte + 128) * bank.get((element, first + column), 0)
            self.vectors.append(sums)
        self.planes.append(list(planes.values()))

    def _tap(self, d: Descriptor, oy: int, ox: int, row: int, offset: int) -> int | None:
        """The byte of a window; None outside the image."""
        y = d["origin_y"] + oy * d["step_y"] + row
        x = d["origin_x"] + ox * d["step_x"] + offset
        if not (0 <= y < d["height"] and 0 <= x < d["row_bytes"]):
            return None
        return self.activations[self._place(d, oy, ox, row, offset)]

    def _place(self, d: Descriptor, oy: int, ox: int, row: int, offset: int) -> int:
        first = d["start"] + oy * d["row_step"] + ox * d["step_x"]
        return (first + row * d["row_stride"] + offset) % (1 << 32)

    def _requantise(self, d: Descriptor) -> None:
        beats = -(-d["channels"] // self.config.requantisers)
        for pixel in range(d["out_width"] * d["out_height"]):
            vector = self.vectors.pop(0)
            for channel in range(d["channels"]):
                beat, lane = divmod(channel, self.config.requantisers)
                word = d["partial"] + pixel * beats + beat
                total = vector[channel]
                if d["add_partial"]:
                    total = wrap32(total + self.partial[word, lane])
                if d["keep_partial"]:
                    self.partial[word, lane] = total
                else:
                    self._write(d, pixel, channel, self._scaled(d, channel, total))

    def _scaled(self, d: Descriptor, channel: int, total: int) -> int:
        return self._term(d, channel, total) + d["zero_point"]

    def _term(self, d: Descriptor, channel: int, total: int) -> int:
        bias, multiplier, shift = self.parameters[d["channel"] + channel]
        return RULES[Rounding(d["rounding"])](wrap32(total + bias), multiplier, shift)

    def _write(self, d: Descriptor, pixel: int, channel: int, value: int) -> None:
        oy, ox = divmod(pixel, d["out_width"])
        place = d["out_start"] + oy * d["out_row_stride"] + ox * d["out_pixel_stride"] + channel
        self.activations[place % (1 << 32)] = min(max(value, d["clamp_low"]), d["clamp_high"])

    def _add(self, d: Descriptor) -> None:
        width = self.config.requantisers
        for byte in range(d["bytes"]):
            lane = byte % width
            first, second = (self.activations[d[name] + byte] for name in ("start", "other_start"))
            total = (first << 19) + self._term(d, lane, second << 20)
            value = self._scaled(d, width + lane, wrap32(total))
            place = d["out_start"] + byte
            self.activations[place] = min(max(value, d["clamp_low"]), d["clamp_high"])

    def _pool(self, d: Descriptor, kernels: list[dict[tuple[int, int], int]]) -> None:
        """Any operation over windows of pixels."""
        for pixel in range(d["out_width"] * d["out_height"]):
            oy, ox = divmod(pixel, d["out_width"])
            for channel in range(d["channels"]):
                taps = [
                    self._pixel(d, oy, ox, row, column, channel)
                    for row in range(d["kernel_height"]) for column in range(d["kernel_width"])
                ]
                self._write(d, pixel, channel, self._reduced(d, taps, channel, kernels))

    def _reduced(
        self, d: Descriptor, taps: list[int | None], channel: int,
        kernels: list[dict[tuple[int, int], int]],
    ) -> int:
        lane, place = channel % self.config.lanes, channel % self.config.requantisers
        match d.opcode:
            case Opcode.MAX_POOL:
                return max([-128, *(tap for tap in taps if tap is not None)])
            case Opcode.AVERAGE_POOL:
                return self._scaled(d, place, sum(tap for tap in taps if tap is not None))
        kernel, padded = kernels[d["bank"]], [d["padding"] if tap is None else tap for tap in taps]
        total = sum(tap * kernel.get((number, lane), 0) for number, tap in enumerate(padded))
        return self._scaled(d, channel, total)

    def _pixel(
        self, d: Descriptor, oy: int, ox: int, row: int, column: int, channel: int
    ) -> int | None:
        """A channel of a tap; None where the pixel begins outside the image."""
        offset = column * d["pixel_bytes"]
        if self._tap(d, oy, ox, row, offset) is None:
            return None
        return self.activations[self._place(d, oy, ox, row, offset + channel)]
