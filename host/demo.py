# SPDX-License-Identifier: Apache-2.0
"""The digits network on whichever device is asked for: what stands behind `cimple demo`'s page.

One request at a time, over all devices. A device is opened when it is first asked for, and again
after it was lost.
"""

import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..hdl.errors import CimpleError
from ..hdl.link.config import DEFAULT_BAUD
from .client import Inference, NpuClient
from .devices.build import Progress
from .devices.device import Device, DeviceError
from .devices.pipe import DEFAULT_TIMEOUT
from .devices.table import DEVICES, open_device
from .drawing import SIDE
from .program import ProgramFile

__all__ = ["CLASSES", "FULL_SCALE", "Classifier", "Reading"]

#: Digits; and what is black in an image, which the network takes as 1.
CLASSES, FULL_SCALE = 10, 16

#: One grey image, channels first or last.
_SHAPES = ((1, SIDE, SIDE), (SIDE, SIDE, 1))


@dataclass(frozen=True)
class Reading:
    """What a device made of an image."""

    image: NDArray[np.int64]
    scores: NDArray[np.float32]
    device: str
    cycles: int
    cycles_by: str
    #: Name, operator and cycles of each layer, in order.
    layers: tuple[tuple[str, str, int], ...]
    #: Of the computer's time, for all of it.
    seconds: float

    @property
    def prediction(self) -> int:
        """The digit with the highest score, the lowest of them if there are two."""
        return int(self.scores.argmax())

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "prediction": self.prediction,
            "scores": self.scores.tolist(),
            "pixels": self.image.reshape(-1).tolist(),
            "device": self.device,
            "cycles": self.cycles,
            "cycles_by": self.cycles_by,
            "layers": [
                {"name": name, "kind": kind, "cycles": cycles}
                for name, kind, cycles in self.layers
            ],
            "seconds": round(self.seconds, 4),
        }


class Classifier:
    """A program, and the devices on which it runs.

    Parameters
    ----------
    program : ProgramFile
        Of a network from one grey image of 8 x 8 floats to ten numbers.
    device : str
        The first device; it is opened at once.
    baud : int
        Bits a second of a serial port.
    progress
        Told what takes time until it is open.
    """

    def __init__(
        self, program: ProgramFile, device: str, *, baud: int = DEFAULT_BAUD,
        progress: Progress = lambda message: None,
    ) -> None:
        source, result = program.manifest.input, program.manifest.output
        if source.shape not in _SHAPES or source.dtype != "float32" or result.shape != (CLASSES,):
            raise CimpleError(
                f"{program.manifest.model_name}: the page draws digits: the network must take one "
                f"float32 image of {SIDE} x {SIDE} and give {CLASSES} values, not "
                f"{source.dtype} {list(source.shape)} and {list(result.shape)}; use the network "
                "in examples/digits"
            )
        self.program = program
        self._baud = baud
        self.devices = tuple(dict.fromkeys([device, *DEVICES]))
        self.first = device
        self._open: dict[str, tuple[Device, NpuClient]] = {}
        self._turn = threading.Lock()
        self._busy = ""
        self._client(device, progress)

    @property
    def busy(self) -> str:
        """What is going on, for whoever waits; empty when nothing is."""
        return self._busy

    def classify(self, image: NDArray[np.int64], device: str) -> Reading:
        """Run one image, [8, 8] of 0 to 16. Waits until all earlier ones are done.

        Raises CimpleError if there is no such device, if it cannot be opened, or is lost.
        """
        if device not in self.devices:
            raise DeviceError(f"device must be one of {', '.join(self.devices)}, not {device!r}")
        with self._turn:
            started = time.perf_counter()
            try:
                client = self._client(device, self._say)
                self._say(f"{device}: running")
                result = client.infer(self._batch(image))
            except BaseException:
                # Whatever state it is in, the next request begins with a new one.
                self._drop(device)
                raise
            finally:
                self._say("")
            return self._reading(image, result, device, time.perf_counter() - started)

    def close(self) -> None:
        """Let go of all devices at once, whatever they are doing."""
        for device in tuple(self._open):
            self._drop(device)

    def _say(self, message: str) -> None:
        self._busy = message

    def _client(self, name: str, progress: Progress) -> NpuClient:
        """The client of an open device that holds the program."""
        if name not in self._open:
            progress(f"{name}: starting")
            made = open_device(
                name, self.program.config, timeout=DEFAULT_TIMEOUT, baud=self._baud,
                progress=lambda what: progress(f"{name}: {what}"),
            )
            device = made.__enter__()
            self._open[name] = device, NpuClient(device)
            try:
                progress(f"{name}: loading the program")
                self._open[name][1].load(self.program)
            except BaseException:
                self._drop(name)
                raise
        return self._open[name][1]

    def _drop(self, name: str) -> None:
        device, _ = self._open.pop(name, (None, None))
        if device is not None:
            with suppress(CimpleError, OSError):
                # As after an interrupt: it is not waited for.
                device.__exit__(KeyboardInterrupt, None, None)

    def _batch(self, image: NDArray[np.int64]) -> NDArray[np.float32]:
        scaled = (image / FULL_SCALE).astype(np.float32)
        return scaled.reshape(1, *self.program.manifest.input.shape)

    def _reading(
        self, image: NDArray[np.int64], result: Inference, device: str, seconds: float
    ) -> Reading:
        kinds = {layer.name: layer.kind for layer in self.program.manifest.layers}
        spent = result.layer_cycles[0].tolist()
        return Reading(
            image, result.outputs[0], device, int(result.cycles[0]), result.cycles_by,
            tuple(
                (name, kinds[name], cycles)
                for name, cycles in zip(result.layers, spent, strict=True)
            ),
            seconds,
        )
