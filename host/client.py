# SPDX-License-Identifier: Apache-2.0
"""An NPU as a host sees it: requests with checked answers, loading of programs, inference."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..hdl.npu.config import WORD_BYTES
from ..hdl.npu.packets import (
    COUNTERS,
    IDENTITY_WORDS,
    MAGIC,
    Counter,
    Memory,
    Request,
    Response,
    Status,
    address,
    header,
)
from .devices.device import Device, DeviceError
from .identity import check_identity
from .manifest import LayerEntry, TensorPlace
from .operators import apply_steps, deinterleave
from .program import EXTERNAL, ProgramFile

__all__ = ["Counters", "Inference", "NpuClient"]

#: Words of one WRITE or READ; a header can count to 65535.
CHUNK_WORDS = 4096


@dataclass(frozen=True)
class Counters:
    """Counters of the last run, and the time stamps that runs have left."""

    values: dict[Counter, int]
    stamps: tuple[int, ...]


@dataclass
class Inference:
    """What a batch came to.

    `outputs` has the batch first; `cycles` has one number an image; `layer_cycles` has the time
    from the end of the layer before, a row an image, for each of `layers`; `cycles_by` says what
    counted them. `planes` has the planes that met the array, one number an image.
    """

    outputs: NDArray[Any]
    cycles: NDArray[np.int64]
    layers: tuple[str, ...]
    layer_cycles: NDArray[np.int64]
    cycles_by: str
    planes: NDArray[np.int64]
    #: What the user should know of the way to the device.
    notes: tuple[str, ...] = ()
    #: The input's and every layer's int8 values by tensor name, if they were asked for.
    tensors: dict[str, NDArray[np.int8]] = field(default_factory=dict)


class NpuClient:
    """Speaks to one device. All methods raise DeviceError on an answer that is not as it should be.

    Parameters
    ----------
    device : Device
        Open, and not used by anybody else.
    """

    def __init__(self, device: Device) -> None:
        self.device = device
        self._tag = 0
        self._program: ProgramFile | None = None

    # Requests -----------------------------------------------------------------------------------

    def identify(self) -> tuple[int, ...]:
        """Words of `hdl.npu.packets.identity`."""
        words = self._ask(Request.IDENTIFY, words=IDENTITY_WORDS)
        if words[0] != MAGIC:
            raise DeviceError(
                f"{self.device.name}: not a Cimple NPU: IDENTIFY gives {words[0]:#010x}, "
                f"not {MAGIC:#010x}"
            )
        return words

    def write(self, memory: Memory, offset: int, data: bytes) -> None:
        """Write bytes from byte `offset` on, both whole words."""
        for start, words in _chunks(data):
            place = address(memory, offset + start)
            self._ask(Request.WRITE, [place, *words], count=len(words))

    def read(self, memory: Memory, offset: int, size: int) -> bytes:
        """Read `size` bytes from byte `offset` on; the offset is a multiple of 4."""
        data = b""
        while len(data) < size:
            count = min(CHUNK_WORDS, -(-(size - len(data)) // WORD_BYTES))
            place = address(memory, offset + len(data))
            words = self._ask(Request.READ, [place], count=count, words=count)
            data += np.array(words, "<u4").tobytes()
        return data[:size]

    def run(self, entry: int = 0) -> int:
        """Run the program from a descriptor on; the cycles it took."""
        return self._ask(Request.RUN, [entry], words=1)[0]

    def sync(self, word: int = 0) -> None:
        """Check that the device echoes a word."""
        (echo,) = self._ask(Request.SYNC, [word], words=1)
        if echo != word:
            raise DeviceError(f"{self.device.name}: SYNC of {word:#x} came back as {echo:#x}")

    def reset(self) -> None:
        """End whatever runs; memories keep their contents."""
        self._ask(Request.RESET)

    def counters(self) -> Counters:
        """Counters of the last run, and all time stamps."""
        words = self._ask(Request.COUNTERS)
        if len(words) < COUNTERS:
            raise DeviceError(f"{self.device.name}: COUNTERS gives only {len(words)} words")
        values = {counter: words[counter] for counter in Counter}
        return Counters(values, tuple(words[COUNTERS:]))

    def _ask(
        self, request: Request, body: Sequence[int] = (), *, count: int = 0,
        words: int | None = None,
    ) -> tuple[int, ...]:
        """Send a request; its answer's words, of which there must be `words` if given."""
        self._tag = (self._tag + 1) % 256
        answer = self.device.transact([header(request, self._tag, count), *body])
        try:
            response = Response.parse(answer)
        except ValueError as error:
            raise DeviceError(f"{self.device.name}: {request.name}: {error}") from None
        if (response.request, response.tag) != (request, self._tag):
            raise DeviceError(
                f"{self.device.name}: the answer is for request {response.request} with tag "
                f"{response.tag}, not for {request.name} with tag {self._tag}; reset the device"
            )
        if response.status is not Status.OK:
            detail = ", ".join(f"{word:#x}" for word in response.words)
            raise DeviceError(
                f"{self.device.name}: {request.name} was refused: {response.status.name} ({detail})"
            )
        if words is not None and len(response.words) != words:
            raise DeviceError(
                f"{self.device.name}: {request.name} must give {words} words, not "
                f"{len(response.words)}"
            )
        return response.words

    # Programs -----------------------------------------------------------------------------------

    def load(self, program: ProgramFile) -> None:
        """Write a program into the device's memories.

        Raises DeviceError if it was compiled for another NPU; nothing is written then.
        """
        check_identity(self.identify(), program.config, self.device.name)
        self._program = None
        for name, part in program.manifest.parts.items():
            if name == EXTERNAL[0]:
                self.device.load_external(program.parts[name])
                continue
            self.write(Memory[part.memory], part.offset, program.parts[name])
        self._program = program

    def infer(
        self, batch: NDArray[Any], *, keep_tensors: bool = False,
        progress: Callable[[], None] = lambda: None,
    ) -> Inference:
        """Run the loaded program on each image of a batch.

        Args:
            batch: images as the network's input wants them, the batch first.
            keep_tensors: read the input and every layer's result too; the program must be
                compiled with `keep_all`.
            progress: called after each image.
        """
        program = self._program
        if program is None:
            raise DeviceError(f"{self.device.name}: no program is loaded")
        manifest = program.manifest
        if keep_tensors and not manifest.keep_all:
            raise DeviceError(
                "results of layers were overwritten; compile the network with --keep-all"
            )
        images = apply_steps(manifest.input.steps, batch)
        stamped = tuple(layer for layer in manifest.layers if layer.stamp is not None)
        outputs, cycles, stamps, planes = [], [], [], []
        places = [manifest.input.tensor, *(layer.result for layer in manifest.layers)]
        kept = {place.name: place for place in places} if keep_tensors else {}
        tensors: dict[str, list[NDArray[np.int8]]] = {name: [] for name in kept}
        for image in images:
            self._write_tensor(manifest.input.tensor, image)
            cycles.append(self.run(manifest.entry))
            outputs.append(self._read_tensor(manifest.output.tensor))
            counters = self.counters()
            stamps.append(_layer_cycles(counters.stamps, stamped))
            planes.append(counters.values[Counter.PLANES])
            for name, place in kept.items():
                tensors[name].append(self._read_tensor(place))
            progress()
        return Inference(
            apply_steps(manifest.output.steps, _stack(outputs, manifest.output.tensor)),
            np.array(cycles, np.int64),
            tuple(layer.name for layer in stamped),
            np.array(stamps, np.int64).reshape(len(images), len(stamped)),
            self.device.cycles_by,
            np.array(planes, np.int64),
            self.device.notes(),
            {name: _logical(tensors[name], place) for name, place in kept.items()},
        )

    def _write_tensor(self, place: TensorPlace, image: NDArray[np.int8]) -> None:
        data = image.tobytes()
        self.write(Memory.ACTIVATIONS, place.address, data + bytes(-len(data) % WORD_BYTES))

    def _read_tensor(self, place: TensorPlace) -> NDArray[np.int8]:
        return np.frombuffer(self.read(Memory.ACTIVATIONS, place.address, place.size), np.int8)


def _layer_cycles(stamps: Sequence[int], layers: Sequence[LayerEntry]) -> list[int]:
    """Cycles from stamp to stamp."""
    ends = [stamps[layer.stamp] for layer in layers if layer.stamp is not None]
    return [end - before for before, end in zip([0, *ends], ends, strict=False)]


def _chunks(data: bytes) -> Iterator[tuple[int, list[int]]]:
    words = np.frombuffer(data, "<u4")
    for start in range(0, len(words), CHUNK_WORDS):
        yield WORD_BYTES * start, words[start : start + CHUNK_WORDS].tolist()


def _stack(rows: Sequence[NDArray[np.int8]], place: TensorPlace) -> NDArray[np.int8]:
    return np.array(rows, np.int8).reshape(len(rows), place.size)


def _logical(rows: Sequence[NDArray[np.int8]], place: TensorPlace) -> NDArray[np.int8]:
    return deinterleave(_stack(rows, place), place.planes, place.shape)
