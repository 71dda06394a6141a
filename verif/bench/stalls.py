# SPDX-License-Identifier: Apache-2.0
"""When a driver holds its stream up: profiles, each an endless random sequence of cycles."""

from collections.abc import Callable, Iterator
from itertools import repeat
from random import Random

__all__ = ["PROFILES", "stalls"]


def _none(_random: Random) -> Iterator[bool]:
    # A `repeat` says of itself that it never changes, which lets a bench sleep.
    return repeat(False)


def _light(random: Random) -> Iterator[bool]:
    while True:
        yield random.random() < 0.2


def _heavy(random: Random) -> Iterator[bool]:
    while True:
        yield random.random() < 0.8


def _bursts(random: Random) -> Iterator[bool]:
    """Long runs of both, so that queues fill and drain and whole vectors meet a closed door."""
    while True:
        for held in (False, True):
            for _ in range(1 + int(random.expovariate(1 / 12))):
                yield held


PROFILES: dict[str, Callable[[Random], Iterator[bool]]] = {
    "none": _none,
    "light": _light,
    "heavy": _heavy,
    "bursts": _bursts,
}


def stalls(profile: str, random: Random) -> Iterator[bool]:
    """Whether the stream is held up, cycle by cycle: `none`, `light`, `heavy` or `bursts`."""
    return PROFILES[profile](random)
