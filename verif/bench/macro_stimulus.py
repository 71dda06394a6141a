# SPDX-License-Identifier: Apache-2.0
"""Payloads for a macro's streams, random and extreme. It knows ranges and nothing of results."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...hdl.macro.config import MacroConfig

__all__ = ["INPUTS", "WEIGHTS", "WIDE_WEIGHTS", "MacroStimulus"]

Array = NDArray[np.int64]
Payload = dict[str, Any]

#: Kinds of weights and inputs that `MacroStimulus` can make; the wide ones are extreme weights of
#: fused columns.
WEIGHTS = ("lowest", "highest", "mixed", "sparse", "random")
WIDE_WEIGHTS = ("wide_lowest", "wide_highest")
INPUTS = ("zero", "ones", "top", "below_top", "mixed", "sparse", "small", "random")


class MacroStimulus:
    """Makes payloads within the contract of one configuration.

    Parameters
    ----------
    config : MacroConfig
    seed : int
    """

    def __init__(self, config: MacroConfig, seed: int) -> None:
        self.config = config
        self.random = np.random.default_rng(seed)

    def below(self, limit: int) -> int:
        """A random number from 0 to ``limit - 1``."""
        return int(self.random.integers(limit))

    def chance(self, probability: float) -> bool:
        """True that often."""
        return bool(self.random.random() < probability)

    # Weights -------------------------------------------------------------------------------------

    @property
    def weight_kinds(self) -> tuple[str, ...]:
        """The kinds of weights that this configuration has."""
        return WEIGHTS + (WIDE_WEIGHTS if self.config.fusion > 1 else ())

    def weights(self, kind: str = "") -> Array:
        """A row group's weights, also of rows that only fill it up; of a random kind by default."""
        config = self.config
        shape = (config.rows_per_group, config.columns)
        limit = 1 << config.weight_bits - 1
        everything = self.random.integers(-limit, limit, shape)
        kinds = self.weight_kinds
        match kind or kinds[self.below(len(kinds))]:
            case "lowest":
                return np.full(shape, -limit)
            case "highest":
                return np.full(shape, limit - 1)
            case "mixed":
                some = self.random.choice([-limit, limit - 1, -1, 0, 1], shape)
                return np.clip(some, -limit, limit - 1)
            case "sparse":
                return everything * (self.random.random(shape) < 0.2)
            case "wide_lowest":
                return np.broadcast_to(np.where(self._has_sign(), -limit, 0), shape)
            case "wide_highest":
                return np.broadcast_to(np.where(self._has_sign(), limit - 1, -1), shape)
        return everything

    def _has_sign(self) -> NDArray[np.bool_]:
        """Which columns hold the sign bits, where as many as can be are fused."""
        return np.arange(self.config.columns) % self.config.fusion == self.config.fusion - 1

    def write(
        self, *, group: int | None = None, bank: int | None = None, kind: str = ""
    ) -> Payload:
        """A row group to write; any group, now and then one that does not exist."""
        config = self.config
        if group is None:
            beyond = self.chance(0.1)
            group = self.below(1 << config.group_bits if beyond else config.groups)
        return {
            "weights": self.weights(kind).tolist(),
            "group": group,
            "bank": self.bank() if bank is None else bank,
        }

    def all_weights(self, kind: str = "") -> list[Payload]:
        """Every row group of every bank, once; none where weights cannot be written."""
        if not self.config.is_writable:
            return []
        return [
            self.write(group=group, bank=bank, kind=kind)
            for bank in range(self.config.banks)
            for group in range(self.config.groups)
        ]

    # Vectors -------------------------------------------------------------------------------------

    def bank(self) -> int:
        """Any value of a bank field; where there is one bank, both values mean it."""
        return self.below(1 << self.config.bank_bits)

    def inputs(self, bits: int, kind: str = "") -> Array:
        """Input words of which the lowest `bits` count; those above them are random."""
        config = self.config
        used, every = (1 << bits) - 1, (1 << config.input_bits) - 1
        words = self.random.integers(0, every, config.rows, endpoint=True)
        top = 1 << bits - 1
        match kind or INPUTS[self.below(len(INPUTS))]:
            case "zero":
                counted = np.zeros_like(words)
            case "ones":
                counted = np.full_like(words, used)
            case "top":
                counted = np.full_like(words, top)
            case "below_top":
                counted = np.full_like(words, top - 1)
            case "mixed":
                counted = self.random.choice([0, used, top, top - 1], config.rows)
            case "sparse":
                counted = words * (self.random.random(config.rows) < 0.2)
            case "small":
                counted = words & (1 << self.below(bits)) - 1
            case _:
                counted = words
        return (words & ~used | counted & used) & every

    def vector(
        self,
        *,
        bits: int | None = None,
        signed: int | None = None,
        bank: int | None = None,
        first: int = 1,
        last: int = 1,
        fused: int | None = None,
        kind: str = "",
    ) -> Payload:
        """A vector; of any precision, now and then of more planes than inputs have bits."""
        config = self.config
        if bits is None:
            beyond = self.chance(0.1)
            bits = 1 + self.below(1 << config.plane_bits if beyond else config.input_bits)
        return {
            "data": self.inputs(bits, kind).tolist(),
            "top_plane": bits - 1,
            "signed": self.below(2) if signed is None else signed,
            "bank": self.bank() if bank is None else bank,
            "first": first,
            "last": last,
            "fused": self.below(config.fusion) if fused is None else fused,
        }

    def accumulation(self, length: int, **fields: Any) -> list[Payload]:
        """That many vectors with one output; their other fields random or as given."""
        last = length - 1
        return [
            self.vector(first=int(index == 0), last=int(index == last), **fields)
            for index in range(length)
        ]

    def vectors(self, count: int) -> list[Payload]:
        """At least `count` vectors in accumulations of random lengths.

        Where every vector is an accumulation by itself, `first` and `last` are random.
        """
        limit = self.config.accumulations
        made: list[Payload] = []
        while len(made) < count:
            if limit == 1:
                made.append(self.vector(first=self.below(2), last=self.below(2)))
                continue
            # Three have one that is neither first nor last; more than `limit` may wrap.
            length = 1 + self.below(max(3, min(limit, 8)))
            made += self.accumulation(length)
            if length > 1 and self.chance(0.1):
                # A vector with `first` begins anew and drops the sum that is under way.
                made[1 - length]["first"] = 1
        return made

    def read(self, *, row: int | None = None, bank: int | None = None) -> Payload:
        """A row to read back; any row, now and then one that does not exist."""
        config = self.config
        if row is None:
            beyond = self.chance(0.1)
            row = self.below(1 << config.row_bits if beyond else config.rows)
        return {"row": row, "bank": self.bank() if bank is None else bank}
