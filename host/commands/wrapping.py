# SPDX-License-Identifier: Apache-2.0
"""The wrapper around an NPU as options of a command."""

from typing import Annotated

import typer

from ...hdl.link.config import DEFAULT_DEPTH, Protocol, WrapperConfig

__all__ = ["DepthOption", "WrapperOption", "wrapper_of"]

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


def wrapper_of(protocol: str, fifo_depth: int = DEFAULT_DEPTH) -> WrapperConfig:
    """The wrapper that the options ask for.

    Raises ConfigError, which names the option's value and what is allowed.
    """
    fields = {"protocol": protocol, "fifo_depth": fifo_depth}
    return WrapperConfig.from_mapping(fields, source="--wrapper")
