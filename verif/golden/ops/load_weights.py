# SPDX-License-Identifier: Apache-2.0
"""LOAD_WEIGHTS: row groups from the weight memory into a bank of one macro or several."""

from ....hdl.npu.config import NpuConfig
from ....hdl.npu.isa import Descriptor, Opcode
from ..operation import Operation, State

__all__ = ["LoadWeights"]


class LoadWeights(Operation):
    """A row group is rows of `columns` int8 weights, each filled up to whole words."""

    opcode = Opcode.LOAD_WEIGHTS

    def __init__(self, number: int, descriptor: Descriptor, config: NpuConfig) -> None:
        super().__init__(number, descriptor, config)
        self.require_at_least_one("groups")
        highest = (1 << 16) - descriptor["groups"]
        self.require("group", 0, highest, "16 bits, less the groups")
        self.require("bank", 0, config.macro.banks - 1, "the macro's banks")
        self.require("macros", 0, (1 << config.macros) - 1, "a bit for each macro")
        self.require_multiple("address", config.weight_port, "weight_port")
        highest = config.weight_bytes - descriptor["groups"] * config.group_bytes
        self.require("address", 0, highest, "weight_bytes, less the groups'")

    @property
    def weights_touched(self) -> tuple[int, range]:
        first = self.descriptor["group"]
        return self.descriptor["bank"], range(first, first + self.descriptor["groups"])

    def execute(self, state: State) -> None:
        macro, (bank, groups) = self.config.macro, self.weights_touched
        for index, group in enumerate(groups):
            start = self.descriptor["address"] + index * self.config.group_bytes
            weights = state.memories.weights[start : start + self.config.group_bytes]
            rows = weights.reshape(macro.rows_per_group, -1)[:, : macro.columns]
            for target in self._targets:
                state.macros[target].write(group, bank, rows)
        state.rows_known[self._targets, bank, self._rows] = True

    def forget(self, state: State) -> None:
        state.rows_known[self._targets, self.descriptor["bank"], self._rows] = False

    @property
    def _targets(self) -> list[int]:
        """The macros that are written."""
        mask = self.descriptor["macros"]
        return [m for m in range(self.config.macros) if not mask or mask >> m & 1]

    @property
    def _rows(self) -> slice:
        _, groups = self.weights_touched
        per_group = self.config.macro.rows_per_group
        return slice(groups.start * per_group, groups.stop * per_group)
