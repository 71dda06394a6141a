# SPDX-License-Identifier: Apache-2.0
"""Random FETCHes before loads, ordered as data need it: what is loaded is there, and not too early.
"""

import numpy as np

from ...hdl.npu.config import NpuConfig
from ...hdl.npu.isa import Descriptor, Opcode
from ..golden.program import OPERATIONS
from .program_builder import ProgramBuilder
from .walks import Fields

__all__ = ["Fetches"]

#: Cycles that a beat of external memory surely does not exceed, pauses included.
_BEAT_CYCLES = 40


class Fetches:
    """Adds descriptors that fetch some or all of what a load is going to read, and more around it.

    Parameters
    ----------
    config : NpuConfig
    random : numpy.random.Generator
        Nothing is drawn where there is no external memory.
    external : int
        Bytes of external memory; 0: none.

    Attributes
    ----------
    most : int
        Descriptors that `before` adds at most.
    cycles : int
        Cycles that those added so far surely do not exceed.
    """

    def __init__(self, config: NpuConfig, random: np.random.Generator, external: int) -> None:
        self._config, self._random, self._external = config, random, external
        self.most = 1 if external else 0
        self.cycles = 0
        #: The loads and fetches so far, with the bytes of the weight memory that they touch.
        self._loads: list[tuple[int, range]] = []
        self._made: list[tuple[int, range]] = []
        self._place = range(0)

    def before(self, builder: ProgramBuilder, opcode: Opcode, load: Fields) -> int | None:
        """Maybe fetch for the load that is added next; the number of the descriptor that does."""
        if not self._external:
            return None
        descriptor = Descriptor(opcode, load)
        self._place = OPERATIONS[opcode](0, descriptor, self._config).stored_weights_touched
        if self._random.random() < 0.3:
            return None
        place = self._near(self._place)
        fields = {"source": self._source(len(place)), "address": place.start, "bytes": len(place)}
        number = builder.add(Opcode.FETCH, fields)
        for load_number in _meeting(self._loads, place):
            builder.link(load_number, number)
        self._made.append((number, place))
        self.cycles += len(place) // self._config.external_port * _BEAT_CYCLES + 200
        return number

    def order(self, builder: ProgramBuilder, number: int) -> None:
        """Let the load just added, of this number, wait for what it reads."""
        if not self._external:
            return
        for fetch in _meeting(self._made, self._place):
            builder.link(fetch, number)
        self._loads.append((number, self._place))

    def _near(self, place: range) -> range:
        """Beats that begin and end near the ends of a place."""
        port, size = self._config.external_port, self._config.weight_bytes
        start = max(0, place.start // port + int(self._random.integers(-3, 4)))
        stop = min(size // port, -(-place.stop // port) + int(self._random.integers(-3, 4)))
        start = min(start, size // port - 1)
        return range(port * start, port * max(stop, start + 1))

    def _source(self, size: int) -> int:
        """Where in external memory, often just before a page of 4 KiB ends."""
        port = self._config.external_port
        last = (self._external - size) // port
        if self._random.random() < 0.5 and self._external > 4096 + size:
            page = 4096 // port * int(self._random.integers(1, self._external // 4096))
            return port * min(last, max(0, page - int(self._random.integers(0, size // port + 1))))
        return port * int(self._random.integers(0, last + 1))


def _meeting(others: list[tuple[int, range]], place: range) -> list[int]:
    """The last of those that touch a byte of a place, if there is one."""
    meets = [n for n, at in others if at.start < place.stop and place.start < at.stop]
    return meets[-1:]
