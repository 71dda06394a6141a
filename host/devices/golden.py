# SPDX-License-Identifier: Apache-2.0
"""The golden model as a device: exact, fast, and without a clock."""

from collections.abc import Sequence
from typing import Self

from ...hdl.npu.config import NpuConfig
from ...verif.golden.npu import NpuModel

__all__ = ["GoldenDevice", "golden_device"]


class GoldenDevice:
    """An NPU as NumPy computes it; it also checks that the program's tokens order all accesses."""

    name = "golden"
    counts_cycles = False

    def __init__(self, config: NpuConfig) -> None:
        self.model = NpuModel(config)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *details: object) -> None:
        """Nothing is held."""

    def transact(self, words: Sequence[int]) -> list[int]:
        """Answer one request packet. Raises ProgramError for a program that is not defined."""
        return self.model.transact(words)


def golden_device(config: NpuConfig, **unused: object) -> GoldenDevice:
    """The golden model; it needs no build, and has no cycles to count."""
    return GoldenDevice(config)
