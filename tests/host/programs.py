# SPDX-License-Identifier: Apache-2.0
"""A small compiled network, and devices that misbehave."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

from cimple.compiler.compile import compile_network
from cimple.host.assemble import assemble
from cimple.host.program import ProgramFile
from tests.compiler.networks import NetworkBuilder, npu

__all__ = ["ScriptedDevice", "small_network", "small_program"]


def small_network() -> NetworkBuilder:
    """A convolution, a pool and a fully connected layer, about a kilobyte in all."""
    return NetworkBuilder([2, 4, 4], 3).conv(3, (3, 3)).max_pool((2, 2)).flatten().gemm(2)


def small_program(directory: Path, *, keep_all: bool = False, **changes: Any) -> ProgramFile:
    """It, compiled for a small NPU."""
    path = small_network().save(directory / "net.onnx")
    return assemble(compile_network(path, npu(**changes), keep_all=keep_all))


class ScriptedDevice:
    """Answers what a function of the request says."""

    name = "scripted"
    cycles_by = "nobody"

    def __init__(self, answer: Callable[[Sequence[int]], list[int]]) -> None:
        self.answer = answer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        """Nothing is held."""

    def load_external(self, data: bytes) -> None:
        """There is none, and no test asks for it."""
        raise NotImplementedError

    def notes(self) -> tuple[str, ...]:
        return ()

    def transact(self, words: Sequence[int]) -> list[int]:
        return self.answer(words)
