# SPDX-License-Identifier: Apache-2.0
"""The streams of an NPU's Verilog under a simulator, word by word: packets need not be sound."""

from collections.abc import Sequence

from ...hdl.errors import CimpleError
from ...hdl.npu.config import NpuConfig
from ...verif.bench.simulators import SIMULATORS
from ...verif.fuzz.link import Exchange, Stalls
from .build import Progress
from .device import DeviceError
from .icarus import build_icarus
from .pipe import LineProcess
from .verilator import build_verilator

__all__ = ["WordLink", "open_words"]


class WordLink(LineProcess):
    """A `verif.fuzz.link.Link` to a process that `drivers/words.cpp` or `words.v` is part of."""

    def exchange(
        self, words: Sequence[int], *, limit: int, stalls: Stalls, reset: int = 0
    ) -> Exchange:
        """As the protocol says. Raises DeviceError if the process has ended."""
        numbers = (reset, limit, stalls.idle, stalls.hold, stalls.seed, len(words), *words)
        answer = self.ask(" ".join(f"{number:x}" for number in numbers))
        try:
            *came, cycles, left, owed, withdrawn = (int(word, 16) for word in answer.split())
        except ValueError:
            raise DeviceError(f"{self.name}: not an answer: {answer[:60]!r}") from None
        return Exchange(came, cycles, left, owed, withdrawn)


def open_words(
    simulator: str, config: NpuConfig, progress: Progress = lambda message: None
) -> WordLink:
    """The NPU's streams under one of `SIMULATORS`, to be used in a `with` statement.

    Raises:
        CimpleError: the simulator is unknown or missing, or does not take the design; or the NPU
            has an external port.
    """
    if config.external_port:
        raise CimpleError(
            f"{config.name}: nothing drives external memory here; set external_port to 0"
        )
    if simulator == "verilator":
        program, environment = build_verilator(config, "words.cpp", progress)
        return WordLink(simulator, [program], environment)
    if simulator == "icarus":
        command, environment = build_icarus(config, "words.v", progress)
        return WordLink(simulator, command, environment)
    raise CimpleError(f"simulator must be one of {', '.join(SIMULATORS)}, not {simulator!r}")
