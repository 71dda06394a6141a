# SPDX-License-Identifier: Apache-2.0
"""A device at a pseudo terminal: the golden NPU behind the model of the link, with faults."""

import contextlib
import os
import pty
import random
import select
import threading
from collections.abc import Callable, Sequence
from typing import Self

from cimple.hdl.npu.config import NpuConfig
from cimple.verif.golden.npu import NpuModel
from cimple.verif.golden.serial_link import LinkModel

__all__ = ["PtyDevice", "noise"]


class PtyDevice:
    """Serves `port` from a thread, as a context manager.

    `answer` stands for the NPU, `garble` changes what comes and what goes.
    """

    def __init__(
        self, config: NpuConfig, *, answer: Callable[[Sequence[int]], Sequence[int]] | None = None,
        garble: Callable[[bytes], bytes] = lambda data: data,
    ) -> None:
        self.npu = NpuModel(config)
        self.link = LinkModel(answer or self.npu.transact, clock_hz=100_000_000)
        self._garble = garble
        self._master, self._slave = pty.openpty()
        self.port = os.ttyname(self._slave)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *details: object) -> None:
        self._stop.set()
        self._thread.join()
        for end in (self._master, self._slave):
            with contextlib.suppress(OSError):
                os.close(end)

    def unplug(self) -> None:
        """Let the port go away."""
        self._stop.set()
        self._thread.join()
        os.close(self._master)

    def _serve(self) -> None:
        while not self._stop.is_set():
            if select.select([self._master], [], [], 0.02)[0]:
                data = self._garble(os.read(self._master, 4096))
                answer = self._garble(self.link.receive(data))
                while answer and not self._stop.is_set():
                    answer = answer[os.write(self._master, answer[:512]) :]


def noise(seed: int, rate: float) -> Callable[[bytes], bytes]:
    """What drops, changes and adds bytes now and then."""
    source = random.Random(seed)

    def garble(data: bytes) -> bytes:
        changed = bytearray(data)
        if changed and source.random() < rate:
            place = source.randrange(len(changed))
            kind = source.randrange(3)
            if kind == 0:
                changed[place] ^= 1 << source.randrange(8)
            elif kind == 1:
                del changed[place : place + source.randint(1, 9)]
            else:
                changed[place:place] = source.randbytes(source.randint(1, 30))
        return bytes(changed)

    return garble
