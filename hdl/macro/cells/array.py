# SPDX-License-Identifier: Apache-2.0
"""The interface that every cell fills in: an array of columns, and what sequences its writing.

A cell decides how weights are stored and how one plane of input bits meets them. It hands the adder
tree one leaf for each row group and column. Everything else is common to all cells.
"""

from amaranth.hdl import Module, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from ..config import MacroConfig

__all__ = ["CellArray", "CellWriter", "StepLayout"]


def StepLayout(config: MacroConfig) -> data.StructLayout:
    """One step of writing a row group, from the writer to all columns at once.

    ``enable`` names the row group, one bit each, in the cycles that store something; ``entry`` is
    the table entry stored then. The sum for the next entry changes by the weight of row ``row``:
    less it where ``subtract``; it restarts from zero where ``clear``. Cells without tables use
    ``enable`` and ``bank`` alone.
    """
    index_bits = config.rows_per_group
    return data.StructLayout(
        {
            "enable": config.groups,
            "bank": config.bank_bits,
            "entry": index_bits,
            "row": max(1, (index_bits - 1).bit_length()),
            "subtract": 1,
            "clear": 1,
        }
    )


class CellArray(wiring.Component):
    """Storage and product for `columns` columns of `config.rows` weights.

    Latency: `config.product_registers` cycles from `plane` to `leaves` with `enable` high.

    Members
    -------
    enable : In(1)
        Registers between `plane` and `leaves` keep their values where it is low. Writing does not
        depend on it.
    plane : In(config.rows)
        One bit of each input.
    bank : In(config.bank_bits)
        The weight set that the plane meets.
    weights : In(ArrayLayout(ArrayLayout(signed(weight_bits), columns), rows_per_group))
        The row group being written; steady from its first step to its last.
    step : In(StepLayout(config))
    leaves : Out(ArrayLayout(ArrayLayout(signed(leaf_bits), groups), columns))
    """

    enable: Signal
    plane: Signal
    bank: Signal
    weights: data.View
    step: data.View
    leaves: data.View

    def __init__(self, config: MacroConfig, columns: int) -> None:
        self.config = config
        self.columns = columns
        row = data.ArrayLayout(signed(config.weight_bits), columns)
        leaves = data.ArrayLayout(signed(config.leaf_bits), config.groups)
        super().__init__(
            {
                "enable": In(1),
                "plane": In(config.rows),
                "bank": In(config.bank_bits),
                "weights": In(data.ArrayLayout(row, config.rows_per_group)),
                "step": In(StepLayout(config)),
                "leaves": Out(data.ArrayLayout(leaves, columns)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """What a cell fills in."""
        raise NotImplementedError


class CellWriter(wiring.Component):
    """Sequences the writing of one row group: `config.write_cycles` steps.

    Members
    -------
    start : In(1)
        A row group is there and may be written; high until `done`.
    group : In(config.group_bits)
        Its number. A number beyond the last group writes nothing, in the same time.
    bank : In(config.bank_bits)
    step : Out(StepLayout(config))
    busy : Out(1)
        Writing began in an earlier cycle: high in every step but the first.
    done : Out(1)
        The last step is in this cycle.
    """

    start: Signal
    group: Signal
    bank: Signal
    step: data.View
    busy: Signal
    done: Signal

    def __init__(self, config: MacroConfig) -> None:
        self.config = config
        super().__init__(
            {
                "start": In(1),
                "group": In(config.group_bits),
                "bank": In(config.bank_bits),
                "step": Out(StepLayout(config)),
                "busy": Out(1),
                "done": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        """What a cell fills in."""
        raise NotImplementedError

    def _drive_enable(self, m: Module) -> None:
        """Name the row group of each storing step, and its bank."""
        m.d.comb += self.step.bank.eq(self.bank)
        with m.If(self.start):
            m.d.comb += [
                self.step.enable[index].eq(self.group == index)
                for index in range(self.config.groups)
            ]
