# SPDX-License-Identifier: Apache-2.0
"""What stands around an NPU in generated Verilog. It is no part of the NPU's own configuration.

A program is compiled for an NPU and refused by another, which the digest of the configuration
tells. It runs behind any wrapper, so the wrapper must not change that digest.
"""

import enum
from typing import Annotated, Literal

from pydantic import Field, model_validator

from ..config import Config

__all__ = [
    "DEFAULT_BAUD", "DEFAULT_BUFFER", "DEFAULT_CLOCK", "DEFAULT_DEPTH", "Protocol",
    "WrapperConfig",
]

#: Words that each FIFO of the AXI4-Lite wrapper holds unless something else is asked for.
DEFAULT_DEPTH = 16

#: Clock and baud rate of the serial link unless something else is asked for: an oscillator that is
#: on many boards, and a rate that every adapter from USB knows and that divides it.
DEFAULT_CLOCK, DEFAULT_BAUD = 12_000_000, 1_000_000

#: Words of each buffer of the serial link: what block RAM of an iCE40 or ECP5 has at least.
DEFAULT_BUFFER = 256

#: Clock cycles of a bit at least: below, the receiver cannot tell where a bit is.
MIN_DIVISOR = 6

#: How far the baud rate may be from what was asked for, in per cent; both sides have tolerance
#: for some more.
BAUD_TOLERANCE = 1


class Protocol(enum.Enum):
    """How the two streams of words appear at the ports of the top-level module."""

    #: As the NPU has them: `command__payload`, `command__valid` and so on, `clk` and `rst`.
    NONE = "none"
    #: A subordinate and a manager of AXI4-Stream.
    AXI_STREAM = "axi-stream"
    #: Registers of an AXI4-Lite subordinate.
    AXI_LITE = "axi-lite"
    #: Frames over a serial line.
    UART = "uart"


class WrapperConfig(Config):
    """The wrapper of an NPU: its protocol and what can be chosen of it."""

    protocol: Annotated[
        Protocol, Field(description="what the top-level module speaks at its ports")
    ] = Protocol.NONE
    fifo_depth: Annotated[
        int,
        Field(ge=2, le=1024, description="words in each of the two FIFOs behind the registers"),
    ] = DEFAULT_DEPTH

    clock_hz: Annotated[
        int, Field(ge=100_000, le=600_000_000, description="frequency of the clock, in Hz")
    ] = DEFAULT_CLOCK
    baud: Annotated[
        int, Field(ge=1200, le=12_000_000, description="bits a second on the serial line")
    ] = DEFAULT_BAUD
    buffer_words: Annotated[
        Literal[128, 256, 512, 1024, 2048],
        Field(description="words in each of the two buffers of the serial link"),
    ] = DEFAULT_BUFFER

    @model_validator(mode="after")
    def _check(self) -> "WrapperConfig":
        for name, owner in _OWNERS.items():
            is_default = getattr(self, name) == type(self).model_fields[name].default
            if not is_default and self.protocol is not owner:
                raise ValueError(
                    f"{name} is of the wrapper {owner.value} alone, and the wrapper is "
                    f"{self.protocol.value}; leave it out"
                )
        if self.protocol is Protocol.UART:
            self._check_baud()
        return self

    def _check_baud(self) -> None:
        clock, baud = self.clock_hz, self.baud
        if clock < MIN_DIVISOR * baud:
            raise ValueError(
                f"baud {baud} with clock_hz {clock}: a bit must take at least {MIN_DIVISOR} cycles "
                f"of the clock; {clock // MIN_DIVISOR} baud is the most"
            )
        error = abs(clock / self.divisor - baud) / baud
        if error > BAUD_TOLERANCE / 100:
            near = sorted({clock // (self.divisor + 1), clock // self.divisor})
            raise ValueError(
                f"baud {baud} with clock_hz {clock}: {self.divisor} cycles a bit are "
                f"{100 * error:.1f} % off, and {BAUD_TOLERANCE} % is allowed; the clock divides "
                f"to {' or '.join(map(str, near))} baud"
            )

    @property
    def divisor(self) -> int:
        """Clock cycles of a bit on the serial line."""
        return max(1, round(self.clock_hz / self.baud))

    @property
    def own_fields(self) -> tuple[str, ...]:
        """Names of the fields that mean something for this protocol, besides `protocol`."""
        return tuple(name for name, owner in _OWNERS.items() if owner is self.protocol)

    def top_name(self, name: str) -> str:
        """Name of the top-level module around an NPU of that `name`: no two modules share one."""
        suffix = "" if self.protocol is Protocol.NONE else f"_{self.protocol.value}"
        return name + suffix.replace("-", "_")


#: The wrapper that a field is of.
_OWNERS = {
    "fifo_depth": Protocol.AXI_LITE, "clock_hz": Protocol.UART, "baud": Protocol.UART,
    "buffer_words": Protocol.UART,
}
