# SPDX-License-Identifier: Apache-2.0
"""What a design takes and what a part has, in the same columns."""

from typing import NamedTuple

__all__ = ["RESOURCES", "Capacity"]

#: Names of the columns of `Capacity`.
RESOURCES = ("sites", "FF", "block RAM", "DSP")


class Capacity(NamedTuple):
    """Numbers of LUT4 positions, flip-flops, block RAMs and DSP blocks."""

    sites: int
    ff: int
    rams: int
    dsps: int

    def binding(self, part: "Capacity") -> tuple[str, float]:
        """The resource of which the largest share of a part is taken, and that share."""
        shares = [taken / there for taken, there in zip(self, part, strict=True)]
        largest = max(range(len(shares)), key=shares.__getitem__)
        return RESOURCES[largest], shares[largest]
