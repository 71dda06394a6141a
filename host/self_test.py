# SPDX-License-Identifier: Apache-2.0
"""The program of a board's self-test, and the signature that the golden model says it leaves.

Every memory is filled with a pattern and read back whole, once more with all bits turned, so that
each bit has been either. Then weights are loaded and met by
vectors, and the results are requantised, pooled, convolved and read. Nothing that depends on time
is among the answers.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from ..hdl.npu.config import WORD_BYTES, NpuConfig
from ..hdl.npu.isa import Descriptor, Opcode, Queue, Rounding
from ..hdl.npu.packets import (
    Memory,
    Request,
    Status,
    address,
    header,
    memory_bytes,
    parameter_words,
)
from ..verif.golden.npu import NpuModel

__all__ = ["MOST_PATTERN", "SEED", "Entry", "SelfTest", "expand", "make_self_test", "step"]

#: The polynomial of CRC-32, which is primitive: its register takes all values but zero.
POLYNOMIAL = 0xEDB88320
#: What the register of the pattern holds at first.
SEED = 0x2545F491
#: Most words of one request with a pattern: the count has 16 bits.
MOST_PATTERN = 1 << 15
_ALL = 0xFFFFFFFF
#: Vectors that meet each bank's weights.
_VECTORS = 8


def step(state: int) -> int:
    """The next state of a linear feedback shift register in Galois's form, 32 bits."""
    return state >> 1 ^ (POLYNOMIAL if state & 1 else 0)


@dataclass(frozen=True)
class Entry:
    """One word of the self-test's ROM."""

    data: int
    """A word of a request; with `pattern` how many words of the pattern come here, at least 1."""
    last: bool = False
    """The request ends here, and its answer is awaited."""
    pattern: bool = False
    timed: bool = False
    """With `last`: of the answer only the header counts, as the rest tells a time."""
    restart: bool = False
    """With `pattern`: it begins anew here, and has all bits turned from here on."""


@dataclass(frozen=True)
class SelfTest:
    """Requests for one NPU, and what their answers come to."""

    entries: tuple[Entry, ...]
    signature: int
    """State of a multiple-input signature register, zero at first, that takes every answer's words
    in turn: ``state = step(state) ^ word``."""

    def flipped(self, bits: int) -> "SelfTest":
        """The same with other bits of the signature: one that an NPU cannot pass."""
        return replace(self, signature=self.signature ^ bits)


def make_self_test(config: NpuConfig) -> SelfTest:
    """The self-test of an NPU.

    Raises:
        ValueError: an answer depends on something that the golden model does not know.
    """
    model, signature = NpuModel(config), 0
    entries = [entry for request in _requests(config) for entry in request]
    for words, timed in expand(entries):
        answer = model.expect(words)
        counted = 1 if timed else len(answer.words)
        if answer.words[0] >> 16 & 0xFF != Status.OK:
            raise ValueError(f"self-test: request {words[0]:#x} is refused: {answer.words}")
        if any(mask != _ALL for mask in answer.masks[:counted]):
            raise ValueError(f"self-test: the answer to {words[0]:#x} cannot be predicted")
        for word in answer.words[:counted]:
            signature = step(signature) ^ word
    return SelfTest(tuple(entries), signature)


def expand(entries: Iterable[Entry]) -> Iterator[tuple[list[int], bool]]:
    """The requests that entries stand for, word by word, and whether the answer tells a time."""
    pattern, turned, words = SEED, 0, []
    for entry in entries:
        if entry.restart:
            pattern, turned = SEED, _ALL
        for _ in range(entry.data if entry.pattern else 0):
            words.append(pattern ^ turned)
            pattern = step(pattern)
        words += [] if entry.pattern else [entry.data]
        if entry.last:
            yield words, entry.timed
            words = []


def _requests(config: NpuConfig) -> Iterator[list[Entry]]:
    yield _request([header(Request.IDENTIFY, 1)])
    for turned in (False, True):
        # All is written before anything is read: two places that are one are found.
        for memory in Memory:
            for place, count in _pieces(config, memory):
                yield [
                    Entry(header(Request.WRITE, 2, count)),
                    Entry(address(memory, place)),
                    Entry(count, last=True, pattern=True, restart=turned),
                ]
                turned = False
        for memory in Memory:
            yield from _reads(config, memory)
    yield _write(Memory.PARAMETERS, _parameters(config))
    yield _write(Memory.PROGRAM, [word for each in _program(config) for word in each.encode()])
    yield _request([header(Request.RUN, 3), 0], timed=True)
    yield from _reads(config, Memory.ACTIVATIONS)
    yield _request([header(Request.SYNC, 4), SEED])


def _request(words: Sequence[int], *, timed: bool = False) -> list[Entry]:
    """A request of these words."""
    *rest, end = words
    return [*map(Entry, rest), Entry(end, last=True, timed=timed)]


