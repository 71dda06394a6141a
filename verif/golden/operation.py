# SPDX-License-Identifier: Apache-2.0
"""What all operations have in common: a descriptor, what it touches, and what it does."""

from collections import deque
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ...hdl.errors import CimpleError
from ...hdl.npu.config import NpuConfig
from ...hdl.npu.isa import Descriptor, Opcode, Queue
from .macro import MacroModel
from .memories import Memories

__all__ = ["Footprint", "Operation", "Outputs", "ProgramError", "State"]

Addresses = NDArray[np.int64]


class ProgramError(CimpleError):
    """A program whose result the hardware does not promise."""


@dataclass(frozen=True)
class Outputs:
    """Vectors that the macros have computed with a bank, shape (vectors, columns of their macros).

    `known`: the outputs whose weights can be predicted.
    """

    sums: NDArray[np.int64]
    known: NDArray[np.bool_]
    bank: int

    def __len__(self) -> int:
        return len(self.sums)

    def split_at(self, count: int) -> tuple["Outputs", "Outputs"]:
        """The first `count` vectors, and the others."""
        return (
            Outputs(self.sums[:count], self.known[:count], self.bank),
            Outputs(self.sums[count:], self.known[count:], self.bank),
        )


@dataclass
class State:
    """All that operations read and write."""

    memories: Memories
    macros: list[MacroModel]
    #: Rows of each macro's banks whose weights can be predicted.
    rows_known: NDArray[np.bool_]
    #: What nobody has taken yet.
    stream: deque[Outputs] = field(default_factory=deque)
    #: Of each COMPUTE of this run, by its number: planes of its rounds that met the array.
    planes: dict[int, list[int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Footprint:
    """Bytes of the activation memory that an operation touches, and with which of its vectors.

    `addresses` are sorted, each once. `vectors` are the last that reads each of them, or the first
    that writes it.
    """

    addresses: Addresses
    vectors: Addresses

    @classmethod
    def nothing(cls) -> "Footprint":
        """No bytes."""
        return cls(np.zeros(0, np.int64), np.zeros(0, np.int64))

    @classmethod
    def of_reads(cls, addresses: Addresses, vectors: Addresses) -> "Footprint":
        """Of reads by vectors in ascending order."""
        found, last = np.unique(addresses[::-1], return_index=True)
        return cls(found, vectors[::-1][last])

    @classmethod
    def of_writes(cls, addresses: Addresses, vectors: Addresses) -> "Footprint":
        """Of writes by vectors in ascending order."""
        found, first = np.unique(addresses, return_index=True)
        return cls(found, vectors[first])


#: Bytes or taps of one descriptor.
_MOST_ACCESSES = 1 << 26
#: Rows of an image, or bytes of its rows, that positions of taps surely count: 17 bits and a sign.
_HIGHEST_POSITION = (1 << 17) - 1


class Operation:
    """One descriptor at its place in a program. Subclasses say what it does.

    Raises ProgramError where a field is outside what the hardware promises to carry out.
    """

    opcode: ClassVar[Opcode]

    def __init__(self, number: int, descriptor: Descriptor, config: NpuConfig) -> None:
        self.number = number
        self.descriptor = descriptor
        self.config = config
        queue = descriptor.opcode.queue
        assert queue is not None
        self.queue: Queue = queue
        self._check_header()

    def __str__(self) -> str:
        return f"descriptor {self.number} ({self.descriptor.opcode.name})"

    @property
    def vectors(self) -> int:
        """Output vectors, or pixels of a pool; none of loads and additions."""
        return self.descriptor["out_width"] * self.descriptor["out_height"]

    @cached_property
    def reads(self) -> Footprint:
        """What it reads from the activation memory."""
        return Footprint.nothing()

    @cached_property
    def writes(self) -> Footprint:
        """What it writes to the activation memory."""
        return Footprint.nothing()

    @property
    def weights_touched(self) -> tuple[int, range]:
        """Bank and row groups whose weights it needs or replaces."""
        return 0, range(0)

    @property
    def kernels_touched(self) -> tuple[int, range]:
        """Bank and taps of the depthwise kernels that it needs or replaces."""
        return 0, range(0)

    @property
    def stored_weights_touched(self) -> range:
        """Bytes of the weight memory that it reads or replaces."""
        return range(0)

    def execute(self, state: State) -> None:
        """Do it."""
        raise NotImplementedError

    def forget(self, state: State) -> None:
        """Mark as unknown whatever it may have changed by the time it was cut short."""
        state.memories.unknown[self.writes.addresses] = True

    def error(self, text: str) -> ProgramError:
        """The error to raise, with the descriptor's place and kind before its text."""
        return ProgramError(f"{self}: {text}")

    def require(self, name: str, low: int, high: int, reason: str) -> None:
        """Refuse a field outside `low` to `high`; `reason` says where the bounds come from."""
        value = self.descriptor[name]
        if not low <= value <= high:
            if high < low:
                raise self.error(f"{name} cannot be {value}: {reason}")
            raise self.error(f"{name} must be between {low} and {high} ({reason}), not {value}")

    def require_at_least_one(self, *names: str) -> None:
        """Refuse counts of zero."""
        for name in names:
            if self.descriptor[name] < 1:
                raise self.error(f"{name} must be at least 1, not 0")

    def require_multiple(self, name: str, unit: int, reason: str) -> None:
        """Refuse a field that is not a multiple of `unit`."""
        value = self.descriptor[name]
        if value % unit:
            raise self.error(f"{name} must be a multiple of {unit} ({reason}), not {value}")

    def require_in_memory(self, addresses: Addresses) -> None:
        """Refuse an access beyond the activation memory."""
        size = self.config.activation_bytes
        if np.any(outside := addresses >= size):
            raise self.error(
                f"address {addresses[outside][0]:#x} is beyond the activation memory, which has "
                f"activation_bytes = {size}"
            )

    def require_tractable(self, accesses: int) -> None:
        """Refuse what would take the model gigabytes: no network comes near."""
        if accesses > _MOST_ACCESSES:
            raise self.error(f"makes {accesses} accesses, more than this model's {_MOST_ACCESSES}")

    def require_in_reach(self, rows: Addresses, offsets: Addresses) -> None:
        """Refuse windows further from their image than positions have bits for."""
        d = self.descriptor
        for name, origin, step, count, taps in (
            ("x", "origin_x", "step_x", "out_width", offsets),
            ("y", "origin_y", "step_y", "out_height", rows),
        ):
            highest = d[origin] + (d[count] - 1) * d[step] + int(taps.max())
            if highest > _HIGHEST_POSITION:
                raise self.error(f"windows reach {name} = {highest}, beyond {_HIGHEST_POSITION}")

    def require_known(self, memories: Memories, index: Addresses) -> None:
        """Refuse to read activations that cannot be predicted."""
        if memories.unknown.any() and memories.unknown[index].any():
            raise self.error("reads activations that an ended program left undefined")

    def _check_header(self) -> None:
        for name, queues in (
            ("wait", self.descriptor.waits_for()),
            ("signal", self.descriptor.signals()),
        ):
            if self.queue in queues:
                raise self.error(f"{name} must not name its own queue, {self.queue.name}")
            if Queue.FETCH in queues and not self.config.external_port:
                raise self.error(f"{name} must not name FETCH, as the NPU has no external port")
        if self.descriptor["stamp"]:
            if self.queue is not Queue.VECTOR:
                raise self.error("stamp must be 0, as only the VECTOR queue leaves time stamps")
            self.require("stamp_index", 0, self.config.stamps - 1, "the time stamps")
