# SPDX-License-Identifier: Apache-2.0
"""What stands around an NPU in generated Verilog. It is no part of the NPU's own configuration.

A program is compiled for an NPU and refused by another, which the digest of the configuration
tells. It runs behind any wrapper, so the wrapper must not change that digest.
"""

import enum
from typing import Annotated

from pydantic import Field, model_validator

from ..config import Config

__all__ = ["DEFAULT_DEPTH", "Protocol", "WrapperConfig"]

#: Words that each FIFO of the AXI4-Lite wrapper holds unless something else is asked for.
DEFAULT_DEPTH = 16


class Protocol(enum.Enum):
    """How the two streams of words appear at the ports of the top-level module."""

    #: As the NPU has them: `command__payload`, `command__valid` and so on, `clk` and `rst`.
    NONE = "none"
    #: A subordinate and a manager of AXI4-Stream.
    AXI_STREAM = "axi-stream"
    #: Registers of an AXI4-Lite subordinate.
    AXI_LITE = "axi-lite"


class WrapperConfig(Config):
    """The wrapper of an NPU: its protocol and what can be chosen of it."""

    protocol: Annotated[
        Protocol, Field(description="what the top-level module speaks at its ports")
    ] = Protocol.NONE
    fifo_depth: Annotated[
        int,
        Field(ge=2, le=1024, description="words in each of the two FIFOs behind the registers"),
    ] = DEFAULT_DEPTH

    @model_validator(mode="after")
    def _check(self) -> "WrapperConfig":
        if self.fifo_depth != DEFAULT_DEPTH and self.protocol is not Protocol.AXI_LITE:
            raise ValueError(
                f"fifo_depth is of the wrapper {Protocol.AXI_LITE.value} alone, and the wrapper is "
                f"{self.protocol.value}; leave it out"
            )
        return self

    def top_name(self, name: str) -> str:
        """Name of the top-level module around an NPU of that `name`: no two modules share one."""
        suffix = "" if self.protocol is Protocol.NONE else f"_{self.protocol.value}"
        return name + suffix.replace("-", "_")
