# SPDX-License-Identifier: Apache-2.0
"""LOAD_WEIGHTS: row groups from the weight memory into a bank of one macro or several."""

from ....hdl.npu.config import NpuConfig
from ....hdl.npu.isa import Descriptor, Opcode
from ..operation import Operation, State

__all__ = ["LoadWeights"]


class LoadWeights(Operation):
    """A row group is rows of `columns` int8 weights, each filled up to whole words.

    With `parts` the first row group is written to the macros named, that behind it to the macros
    one further, and so on; then comes the next row group of the first macros.
    """

    opcode = Opcode.LOAD_WEIGHTS

    def __init__(self, number: int, descriptor: Descriptor, config: NpuConfig) -> None:
        super().__init__(number, descriptor, config)
        self.require_at_least_one("groups")
        highest = (1 << 16) - descriptor["groups"]
        self.require("group", 0, highest, "16 bits, less the groups")
        self.require("bank", 0, config.macro.banks - 1, "the macro's banks")
        self.require("macros", 0, (1 << config.macros) - 1, "a bit for each macro")
        self.require("parts", 0, self._most_parts, "macros, and what is left of their bits")
        self.require_multiple("address", config.weight_port, "weight_port")
        highest = config.weight_bytes - descriptor["groups"] * self._parts * config.group_bytes
        self.require("address", 0, highest, "weight_bytes, less the groups'")

    @property
    def weights_touched(self) -> tuple[int, range]:
        first = self.descriptor["group"]
        return self.descriptor["bank"], range(first, first + self.descriptor["groups"])

    @property
    def stored_weights_touched(self) -> range:
        start, row_groups = self.descriptor["address"], self.descriptor["groups"] * self._parts
        return range(start, start + row_groups * self.config.group_bytes)

    def execute(self, state: State) -> None:
        macro, (bank, groups) = self.config.macro, self.weights_touched
        start, size = self.descriptor["address"], self.config.group_bytes
        for group in groups:
            for part in range(self._parts):
                weights = state.memories.weights[start : start + size]
                rows = weights.reshape(macro.rows_per_group, -1)[:, : macro.columns]
                for target in self._targets(part):
                    state.macros[target].write(group, bank, rows)
                start += size
        self._mark(state, known=state.memories.knows_weights(self.stored_weights_touched))

    def forget(self, state: State) -> None:
        self._mark(state, known=False)

    def _mark(self, state: State, *, known: bool) -> None:
        for part in range(self._parts):
            state.rows_known[self._targets(part), self.descriptor["bank"], self._rows] = known

    @property
    def _parts(self) -> int:
        """Row groups that are written in turn."""
        return max(1, self.descriptor["parts"])

    @property
    def _most_parts(self) -> int:
        """Until the highest macro of a part would be none."""
        mask = self.descriptor["macros"]
        return self.config.macros + 1 - mask.bit_length() if mask else 1

    def _targets(self, part: int) -> list[int]:
        """The macros that are written in a part's turn."""
        mask = self.descriptor["macros"] << part
        return [m for m in range(self.config.macros) if not mask or mask >> m & 1]

    @property
    def _rows(self) -> slice:
        _, groups = self.weights_touched
        per_group = self.config.macro.rows_per_group
        return slice(groups.start * per_group, groups.stop * per_group)
