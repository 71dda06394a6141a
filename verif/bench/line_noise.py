# SPDX-License-Identifier: Apache-2.0
"""Faults of a serial line: what can become of the bytes of a frame on their way."""

from collections import Counter
from collections.abc import Callable, Sequence
from random import Random

from .serial_line import BREAK, Symbol, bits_of, raw

__all__ = ["LineNoise"]

_Fault = Callable[[list[Symbol]], list[Symbol]]


class LineNoise:
    """Puts at most one fault into each frame, now and then.

    Parameters
    ----------
    random : Random
    rate : float
        Share of the frames that get one.
    has_bits : bool
        Whether bits are seen: then start and stop bits can be wrong and the line be broken.

    Attributes
    ----------
    events : Counter
        Faults so far, by kind.
    is_on : bool
        Without it frames pass as they are.
    """

    def __init__(self, random: Random, rate: float, *, has_bits: bool) -> None:
        self.random = random
        self.rate = rate
        self.events: Counter[str] = Counter()
        self.is_on = True
        self._before: list[Symbol] = []
        self._kinds: dict[str, _Fault] = {
            "bit flipped": self._flip,
            "bits flipped": self._flip_many,
            "byte dropped": self._drop,
            "bytes dropped": self._drop_many,
            "byte repeated": self._repeat,
            "frame repeated": lambda frame: frame + frame,
            "frame before repeated": lambda frame: frame + self._before,
            "frame lost": lambda frame: [],
            "frame cut": lambda frame: frame[: self._place(frame)],
            "garbage before": lambda frame: self._garbage() + frame,
            "garbage within": self._garble,
            "garbage behind": lambda frame: frame + self._garbage(),
        }
        if has_bits:
            self._kinds |= {
                "line bit flipped": self._flip_line,
                "break before": lambda frame: BREAK + frame,
                "break within": lambda frame: self._insert(frame, BREAK),
            }

    def pass_on(self, frame: Sequence[Symbol]) -> list[Symbol]:
        """What arrives of the bytes of a frame."""
        whole = list(frame)
        if not frame or not self.is_on or self.random.random() >= self.rate:
            self._before = whole or self._before
            return whole
        kind = self.random.choice(list(self._kinds))
        self.events[kind] += 1
        changed = self._kinds[kind](whole)
        self._before = whole
        return changed

    def forget(self) -> None:
        """Repeat no frame from before: no line keeps one until another session."""
        self._before = []

    def _place(self, frame: Sequence[Symbol]) -> int:
        return self.random.randrange(len(frame))

    def _flip(self, frame: list[Symbol]) -> list[Symbol]:
        frame = list(frame)
        frame[self._place(frame)] ^= 1 << self.random.randrange(8)
        return frame

    def _flip_many(self, frame: list[Symbol]) -> list[Symbol]:
        for _ in range(self.random.randint(2, 6)):
            frame = self._flip(frame)
        return frame

    def _flip_line(self, frame: list[Symbol]) -> list[Symbol]:
        frame = list(frame)
        place = self._place(frame)
        frame[place] = raw(bits_of(frame[place]) ^ 1 << self.random.choice((0, 9)))
        return frame

    def _drop(self, frame: list[Symbol]) -> list[Symbol]:
        place = self._place(frame)
        return frame[:place] + frame[place + 1 :]

    def _drop_many(self, frame: list[Symbol]) -> list[Symbol]:
        place = self._place(frame)
        return frame[:place] + frame[place + self.random.randint(2, 9) :]

    def _repeat(self, frame: list[Symbol]) -> list[Symbol]:
        place = self._place(frame)
        return frame[:place] + frame[place : place + 1] + frame[place:]

    def _garble(self, frame: list[Symbol]) -> list[Symbol]:
        return self._insert(frame, self._garbage())

    def _insert(self, frame: list[Symbol], symbols: list[Symbol]) -> list[Symbol]:
        place = self._place(frame)
        return frame[:place] + symbols + frame[place:]

    def _garbage(self) -> list[Symbol]:
        """Bytes among which zeros are often."""
        count = self.random.choice((1, 3, 8, 20, 60))
        return [
            0 if self.random.random() < 0.1 else self.random.randrange(256) for _ in range(count)
        ]
