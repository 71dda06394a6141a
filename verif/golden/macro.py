# SPDX-License-Identifier: Apache-2.0
"""What a macro computes, in NumPy: one model for every cell.

It knows weights, vectors and sums, and nothing of planes, tables, trees or time. Calls are made in
the order of the transfers on the macro's streams; their arguments are the fields of the payloads.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...hdl.macro.config import MacroConfig

__all__ = ["MacroModel"]

Vector = NDArray[np.int64]


class MacroModel:
    """``out[c] = sum over vectors and rows of in[r] * w[r, c]``, exact.

    All weights are zero at first, as they are in simulation and in an FPGA; those of a rom are its
    own. Where there is one bank, `bank` is ignored, as the macro ignores it.

    Parameters
    ----------
    config : MacroConfig

    Attributes
    ----------
    weights : array of int64, shape (banks, rows, columns)
    skipped : int
        Steps that the vectors since the last reset did not need, where `skip_zero_planes` is set.
    """

    def __init__(self, config: MacroConfig) -> None:
        self.config = config
        self.weights = np.zeros((config.banks, config.rows, config.columns), np.int64)
        if not config.is_writable:
            self.weights[0] = np.array(config.rom_weights, np.int64)
        self.skipped = 0
        self._sum: Vector | None = None

    def write(self, group: int, bank: int, weights: ArrayLike) -> None:
        """Replace the weights of one row group.

        `weights` has shape (rows_per_group, columns), each weight in two's complement range. A
        group beyond the last changes nothing, nor do the rows that fill up the last group.
        """
        config = self.config
        rows = np.asarray(weights, np.int64)
        _require_shape("weights", rows, (config.rows_per_group, config.columns))
        limit = 1 << config.weight_bits - 1
        if rows.min() < -limit or rows.max() >= limit:
            raise ValueError(f"weights must be between {-limit} and {limit - 1}")
        first = group * config.rows_per_group
        real = max(0, min(config.rows_per_group, config.rows - first))
        if real:
            self.weights[self._bank(bank), first : first + real] = rows[:real]

    def vector(
        self, data: ArrayLike, top_plane: int, signed: int, bank: int, first: int, last: int,
        fused: int = 0,
    ) -> Vector | None:
        """Multiply one vector; the outputs, shape (columns,), if it is the last of its sum.

        The lowest ``top_plane + 1`` bits of each of the `data` (shape (rows,), unsigned words of
        `input_bits`) count, as unsigned or two's complement numbers; bits that the words do not
        have are zero. With ``accumulations == 1``, `first` and `last` are ignored.

        ``fused + 1`` neighbouring columns hold the bits of one weight each, the lowest bits in the
        first; its output stands in place of the first, and zeros in place of the others. Columns
        are counted in blocks of `fusion`; one that is left over in a block stands for itself.

        Sums wrap modulo ``2**output_bits``. That cannot show in up to `accumulations` vectors; more
        are legal, and exact as long as their sum fits.

        Raises ValueError for a vector that continues a sum when none is open: the hardware would
        add to what happens to be in its output register.
        """
        config = self.config
        words = np.asarray(data, np.int64)
        _require_shape("data", words, (config.rows,))
        opens = bool(first) or config.accumulations == 1
        if not opens and self._sum is None:
            raise ValueError("the vector continues a sum and none is open; set first")
        numbers = _numbers(words, top_plane + 1, bool(signed))
        dot = numbers @ self._fused(self.weights[self._bank(bank)], fused)
        self.skipped += self.zero_steps(words, top_plane)
        total = _wrap(dot if opens or self._sum is None else self._sum + dot, config.output_bits)
        if last or config.accumulations == 1:
            self._sum = None
            return total
        self._sum = total
        return None

    def zero_steps(self, data: ArrayLike, top_plane: int) -> int:
        """Steps of a vector that take no cycle, as their planes and all before them are zero."""
        if not self.config.skip_zero_planes:
            return 0
        words = np.asarray(data, np.int64) & ((2 << top_plane) - 1)
        needed = max(1, int(words.max()).bit_length())
        return self.config.steps(top_plane + 1) - self.config.steps(needed)

    def read(self, row: int, bank: int) -> Vector:
        """The weights of one row, shape (columns,); zeros for a row beyond the last."""
        if row >= self.config.rows:
            return np.zeros(self.config.columns, np.int64)
        return self.weights[self._bank(bank), row].copy()

    def reset(self) -> None:
        """Forget what is under way, and what was counted. The weights stay, as the macro's do."""
        self._sum = None
        self.skipped = 0

    def _fused(self, weights: Vector, fused: int) -> Vector:
        """The weights with `fused` neighbours joined to each, zero in place of the neighbours."""
        size, bits = fused + 1, self.config.weight_bits
        if size == 1:
            return weights
        joined = weights.copy()
        for block in range(0, self.config.columns, self.config.fusion):
            for first in range(block, block + self.config.fusion - fused, size):
                digits = weights[:, first : first + size]
                lower = digits[:, :-1] & ((1 << bits) - 1)
                joined[:, first] = digits[:, -1] << bits * fused
                joined[:, first] += (lower << bits * np.arange(fused)).sum(axis=1)
                joined[:, first + 1 : first + size] = 0
        return joined

    def _bank(self, bank: int) -> int:
        return bank if self.config.banks > 1 else 0


def _numbers(words: Vector, bits: int, signed: bool) -> Vector:
    """The values of the lowest `bits` bits of each word."""
    values = words & ((1 << bits) - 1)
    return values - ((values >> bits - 1) << bits) if signed else values


def _wrap(values: Vector, bits: int) -> Vector:
    """Reduce to `bits` bits, two's complement."""
    half = 1 << bits - 1
    return (values + half & 2 * half - 1) - half


def _require_shape(name: str, values: Vector, shape: tuple[int, ...]) -> None:
    if values.shape != shape:
        raise ValueError(f"{name} must have the shape {shape}, not {values.shape}")
