# SPDX-License-Identifier: Apache-2.0
"""Cycles of a queue of descriptors and its tokens."""

from collections import deque
from enum import Enum, auto

from ...hdl.npu.config import NpuConfig
from ...hdl.npu.isa import WORDS, Descriptor, Queue

__all__ = ["QueueTiming", "Tokens"]

#: How many tokens are there, by giver and taker.
Tokens = dict[tuple[Queue, Queue], int]


class _State(Enum):
    COLLECT = auto()
    WAIT = auto()
    START = auto()
    RUN = auto()
    GIVE = auto()


class QueueTiming:
    """Control of a `DescriptorQueue`.

    Attributes
    ----------
    descriptor : Descriptor or None
        The one that is collected, waits or is at work.
    """

    def __init__(self, queue: Queue, config: NpuConfig) -> None:
        self._queue = queue
        self._most_words = WORDS * config.queue_depth
        self._words = 0
        self._state = _State.COLLECT
        self._collected = 0
        self._coming: deque[Descriptor] = deque()
        self.descriptor: Descriptor | None = None

    def announce(self, descriptor: Descriptor) -> None:
        """The words that come next are this descriptor's."""
        self._coming.append(descriptor)

    @property
    def has_room(self) -> bool:
        """A word is taken in this cycle."""
        return self._words < self._most_words

    @property
    def is_busy(self) -> bool:
        """The engine has a descriptor at work."""
        return self._state is _State.RUN

    @property
    def is_empty(self) -> bool:
        """Nothing waits, nothing is at work."""
        return self._state is _State.COLLECT and not self._words and not self._collected

    def cycle(self, has_word: bool, done: bool, tokens: Tokens) -> Descriptor | None:
        """One cycle; the descriptor that starts in it, if one does.

        `tokens` are those of this cycle; what is given and taken is for `exchange` to say.
        """
        started = None
        match self._state:
            case _State.COLLECT:
                if self._words:
                    self._words -= 1
                    self._collected += 1
                    if self._collected == WORDS:
                        self._collected = 0
                        self.descriptor = self._coming.popleft()
                        self._state = _State.WAIT
            case _State.WAIT:
                assert self.descriptor is not None
                if all(tokens[giver, self._queue] for giver in self.descriptor.waits_for()):
                    self._state = _State.START
            case _State.START:
                started = self.descriptor
                self._state = _State.RUN
            case _State.RUN:
                if done:
                    self._state = _State.GIVE
            case _State.GIVE:
                self._state = _State.COLLECT
        self._words += has_word
        return started

    @property
    def gives(self) -> list[tuple[Queue, Queue]]:
        """The tokens that are given in this cycle."""
        if self._state is not _State.GIVE:
            return []
        assert self.descriptor is not None
        return [(self._queue, taker) for taker in self.descriptor.signals()]
