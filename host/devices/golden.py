# SPDX-License-Identifier: Apache-2.0
"""The golden model as a device: exact, fast, with cycles by the cycle model."""

from collections.abc import Sequence
from typing import Self

from ...hdl.npu.config import NpuConfig
from ...verif.golden.npu import NpuModel
from ...verif.timing.npu import predict

__all__ = ["GoldenDevice", "golden_device"]


class GoldenDevice:
    """An NPU as NumPy computes it; it also checks that the program's tokens order all accesses."""

    name = "golden"
    cycles_by = "the cycle model"

    def __init__(self, config: NpuConfig) -> None:
        self.model = NpuModel(config, clock=predict)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        """Nothing is held."""

    def load_external(self, data: bytes) -> None:
        """Put data into external memory, from address 0 on."""
        self.model.load_external(data)

    def notes(self) -> tuple[str, ...]:
        """Nothing: there is no way to it."""
        return ()

    def transact(self, words: Sequence[int]) -> list[int]:
        """Answer one request packet. Raises ProgramError for a program that is not defined."""
        return self.model.transact(words)


def golden_device(config: NpuConfig, **unused: object) -> GoldenDevice:
    """The golden model; it needs no build."""
    return GoldenDevice(config)
