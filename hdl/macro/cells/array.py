# SPDX-License-Identifier: Apache-2.0
"""The interface that every cell fills in: an array of columns, and what sequences its writing.

A cell decides how weights are stored and how the operand of one step meets them. It hands the adder
tree one leaf for each few rows, plane of the step, and column. Everything else is common.
"""

from collections.abc import Mapping
from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ...keep import keep_where
from ..config import MacroConfig

__all__ = ["CellArray", "CellWriter", "StepLayout", "stage_bits"]


def stage_bits(config: MacroConfig) -> int:
    """Address bits of the memory in which the rows of a group wait until its table is filled."""
    return max(1, config.member_bits + config.stages_two_groups)


def StepLayout(config: MacroConfig) -> data.StructLayout:
    """One step of writing, from the writer to all columns at once.

    ``store`` names the row group, one bit each, in the cycles that store something in bank
    ``bank``. Where a table is filled, ``stage`` puts the row to ``stage_in`` of the staging memory,
    a cycle after its transfer; the row at ``stage_out`` is read from there, and in the next cycle
    added to the running sum, or subtracted, or the sum cleared; a cycle later it is stored as
    ``entry``.
    """
    step = {"store": config.groups, "bank": config.bank_bits}
    if config.has_fill:
        address = stage_bits(config)
        step |= {"entry": config.rows_per_group, "stage": 1, "stage_in": address}
        step |= {"stage_out": address, "subtract": 1, "clear": 1}
    return data.StructLayout(step)


class CellArray(wiring.Component):
    """Storage and product for `columns` columns of `config.rows` weights.

    Latency: `config.product_registers` cycles from `operand` to `leaves` with `enable` high.

    Parameters
    ----------
    config : MacroConfig
    first : int
        Number of the first column. Only a rom has different weights in different places.
    columns : int

    Members
    -------
    enable : In(1)
        Registers between `operand` and `leaves` keep their values where it is low. Writing does not
        depend on it.
    operand : In(operand_layout(config))
        What meets the weights in this step.
    bank : In(config.bank_bits)
        The weight set that it meets.
    fused : In(config.fused_bits)
        How many neighbouring columns make a wide weight, less one; all but the highest of them
        count unsigned.
    weights : In(ArrayLayout(signed(weight_bits), columns))
        The row being written, ``config.write_registers`` cycles after its transfer.
    step : In(StepLayout(config))
    leaves : Out(ArrayLayout(signed(leaf_bits), leaves)).array(columns, bits_per_cycle)
        A port for each column and plane: simulators look at a whole port when a bit of it changes.
    """

    enable: Signal
    operand: data.View
    bank: Signal
    fused: Signal
    weights: data.View
    step: data.View
    leaves: Any

    def __init__(self, config: MacroConfig, first: int, columns: int) -> None:
        self.config = config
        self.first = first
        self.columns = columns
        leaves = data.ArrayLayout(signed(config.leaf_bits), config.leaves)
        super().__init__(
            {
                "enable": In(1),
                "operand": In(config.operand_layout),
                "bank": In(config.bank_bits),
                "fused": In(config.fused_bits),
                "weights": In(data.ArrayLayout(signed(config.weight_bits), columns)),
                "step": In(StepLayout(config)),
                "leaves": Out(leaves).array(columns, config.bits_per_cycle),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """What a cell fills in."""
        raise NotImplementedError

    def _reading(self, m: Module) -> Signal:
        """Whether a memory with registered reads is read: not where its bank is being written.

        Nothing of such a bank is under way. So no word is ever read and written at once, which
        synthesis can see here; it would else build what makes that harmless around a block RAM.
        """
        written = self.step.store.any() & (self.step.bank == self.bank)
        reading = Signal()
        m.d.comb += reading.eq(self.enable & ~written)
        return reading

    def _registered(self, m: Module, name: str, value: data.View) -> data.View:
        """A register for what is on its way to the leaves."""
        register: Any = Signal(value.shape(), name=name, reset_less=True)
        with m.If(self.enable):
            m.d.sync += register.eq(value)
        return register


class CellWriter(wiring.Component):
    """Takes rows of weights from the stream, and sequences what the cells do with them.

    Writes a row with its transfer, ``config.write_registers`` cycles later; cells for which there
    is more to do override it.

    Parameters
    ----------
    config : MacroConfig
    copies : int
        Parts of the array, each of which is told by registers of its own: they lie far apart.

    Members
    -------
    valid, row, group, bank : In
        The fields of the weight stream.
    ready : Out(1)
        The row is taken.
    may_change : In(1)
        Nothing uses the weights of the bank, and it is the writer's turn.
    changes : Out(1)
        The row that is offered is one with which weights change: it waits for `may_change`.
    filling : Out(1)
        Nothing of bank `filled_bank` may begin, as its weights still change.
    filled_bank : Out(config.bank_bits)
    steps : Out(StepLayout(config)).array(copies)
    """

    valid: Signal
    row: Signal
    group: Signal
    bank: Signal
    ready: Signal
    may_change: Signal
    changes: Signal
    filling: Signal
    filled_bank: Signal
    steps: Any

    def __init__(self, config: MacroConfig, copies: int = 1) -> None:
        self.config = config
        super().__init__(
            {
                "valid": In(1),
                "row": In(config.member_bits),
                "group": In(config.group_bits),
                "bank": In(config.bank_bits),
                "ready": Out(1),
                "may_change": In(1),
                "changes": Out(1),
                "filling": Out(1),
                "filled_bank": Out(config.bank_bits),
                "steps": Out(StepLayout(config)).array(copies),
            }
        )

    @property
    def step(self) -> Any:
        """What the first part of the array is told, as all others are."""
        return self.steps[0]

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += [
            self.changes.eq(self.valid),
            self.ready.eq(self.valid & self.may_change),
            self.filling.eq(0),
            self.filled_bank.eq(0),
        ]
        # A number beyond the last group is taken and stores nothing.
        named = Cat(self.group == index for index in range(self.config.groups))
        self._tell(m, {"bank": self.bank, "store": Mux(self.ready, named, 0)})
        return m

    def _tell(self, m: Module, coming: Mapping[str, Value]) -> None:
        """Hand the fields of a step to the array, by way of registers where it has such."""
        # One bank has a number that means nothing.
        apart = {name for name in coming if name != "bank" or self.config.banks > 1}
        for name, expression in coming.items():
            # Once for all copies.
            value = Signal(len(self.step[name]), name=f"next_{name}")
            m.d.comb += value.eq(expression)
            for index, step in enumerate(self.steps):
                if not self.config.write_registers:
                    m.d.comb += step[name].eq(value)
                    continue
                # Only what is stored matters in a reset.
                register = Signal(
                    len(step[name]),
                    name=f"step{index}_{name}",
                    reset_less=name not in ("store", "stage"),
                    attrs=keep_where(len(self.steps) > 1 and name in apart),
                )
                m.d.sync += register.eq(value)
                m.d.comb += step[name].eq(register)
