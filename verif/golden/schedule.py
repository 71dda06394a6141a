# SPDX-License-Identifier: Apache-2.0
"""In which order the operations of a program may run, and which of them surely precede which.

The sequencer hands descriptors to their queues in program order; each queue's engine runs them one
by one; tokens and the stream of vectors hold them up. Any order that respects this may happen, so
`Schedule` draws one from a seed, and keeps for each operation a vector clock (Fidge 1988; Mattern
1989): how many operations of each queue have surely ended when it starts and when it has ended.
The clocks do not depend on the order drawn.
"""

import random
from collections import deque
from collections.abc import Callable, Sequence

from ...hdl.npu.config import NpuConfig
from ...hdl.npu.isa import Opcode, Queue
from .operation import Operation, ProgramError

__all__ = ["MOST_TOKENS", "Schedule"]

Clock = tuple[int, ...]

#: Tokens of a kind that may be outstanding.
MOST_TOKENS = 255
#: Vectors that the macro surely holds while nobody takes one. It may hold more; a program that
#: needs that is not safe.
_VECTORS_HELD = 1

_START: Clock = (0,) * len(Queue)


def _join(*clocks: Clock) -> Clock:
    return tuple(map(max, zip(*clocks, strict=True)))


class Schedule:
    """One possible order of a program's operations, and what is true of all orders.

    Raises ProgramError on a deadlock, on tokens or vectors left over at the end, and where more
    than 255 tokens of a kind may be outstanding.

    Attributes
    ----------
    order : list of Operation
        As they may be executed, one at a time.
    start, end : dict from Operation to tuple of int
        Operations of each queue that have ended for certain when it starts, when it has ended.
    place : dict from Operation to int
        Its place in its queue, from 0.
    first_vector : dict from Operation to int
        For COMPUTE and REQUANTISE the number of its first vector in the stream.
    """

    def __init__(self, operations: Sequence[Operation], config: NpuConfig, seed: int = 0) -> None:
        self._operations = operations
        self._depth = config.queue_depth
        self._random = random.Random(seed)
        self._next = 0
        self._queues: dict[Queue, deque[Operation]] = {queue: deque() for queue in Queue}
        self._engines: dict[Queue, Operation | None] = dict.fromkeys(Queue)
        self._ended: dict[Queue, list[Operation]] = {queue: [] for queue in Queue}
        self._tokens: dict[tuple[Queue, Queue], deque[Clock]] = {
            (giver, taker): deque() for giver in Queue for taker in Queue if giver != taker
        }
        self._computes: list[Operation] = []
        self._produced = self._taken = self._claimed = 0
        self.order: list[Operation] = []
        self.start: dict[Operation, Clock] = {}
        self.end: dict[Operation, Clock] = {}
        self.place: dict[Operation, int] = {}
        self.first_vector: dict[Operation, int] = {}
        while actions := self._actions():
            self._random.choice(actions)()
        self._check_finished()
        self._check_token_counts()

    # What may happen next -----------------------------------------------------------------------

    def _actions(self) -> list[Callable[[], None]]:
        actions: list[Callable[[], None]] = []
        if self._next < len(self._operations):
            queue = self._queues[self._operations[self._next].queue]
            if len(queue) < self._depth:
                actions.append(self._dispatch)
        for queue in Queue:
            running = self._engines[queue]
            if running is not None:
                if self._may_end(running):
                    actions.append(lambda queue=queue: self._finish(queue))
            elif self._queues[queue] and not self._missing(self._queues[queue][0]):
                actions.append(lambda queue=queue: self._begin(queue))
        return actions

    def _missing(self, operation: Operation) -> list[Queue]:
        """Queues whose tokens it waits for in vain."""
        waits = operation.descriptor.waits_for()
        return [giver for giver in waits if not self._tokens[giver, operation.queue]]

    def _may_end(self, operation: Operation) -> bool:
        match operation.descriptor.opcode:
            case Opcode.COMPUTE:
                return self._taken >= self._last_vector(operation) + 1 - _VECTORS_HELD
            case Opcode.REQUANTISE:
                return self._produced > self._last_vector(operation)
        return True

    def _last_vector(self, operation: Operation) -> int:
        return self.first_vector[operation] + operation.vectors - 1

    # What happens -------------------------------------------------------------------------------

    def _dispatch(self) -> None:
        operation = self._operations[self._next]
        self._queues[operation.queue].append(operation)
        self._next += 1

    def _begin(self, queue: Queue) -> None:
        operation = self._queues[queue].popleft()
        self._engines[queue] = operation
        before = self._ended[queue]
        givers = operation.descriptor.waits_for()
        tokens = [self._tokens[giver, queue].popleft() for giver in givers]
        self.start[operation] = _join(*(self.end[last] for last in before[-1:]), *tokens, _START)
        self.place[operation] = len(before)
        if operation.descriptor.opcode is Opcode.COMPUTE:
            self._computes.append(operation)
            self.first_vector[operation] = self._produced
            self._produced += operation.vectors
        elif operation.descriptor.opcode is Opcode.REQUANTISE:
            self.first_vector[operation] = self._claimed
            self._claimed += operation.vectors
        if queue is not Queue.VECTOR:
            self.order.append(operation)
        self._taken = min(self._produced, self._claimed)

    def _finish(self, queue: Queue) -> None:
        operation = self._engines[queue]
        assert operation is not None
        self._engines[queue] = None
        own = tuple(self.place[operation] + 1 if q is queue else 0 for q in Queue)
        self.end[operation] = _join(self.start[operation], own)
        if operation.descriptor.opcode is Opcode.REQUANTISE:
            self.end[operation] = _join(self.end[operation], self._stream_clock(operation))
        if queue is Queue.VECTOR:
            self.order.append(operation)
        self._ended[queue].append(operation)
        for taker in operation.descriptor.signals():
            self._tokens[queue, taker].append(self.end[operation])

    def _stream_clock(self, requantise: Operation) -> Clock:
        """What has surely ended when its last vector was taken."""
        last = self._last_vector(requantise)
        giver = next(c for c in reversed(self._computes) if self.first_vector[c] <= last)
        ended = self.place[giver] + (self._last_vector(giver) <= last)
        return _join(self.start[giver], tuple(ended if q is giver.queue else 0 for q in Queue))

    # What must not be ---------------------------------------------------------------------------

    def _check_finished(self) -> None:
        waiting = []
        for queue in Queue:
            if (running := self._engines[queue]) is not None:
                waiting.append(self._why_running(running))
            elif self._queues[queue]:
                head = self._queues[queue][0]
                givers = " and ".join(giver.name for giver in self._missing(head))
                waiting.append(f"{head} waits for a token from {givers}")
        if self._next < len(self._operations):
            blocked = self._operations[self._next]
            waiting.append(f"{blocked} waits for room in the {blocked.queue.name} queue")
        if waiting:
            raise ProgramError(f"the program comes to a stop: {'; '.join(waiting)}")
        for (giver, taker), tokens in self._tokens.items():
            if tokens:
                raise ProgramError(
                    f"tokens left over at END: {len(tokens)} from {giver.name} to {taker.name}"
                )
        if self._produced > self._claimed:
            raise ProgramError(
                f"vectors left over at END: {self._produced} computed, {self._claimed} requantised"
            )

    def _why_running(self, operation: Operation) -> str:
        first, count = self.first_vector[operation], operation.vectors
        if operation.descriptor.opcode is Opcode.COMPUTE:
            taken = max(0, self._taken - first)
            return f"{operation} waits until its vectors are taken: {taken} of {count} were"
        came = max(0, self._produced - first)
        return f"{operation} waits for vectors: {came} of {count} came"

    def _check_token_counts(self) -> None:
        """Count, for each token, how many before it may not have been taken yet."""
        for giver, taker in self._tokens:
            waits, count = [0], 0
            for operation in self._ended[taker]:
                waits.append(waits[-1] + (giver in operation.descriptor.waits_for()))
            for operation in self._ended[giver]:
                count += taker in operation.descriptor.signals()
                if count - waits[self.end[operation][taker]] > MOST_TOKENS:
                    raise ProgramError(
                        f"{operation}: more than {MOST_TOKENS} tokens from {giver.name} to "
                        f"{taker.name} may be outstanding"
                    )
