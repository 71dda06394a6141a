# SPDX-License-Identifier: Apache-2.0
"""What every device can do: answer one packet at a time."""

from collections.abc import Sequence
from typing import Protocol, Self

from ...hdl.errors import CimpleError

__all__ = ["Device", "DeviceError"]


class DeviceError(CimpleError):
    """A device that cannot be opened, is gone, or answers what it should not."""


class Device(Protocol):
    """An NPU that can be spoken to; a context manager that lets go of it at the end."""

    #: As the user calls it.
    name: str
    #: What counts its clock cycles, as "the NPU's counters".
    cycles_by: str

    def transact(self, words: Sequence[int]) -> list[int]:
        """Send one request packet and return its answer, as 32-bit words.

        Raises DeviceError if the device is gone or does not answer.
        """
        ...

    def load_external(self, data: bytes) -> None:
        """Put data into external memory, from address 0 on.

        Raises DeviceError if the device has no such memory, or not enough of it.
        """
        ...

    def notes(self) -> tuple[str, ...]:
        """What the user should know of the way to the device, a line each; nothing if all is well.
        """
        ...

    def __enter__(self) -> Self:
        """Open the device."""
        ...

    def __exit__(self, *details: object) -> None:
        """Let go of it."""
        ...
