# SPDX-License-Identifier: Apache-2.0
"""Descriptors in program order, and the tokens that make one wait for another."""

from typing import Any

from ...hdl.npu.isa import Descriptor, Opcode, Queue

__all__ = ["ProgramBuilder"]


class ProgramBuilder:
    """A program under construction. Descriptors are known by their numbers, from 0.

    It must be safe to wait for what is older: a program in which nothing waits for what comes
    later in it cannot come to a stop.
    """

    def __init__(self) -> None:
        self._opcodes: list[Opcode] = []
        self._fields: list[dict[str, int]] = []
        # For each pair of queues: givers and takers, both ascending, as tokens are a queue too.
        self._pairs: dict[tuple[Queue, Queue], list[tuple[int, int]]] = {}

    def __len__(self) -> int:
        return len(self._opcodes)

    def add(self, opcode: Opcode, fields: dict[str, int]) -> int:
        """Append a descriptor; its number."""
        self._opcodes.append(opcode)
        self._fields.append(dict(fields))
        return len(self) - 1

    def queue(self, number: int) -> Queue:
        """The queue of a descriptor."""
        queue = self._opcodes[number].queue
        assert queue is not None
        return queue

    def link(self, before: int, after: int) -> None:
        """Let the latest descriptor of its queue, `after`, wait for the end of an older one."""
        giver, taker = self.queue(before), self.queue(after)
        if giver == taker:
            return
        pairs = self._pairs.setdefault((giver, taker), [])
        if pairs and pairs[-1][0] >= before:
            return  # What is older than `after` waits for it already.
        if pairs and pairs[-1][1] == after:
            pairs.pop()  # A later end says more, and there is one token of a kind to wait for.
        pairs.append((before, after))

    def finish(self, *, stuck: bool = False) -> list[Descriptor]:
        """All descriptors and an END; if `stuck`, one before it that waits in vain."""
        descriptors = [
            Descriptor(opcode, fields | self._tokens(number))
            for number, (opcode, fields) in enumerate(zip(self._opcodes, self._fields, strict=True))
        ]
        if stuck:
            descriptors.append(_vain())
        return [*descriptors, Descriptor(Opcode.END, {})]

    def _tokens(self, number: int) -> dict[str, int]:
        wait = signal = 0
        for (giver, taker), pairs in self._pairs.items():
            for before, after in pairs:
                signal |= (before == number) << taker
                wait |= (after == number) << giver
        return {"wait": wait, "signal": signal}


def _vain() -> Descriptor:
    """A copy of a byte onto itself that waits for a token which nobody gives."""
    fields: dict[str, Any] = {"wait": 1 << Queue.LOAD, "row_bytes": 1, "height": 1}
    ones = ("out_width", "out_height", "kernel_width", "kernel_height", "channels")
    return Descriptor(Opcode.MAX_POOL, fields | dict.fromkeys(ones, 1))
