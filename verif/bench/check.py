# SPDX-License-Identifier: Apache-2.0
"""Checks that also hold where Python leaves `assert` out, and the scoreboard that counts them."""

from collections import deque
from typing import Any

__all__ = ["InOrderScoreboard", "require"]


def require(holds: bool, message: str) -> None:
    """Raise AssertionError with `message` unless `holds`."""
    if not holds:
        raise AssertionError(message)


class InOrderScoreboard:
    """Compares what comes with what was expected, in order. It knows nothing of either.

    Parameters
    ----------
    name : str
        Names the stream in messages.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.matched = 0
        self._expected: deque[Any] = deque()

    @property
    def pending(self) -> int:
        """How many are expected and have not come."""
        return len(self._expected)

    def expect(self, value: Any) -> None:
        """What must come after all that is expected already."""
        self._expected.append(value)

    def observe(self, value: Any) -> None:
        """What came."""
        place = f"{self.name}, item {self.matched}"
        if not self._expected:
            raise AssertionError(f"{place}: nothing was expected, but {_short(value)} came")
        expected = self._expected.popleft()
        if value != expected:
            raise AssertionError(f"{place}: {_difference(value, expected)}")
        self.matched += 1

    def clear(self) -> None:
        """Expect nothing, as after a reset."""
        self._expected.clear()

    def finish(self, *, at_least: int = 1) -> None:
        """Require that all has come, and that it was not too little to mean anything."""
        require(not self.pending, f"{self.name}: {self.pending} expected items never came")
        require(
            self.matched >= at_least,
            f"{self.name}: only {self.matched} items were checked, at least {at_least} are needed",
        )


def _difference(value: Any, expected: Any) -> str:
    if isinstance(value, list) and isinstance(expected, list) and len(value) == len(expected):
        wrong = [index for index, pair in enumerate(zip(value, expected, strict=True))
                 if pair[0] != pair[1]]
        first = wrong[0]
        return (
            f"{len(wrong)} of {len(value)} elements differ, the first at index {first}: "
            f"{value[first]} came, {expected[first]} was expected"
        )
    return f"{_short(value)} came, {_short(expected)} was expected"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:197]}..."
