# SPDX-License-Identifier: Apache-2.0
"""The compute-in-memory macro."""

from functools import partial
from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from ..stamp import Stamp
from .cells import cell_writer
from .column_block import ColumnBlock
from .config import Cell, MacroConfig
from .copies import broadcast_operand, control_blocks
from .output_buffer import OutputBuffer
from .serialiser import Serialiser
from .serialisers import serialiser
from .tags import tag_line

__all__ = ["Macro"]


class Macro(wiring.Component):
    """``rows x columns`` signed weights that multiply an input vector: exact, bit-serial.

    Latency: ``config.vector_latency(bits)`` cycles from a vector's first valid cycle to its
    output's. Throughput: a vector every ``config.vector_interval(bits)`` cycles. The rows of a row
    group are taken in ``config.write_cycles``; its bank can be used ``config.fill_cycles`` later.
    Reading a row back takes ``config.read_latency`` cycles.

    A row group changes with the transfer of its last row. That does not happen while a vector of
    the same bank is under way, and a vector does not begin while its bank is being written; where
    both wait, they take turns. So every vector meets exactly the weights of the row groups whose
    last transfers came before its own. Other banks are not held up.

    Outputs that are not taken hold up the vectors behind them once ``config.output_buffer`` wait.
    Nothing is lost. Weights survive a reset; what is under way does not.

    Parameters
    ----------
    config : MacroConfig

    Members
    -------
    w : In(stream of config.write_layout)
        Row groups to write, a row a transfer, in ascending order. A group number beyond the last is
        taken and has no effect. A rom has no such stream.
    i : In(stream of config.input_layout)
        Vectors. The transfer happens with the last step.
    o : Out(stream of config.output_layout)
        Outputs, one for each accumulation, in order.
    read_request : In(stream of config.read_request_layout)
        Rows to read back; taken between accumulations. A row beyond the last reads as zero.
    read_data : Out(stream of config.read_data_layout)
        Rows read back, in order.
    skipped : Out(32)
        Steps that zero planes have saved since the reset, modulo 2**32; only with
        `skip_zero_planes`.
    """

    w: stream.Interface
    i: stream.Interface
    o: stream.Interface
    read_request: stream.Interface
    read_data: stream.Interface
    skipped: Signal

    def __init__(self, config: MacroConfig) -> None:
        self.config = config
        members: dict[str, Any] = {}
        if config.is_writable:
            members["w"] = In(stream.Signature(config.write_layout))
        members |= {
            "i": In(stream.Signature(config.input_layout)),
            "o": Out(stream.Signature(config.output_layout)),
            "read_request": In(stream.Signature(config.read_request_layout)),
            "read_data": Out(stream.Signature(config.read_data_layout)),
        }
        if config.skip_zero_planes:
            members["skipped"] = Out(32)
        super().__init__(members)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.serialiser = steps = serialiser(self.config)
        connect(m, flipped(self.i), steps.i)
        connect(m, flipped(self.read_request), steps.read_request)
        if self.config.skip_zero_planes:
            m.d.comb += self.skipped.eq(steps.skipped)
        m.submodules.output_buffer = buffer = OutputBuffer(self.config)
        connect(m, flipped(self.o), buffer.o)
        connect(m, flipped(self.read_data), buffer.read_data)
        enable = buffer.enable
        m.d.comb += steps.enable.eq(enable)
        tags = tag_line(m, self.config, steps.tag, steps.next_tag, enable)
        m.d.comb += [buffer.complete.eq(tags.outputs[-1]), buffer.coming.eq(tags.completes)]
        blocks = self._column_blocks()
        control_blocks(m, self.config, buffer, tags, blocks)
        for name, block in blocks.items():
            m.submodules[name] = block
            m.d.comb += block.sign_tag.eq(tags.sign)
            m.d.comb += [block.later_tags[n].eq(tag) for n, tag in enumerate(tags.outputs[1:])]
        bank = broadcast_operand(m, self.config, steps, tags, blocks)
        in_use = steps.in_use
        if self.config.broadcast_registers:
            in_use = in_use | (tags.meets.valid & (bank == steps.write_bank))
        self._write(m, steps, in_use, list(blocks.values()))
        m.d.comb += buffer.outputs.eq(Cat(block.o for block in blocks.values()))
        return m

    def _column_blocks(self) -> dict[str, Any]:
        """The blocks from left to right; only the last may be narrower."""
        config, width = self.config, self.config.columns_per_block
        blocks = {}
        for first in range(0, config.columns, width):
            columns = min(width, config.columns - first)
            # Weights of a rom differ from place to place; all others are told apart by width alone.
            place = first if config.cell is Cell.ROM else 0
            blocks[f"columns{first}"] = Stamp(
                key=(ColumnBlock, config.digest(), place, columns),
                kind=f"columns{columns}",
                signature=ColumnBlock.signature_for(config, columns),
                build=partial(ColumnBlock, config, place, columns),
            )
        return blocks

    def _write(self, m: Module, steps: Serialiser, in_use: Value, blocks: list[Any]) -> None:
        """Join the weight stream to the blocks; what uses the weights of a bank takes turns."""
        # Tables are many, so that each block hears of them from registers near it.
        apart = self.config.has_fill and self.config.broadcast_registers
        writer = cell_writer(self.config, len(blocks) if apart else 1)
        if writer is None:
            m.d.comb += [steps.hold.eq(0), steps.hold_bank.eq(0), steps.write_bank.eq(0)]
            for block in blocks:
                m.d.comb += [block.step.as_value().eq(0), block.weights.as_value().eq(0)]
            return
        m.submodules.writer = writer
        offered = self.w.payload
        write_turn = Signal()
        # What goes on beside it in other banks does not pass the turn on.
        m.d.sync += write_turn.eq(
            writer.changes & ~writer.may_change & (write_turn | steps.moves_on)
        )
        # While a table is filled nothing of its bank begins, so what waits must have its turn then.
        passes_over = writer.filling & steps.waits
        m.d.comb += [
            writer.valid.eq(self.w.valid),
            writer.row.eq(offered.row),
            writer.group.eq(offered.group),
            writer.bank.eq(self.config.bank_of(offered)),
            writer.may_change.eq(~in_use & ~passes_over),
            self.w.ready.eq(writer.ready),
            steps.write_bank.eq(writer.bank),
            steps.hold_bank.eq(Mux(writer.filling, writer.filled_bank, writer.bank)),
            steps.hold.eq(writer.filling | write_turn),
        ]
        first = 0
        # A signal of its own: generation takes time for every slice of the wide payload.
        weights = Signal(self.config.read_data_layout, reset_less=True)
        domain = m.d.sync if self.config.write_registers else m.d.comb
        domain += weights.eq(offered.weights)
        for index, block in enumerate(blocks):
            columns = block.o.shape().length
            block.share("step", writer.steps[index if apart else 0])
            m.d.comb += [
                block.weights[column].eq(weights[first + column]) for column in range(columns)
            ]
            first += columns