def _write(memory: Memory, words: list[int]) -> list[Entry]:
    return _request([header(Request.WRITE, 5, len(words)), address(memory, 0), *words])


def _reads(config: NpuConfig, memory: Memory) -> Iterator[list[Entry]]:
    for place, count in _pieces(config, memory):
        yield _request([header(Request.READ, 6, count), address(memory, place)])


def _pieces(config: NpuConfig, memory: Memory) -> Iterator[tuple[int, int]]:
    """Byte offset and words of each piece of a memory."""
    words = memory_bytes(config, memory) // WORD_BYTES
    for start in range(0, words, MOST_PATTERN):
        yield WORD_BYTES * start, min(MOST_PATTERN, words - start)


# The run ----------------------------------------------------------------------------------------


def _depth(config: NpuConfig) -> int:
    """Bytes of a vector: all rows, where the memories hold so many."""
    groups = config.weight_bytes // config.group_bytes
    rows = min(config.macro.rows, groups * config.macro.rows_per_group)
    return min(rows, config.activation_bytes // 4)


def _channels(config: NpuConfig) -> int:
    """Results of a vector: all columns, where there are parameters for so many."""
    room = config.activation_bytes // 4 // _VECTORS
    return min(config.columns, config.channels, room)


def _parameters(config: NpuConfig) -> list[int]:
    """Parameters that bring usual sums of the macro to -64 to 64, different for each channel."""
    count = -(-_channels(config) // config.requantisers) * config.requantisers
    # A product has about 2**13, and a sum of so many the root of it more.
    shift = max(0, 13 + (_depth(config).bit_length() // 2) - 7)
    words: list[int] = []
    for channel in range(count):
        # Multipliers of 24 bits, for which every rounding is defined.
        multiplier = (1 << 30) + (channel * 0x2E5 % 0x1000 << 18)
        words += parameter_words((channel * 0x9E3 % 0x2000) - 0x1000, multiplier, shift)
    return words


def _program(config: NpuConfig) -> list[Descriptor]:
    """Load, compute and requantise with the first bank and the last, then pool and convolve."""
    banks = sorted({0, config.macro.banks - 1})
    depth, channels = _depth(config), _channels(config)
    groups = -(-depth // config.macro.rows_per_group)
    half, size = config.activation_bytes // 2, _VECTORS * channels
    program = []
    for bank in banks:
        load = {"bank": bank, "groups": groups, "signal": 1 << Queue.COMPUTE}
        program.append(Descriptor(Opcode.LOAD_WEIGHTS, load | _spread(config, groups)))
    for index, bank in enumerate(banks):
        compute = {
            "bank": bank, "wait": 1 << Queue.LOAD, "row_bytes": depth + _VECTORS - 1, "height": 1,
            "run_bytes": depth, "depth": depth, "step_x": 1, "out_width": _VECTORS,
            "out_height": 1,
        }
        result = {
            "out_start": half + index * size, "out_width": _VECTORS, "out_height": 1,
            "out_pixel_stride": channels, "channels": channels, "clamp_low": -128,
            "clamp_high": 127, "rounding": (Rounding.ONNX, Rounding.TFLITE)[index],
        }
        program += [Descriptor(Opcode.COMPUTE, compute), Descriptor(Opcode.REQUANTISE, result)]
    return [*program, *_vector_layers(config, half, channels), Descriptor(Opcode.END, {})]


def _spread(config: NpuConfig, groups: int) -> dict[str, int]:
    """Weights of its own for each macro where the memory holds so many, else the same for all."""
    if config.macros * groups * config.group_bytes > config.weight_bytes:
        return {}
    return {"macros": 1, "parts": config.macros}


def _vector_layers(config: NpuConfig, half: int, channels: int) -> list[Descriptor]:
    """A maximum of neighbours among the first bank's results, and a depthwise product of them."""
    count = min(channels, config.lanes)
    window = {
        "start": half, "row_stride": _VECTORS * channels, "row_bytes": _VECTORS * channels,
        "height": 1, "step_x": channels, "pixel_bytes": channels, "out_width": _VECTORS - 1,
        "out_height": 1, "kernel_width": 2, "kernel_height": 1, "channels": count,
        "out_pixel_stride": count, "clamp_low": -128, "clamp_high": 127,
    }
    end = half + 2 * _VECTORS * channels
    rest = config.activation_bytes - count * 2 * (_VECTORS - 1)
    place = min(end, rest)
    taps = {"taps": 2, "address": 0, "signal": 1 << Queue.VECTOR}
    product = {"wait": 1 << Queue.LOAD, "out_start": place + count * (_VECTORS - 1)}
    return [
        Descriptor(Opcode.MAX_POOL, window | {"out_start": place}),
        Descriptor(Opcode.LOAD_TAPS, taps),
        Descriptor(Opcode.DEPTHWISE, window | product),
    ]

