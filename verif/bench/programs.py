# SPDX-License-Identifier: Apache-2.0
"""Random programs that are legal by construction, for any NPU.

A program is a chain of layers over random bytes: convolutions and products in one or more passes,
and layers of the vector engine alone. Its geometry is small, as cycles are; its fields take all
values they can there, its tokens order what must be ordered, and some of what need not be.
"""

import contextlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...hdl.npu.config import NpuConfig
from ...hdl.npu.isa import Descriptor, DescriptorError, Opcode
from ..golden.operation import Operation, ProgramError
from ..golden.ops.compute import Compute
from ..golden.ops.requantise import Requantise
from ..golden.program import OPERATIONS
from .fetches import Fetches
from .program_builder import ProgramBuilder
from .roundings import allowed_roundings
from .vector_layers import VectorLayer, VectorLayers
from .walks import Arena, Fields, Walks

__all__ = ["RandomProgram"]


@dataclass(frozen=True)
class _Pass:
    """Some rows of a product: their weights, the vectors, and what becomes of them."""

    bank: int
    loads: list[Fields]
    computes: list[Fields]
    requantises: list[Fields]
    vectors_first: bool


class RandomProgram:
    """Makes one program.

    Parameters
    ----------
    config : NpuConfig
    random : numpy.random.Generator
    activations, weights : Arena
        The bytes that the program may use of these memories.
    channels : range
        The channels whose parameters it may use; the first is a multiple of the requantisers.
    any_multiplier : bool
        Whether their multipliers may have more than 24 bits, so that ONNX rounding is not defined.
    vectors : int
        About how many output vectors and pools' pixels to make.
    external : int
        Bytes of external memory that weights may be fetched from; 0: none are fetched.
    slides : bool
        As in `Walks`.
    """

    def __init__(
        self,
        config: NpuConfig,
        random: np.random.Generator,
        *,
        activations: Arena,
        weights: Arena,
        channels: range,
        any_multiplier: bool,
        vectors: int = 150,
        external: int = 0,
        slides: bool = False,
    ) -> None:
        self.config = config
        self._fetches = Fetches(config, random, external)
        self.builder = ProgramBuilder()
        self._random = random
        self._weights = weights
        self._channels = channels
        self._roundings = allowed_roundings(any_multiplier)
        # Layers that keep to one half each do not meet, and engines can be at work at once.
        self._all_walks = [
            Walks(config, random, arena, channels=channels, slides=slides)
            for arena in (activations, activations, *activations.halves())
        ]
        self._walks = self._all_walks[0]
        self._last_writer = np.full(config.activation_bytes, -1)
        self._vector_layers = VectorLayers(
            config, random, weights=weights, channels=channels, any_multiplier=any_multiplier
        )
        self._last_load: dict[int, int] = {}
        self._last_compute: dict[int, int] = {}
        self._last_kernels: dict[int, int] = {}
        self._last_depthwise: dict[int, int] = {}
        self._settled: list[int] = []
        self._budget = vectors
        #: Cycles that the program surely does not exceed.
        self.cycles = 0
        while self._budget > 0 and self._room > 0 and self._layer():
            pass
        self.cycles += self._fetches.cycles

    @property
    def _room(self) -> int:
        """Descriptors that still fit, but for an END and one before it."""
        return self.config.descriptors - 2 - len(self.builder)

    def _layer(self) -> bool:
        """Add a layer, or fail to find a legal one that fits."""
        _, _, low, high = self._all_walks
        beside = {low: high, high: low}.get(self._walks)
        for _ in range(50):
            self._walks, others = self._all_walks[self._below(len(self._all_walks))], 0.4
            if beside is not None and self._chance(0.6):
                # A pool beside a product: both read activations.
                self._walks, others = beside, 0.6
            try:
                self._vector() if self._chance(others) else self._product()
            except (ProgramError, DescriptorError):
                continue
            return True
        return False

    # Products -----------------------------------------------------------------------------------

    def _product(self) -> None:
        passes = self._passes()
        per_load = 1 + self._fetches.most
        needed = sum(per_load * len(p.loads) + len(p.computes) + len(p.requantises) for p in passes)
        if needed > self._room:
            raise ProgramError("the program would be too long")
        early = self.config.macro.banks > 1 and self._chance(0.5)
        loaded: set[int] = set()
        for index, current in enumerate(passes):
            self._load(current, loaded, index)
            following = passes[index + 1] if index + 1 < len(passes) else None
            if early and following is not None and following.bank != current.bank:
                self._load(following, loaded, index + 1)
            self._emit(current)

    def _passes(self) -> list[_Pass]:
        """The passes of a random product, all of whose descriptors are legal."""
        window, depth = self._walks.window()
        split = self._below(self.config.most_split + 1)
        channels = 1 + self._below(min(self.config.columns >> split, len(self._channels)))
        chunks = self._chunks(depth)
        partial = 0
        if len(chunks) > 1:
            words = -(-channels // self.config.requantisers)
            window = self._walks.fewer(window, self.config.partial_sum_words // words)
            vectors = window["out_width"] * window["out_height"]
            partial = self._below(self.config.partial_sum_words - vectors * words + 1)
        output = self._walks.output(window, channels, "step_x")
        output |= self._scaling(channels) | {"partial": partial, "split": split}
        passes = []
        for index, (first, taken) in enumerate(chunks):
            last = index == len(chunks) - 1
            flags = {"add_partial": int(index > 0), "keep_partial": int(not last)}
            compute = self._walks.advance(window, first) | {"depth": taken, "split": split}
            passes.append(self._pass(compute, output | flags))
        return passes

    def _chunks(self, depth: int) -> list[tuple[int, int]]:
        """First byte and count of bytes of each pass."""
        chunks, first = [], 0
        while first < depth:
            most = min(self.config.macro.rows, depth - first)
            taken = most if self._chance(0.8) else 1 + self._below(most)
            chunks.append((first, taken))
            first += taken
        return chunks

    def _scaling(self, channels: int) -> Fields:
        """How results are scaled and clipped."""
        width = self.config.requantisers
        start = self._below((len(self._channels) - channels) // width + 1)
        low, high = sorted(int(v) for v in self._random.integers(-128, 128, 2))
        wide = self._chance(0.8)
        return {
            "channels": channels,
            "channel": self._channels.start + width * start,
            "rounding": self._roundings[self._below(len(self._roundings))],
            "zero_point": self._walks.zero_point(),
            "clamp_low": -128 if wide else low,
            "clamp_high": 127 if wide else high,
        }

    def _pass(self, compute: Fields, requantise: Fields) -> _Pass:
        bank = self._below(self.config.macro.banks)
        compute |= {"bank": bank, "zero_point": self._walks.zero_point()}
        if self.config.macro.skip_zero_planes:
            compute |= self._skipping(compute["zero_point"])
        self._check(compute, requantise)
        computes, requantises = [compute], [requantise]
        rows, split = compute["out_height"], compute["split"]
        if rows > 1 and split and self._chance(0.3):
            # What is computed at once is taken at once.
            first = 1 + self._below(rows - 1)
            words = -(-requantise["channels"] // self.config.requantisers)
            computes = self._walks.split(compute, first)
            requantises = self._walks.split_output(requantise, first, words)
        elif rows > 1 and not split and self._chance(0.3):
            computes = self._walks.split(compute, 1 + self._below(rows - 1))
        elif rows > 1 and not split and self._chance(0.4):
            words = -(-requantise["channels"] // self.config.requantisers)
            requantises = self._walks.split_output(requantise, 1 + self._below(rows - 1), words)
        loads = self._loads(bank, compute["depth"]) if self._chance(0.9) else []
        return _Pass(bank, loads, computes, requantises, self._chance(0.7))

    def _skipping(self, zero_point: int) -> Fields:
        """Whether planes are skipped, and padding that often leaves it at that."""
        return {
            "skip_zero_planes": int(self._chance(0.8)),
            "zero_point": -128 + self._below(3) if self._chance(0.6) else zero_point,
        }

    def _check(self, compute: Fields, requantise: Fields) -> None:
        """Refuse a pass that is illegal, or whose results meet windows that are yet to be read."""
        reads = Compute(0, Descriptor(Opcode.COMPUTE, compute), self.config).reads
        writes = Requantise(0, Descriptor(Opcode.REQUANTISE, requantise), self.config).writes
        _, read, written = np.intersect1d(reads.addresses, writes.addresses, return_indices=True)
        if np.any(reads.vectors[read] > writes.vectors[written]):
            raise ProgramError("results overwrite windows")

    def _loads(self, bank: int, depth: int) -> list[Fields]:
        """The weights of a pass, or now and then of any row groups, in one go or two."""
        macro, size = self.config.macro, self.config.group_bytes
        groups, first = min(-(-depth // macro.rows_per_group), len(self._weights) // size), 0
        if self._chance(0.2):
            groups, first = 1 + self._below(groups), self._below(macro.groups + 1)
        mask, most = self._below(1 << self.config.macros), len(self._weights) // (size * groups)
        # Beyond the highest macro of the first part there are macros for so many others.
        beyond = self.config.macros - mask.bit_length() if mask else 0
        parts = 1 + self._below(min(most, beyond + 1))
        split = 1 + self._below(groups - 1) if groups > 1 and self._chance(0.3) else groups
        place = self._weights.place(groups * parts * size, self.config.weight_port, self._random)
        load = {"bank": bank, "macros": mask, "parts": parts if parts > 1 else self._below(2)}
        loads = [load | {"group": first, "groups": split, "address": place}]
        if split < groups:
            second = {"group": first + split, "groups": groups - split}
            loads.append(load | {"address": place + split * parts * size} | second)
        return loads

    def _load(self, current: _Pass, loaded: set[int], index: int) -> None:
        if index in loaded:
            return
        loaded.add(index)
        for fields in current.loads:
            self._fetch(Opcode.LOAD_WEIGHTS, fields)
            load = self.builder.add(Opcode.LOAD_WEIGHTS, fields)
            self._fetches.order(self.builder, load)
            if current.bank in self._last_compute:
                self.builder.link(self._last_compute[current.bank], load)
            self._link_any(load)
            self._last_load[current.bank] = load
            self._settled.append(load)
            # Row groups are written one after the other, or between vectors of the bank.
            cycles = self.config.load_interval + self.config.macro.fill_cycles + 16
            self.cycles += fields["groups"] * max(1, fields["parts"]) * cycles

    def _fetch(self, opcode: Opcode, load: Fields) -> None:
        """Maybe have what a load reads come from external memory."""
        number = self._fetches.before(self.builder, opcode, load)
        if number is not None:
            self._link_any(number, 0.5)
            self._settled.append(number)

    def _emit(self, current: _Pass) -> None:
        computes: list[int] = []
        others: list[int] = []
        writers = [self._writers(fields) for fields in current.computes]
        for kind in (0, 1) if current.vectors_first else (1, 0):
            if kind == 0:
                computes += self._emit_computes(current, writers)
            else:
                others += [self._add_vector(Opcode.REQUANTISE, f) for f in current.requantises]
        self._last_compute[current.bank] = computes[-1]
        for number, fields in zip(others, current.requantises, strict=True):
            written = Requantise(0, Descriptor(Opcode.REQUANTISE, fields), self.config).writes
            self._last_writer[written.addresses] = number
        self._settled += [*computes, *others]

    def _emit_computes(self, current: _Pass, writers: list[int]) -> list[int]:
        numbers = []
        for fields, writer in zip(current.computes, writers, strict=True):
            numbers.append(compute := self.builder.add(Opcode.COMPUTE, fields))
            if current.bank in self._last_load:
                self.builder.link(self._last_load[current.bank], compute)
            if writer >= 0:
                self.builder.link(writer, compute)
            self._link_any(compute)
            vectors = fields["out_width"] * fields["out_height"]
            self._budget -= vectors
            self.cycles += vectors * (2 * fields["depth"] + 40)
        return numbers

    def _writers(self, compute: Fields) -> int:
        """The last descriptor that writes what this one reads, or -1."""
        reads = Compute(0, Descriptor(Opcode.COMPUTE, compute), self.config).reads.addresses
        return int(self._last_writer[reads].max(initial=-1))

    # Layers of the vector engine, and what all have in common -----------------------------------

    def _vector(self) -> None:
        layer, operation = self._legal_vector_layer()
        if (layer.load is not None) * (1 + self._fetches.most) + 1 > self._room:
            raise ProgramError("the program would be too long")
        bank = layer.fields.get("bank", 0)
        if layer.load is not None:
            self._fetch(Opcode.LOAD_TAPS, layer.load)
            self._last_kernels[bank] = load = self.builder.add(Opcode.LOAD_TAPS, layer.load)
            self._fetches.order(self.builder, load)
            if bank in self._last_depthwise:
                self.builder.link(self._last_depthwise[bank], load)
            self._settled.append(load)
            self.cycles += layer.load["taps"] * self.config.tap_words + 40
        number = self._add_vector(layer.opcode, layer.fields)
        if layer.opcode is Opcode.DEPTHWISE:
            self._last_depthwise[bank] = number
            if bank in self._last_kernels:
                self.builder.link(self._last_kernels[bank], number)
        self._last_writer[operation.writes.addresses] = number
        self._settled.append(number)

    def _legal_vector_layer(self) -> tuple[VectorLayer, Operation]:
        """A layer of a kind that is drawn first: windows are less often legal than additions."""
        kind = self._vector_layers.kind()
        for _ in range(30):
            with contextlib.suppress(ProgramError, DescriptorError):
                layer = self._vector_layers.draw(kind, self._walks)
                descriptor = Descriptor(layer.opcode, layer.fields)
                return layer, OPERATIONS[layer.opcode](0, descriptor, self.config)
        raise ProgramError(f"no legal {kind.name} found")

    def _add_vector(self, opcode: Opcode, fields: Fields) -> int:
        stamp = int(self._chance(0.4))
        index = self._below(self.config.stamps) if stamp else 0
        number = self.builder.add(opcode, fields | {"stamp": stamp, "stamp_index": index})
        self._link_any(number)
        vectors = fields.get("out_width", 1) * fields.get("out_height", 1)
        taps = fields.get("kernel_width", 1) * fields.get("kernel_height", 1)
        self._budget -= vectors
        reads = fields["channels"] * taps if "channels" in fields else 2 * fields["bytes"]
        self.cycles += vectors * (2 * reads + 40)
        return number

    def _link_any(self, number: int, probability: float = 0.2) -> None:
        """Now and then wait for something that need not be waited for."""
        if self._settled and self._chance(probability):
            recent = self._settled[-8:]
            self.builder.link(recent[self._below(len(recent))], number)

    def _below(self, limit: int) -> int:
        return int(self._random.integers(limit))

    def _chance(self, probability: float) -> bool:
        return bool(self._random.random() < probability)


def parameters(
    random: np.random.Generator, count: int, *, any_multiplier: bool,
    typical: float | NDArray[np.float64],
) -> NDArray[np.uint32]:
    """Random parameters of some channels, shape (count, 4); `typical` is a usual sum's size.

    Most bring usual sums into the range of int8; some are powers of two, where ties are frequent;
    some are extreme.
    """
    wanted = np.log2(typical / 50.0) + random.normal(0, 1.5, count)
    shift = np.clip(np.floor(wanted), 0, 31).astype(np.int64)
    multiplier = random.integers(1 << 30, 1 << 31, count)
    multiplier = np.where(random.random(count) < 0.2, 1 << 30, multiplier)
    bias = random.normal(0, typical, count).astype(np.int64)
    odd = random.random(count) < 0.1
    multiplier = np.where(odd, random.choice([0, 128, 1 << 30, (1 << 31) - 128], count), multiplier)
    shift = np.where(odd, random.integers(0, 32, count), shift)
    extreme = random.random(count) < 0.1
    bias = np.where(extreme, random.integers(-1 << 31, 1 << 31, count), bias)
    if not any_multiplier:
        multiplier &= ~127
    columns = (bias & 0xFFFFFFFF, multiplier, shift, np.zeros(count, np.int64))
    return np.stack(columns, axis=1).astype(np.uint32)
