# SPDX-License-Identifier: Apache-2.0
"""The wrapper around an NPU as options of a command."""

from typing import Annotated

import typer

from ...hdl.link.config import (
    DEFAULT_BAUD,
    DEFAULT_BUFFER,
    DEFAULT_CLOCK,
    DEFAULT_DEPTH,
    Protocol,
    WrapperConfig,
)

__all__ = [
    "BaudOption", "BufferOption", "ClockOption", "DepthOption", "WrapperOption", "wrapper_of",
]

WrapperOption = Annotated[
    str,
    typer.Option(
        help=f"What an NPU speaks at its ports: {', '.join(each.value for each in Protocol)}.",
        metavar="NAME",
    ),
]
DepthOption = Annotated[
    int,
    typer.Option(help="Words in each of the two FIFOs of the wrapper axi-lite.", metavar="WORDS"),
]
ClockOption = Annotated[
    int,
    typer.Option(help="Frequency of the clock of the wrapper uart, in Hz.", metavar="HZ"),
]
BaudOption = Annotated[
    int,
    typer.Option(help="Bits a second on the line of the wrapper uart.", metavar="BAUD"),
]
BufferOption = Annotated[
    int,
    typer.Option(
        help="Words in each of the two buffers of the wrapper uart: a power of two, 128 to 2048.",
        metavar="WORDS",
    ),
]


def wrapper_of(
    protocol: str, fifo_depth: int = DEFAULT_DEPTH, clock_hz: int = DEFAULT_CLOCK,
    baud: int = DEFAULT_BAUD, buffer_words: int = DEFAULT_BUFFER,
) -> WrapperConfig:
    """The wrapper that the options ask for.

    Raises ConfigError, which names the option's value and what is allowed.
    """
    fields = {
        "protocol": protocol, "fifo_depth": fifo_depth, "clock_hz": clock_hz, "baud": baud,
        "buffer_words": buffer_words,
    }
    return WrapperConfig.from_mapping(fields, source="--wrapper")
