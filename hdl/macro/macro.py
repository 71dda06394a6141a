# SPDX-License-Identifier: Apache-2.0
"""The compute-in-memory macro."""

from functools import partial
from typing import Any

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from ..stamp import Stamp
from .cells import cell_writer
from .column_block import ColumnBlock
from .config import MacroConfig
from .serialiser import PlaneTag, Serialiser

__all__ = ["Macro"]


class Macro(wiring.Component):
    """``rows x columns`` signed weights that multiply an input vector: exact, bit-serial.

    Latency: ``config.vector_latency(bits)`` cycles from a vector's first valid cycle to its
    output's. Throughput: a vector every ``config.vector_interval(bits)`` cycles. Writing a row
    group takes ``config.write_cycles``, reading a row back ``config.read_latency`` cycles.

    A row group is not written while a vector of the same bank is under way, and a vector does not
    begin while its bank is being written; where both wait, they take turns. So every vector meets
    exactly the weights whose transfers came before its own. Other banks are not held up.

    An output that is not taken holds up the vectors behind it, once they reach the output register.
    Nothing is lost. Weights survive a reset; what is under way does not.

    Parameters
    ----------
    config : MacroConfig

    Members
    -------
    w : In(stream of config.write_layout)
        Row groups to write. A group number beyond the last is taken and has no effect.
    i : In(stream of config.input_layout)
        Vectors. The transfer happens with the last plane.
    o : Out(stream of config.output_layout)
        Outputs, one for each accumulation, in order.
    read_request : In(stream of config.read_request_layout)
        Rows to read back; taken between accumulations. A row beyond the last reads as zero.
    read_data : Out(stream of config.read_data_layout)
        Rows read back, in order.
    """

    w: stream.Interface
    i: stream.Interface
    o: stream.Interface
    read_request: stream.Interface
    read_data: stream.Interface

    def __init__(self, config: MacroConfig) -> None:
        self.config = config
        super().__init__(
            {
                "w": In(stream.Signature(config.write_layout)),
                "i": In(stream.Signature(config.input_layout)),
                "o": Out(stream.Signature(config.output_layout)),
                "read_request": In(stream.Signature(config.read_request_layout)),
                "read_data": Out(stream.Signature(config.read_data_layout)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.serialiser = serialiser = Serialiser(self.config)
        m.submodules.writer = writer = cell_writer(self.config)
        connect(m, flipped(self.i), serialiser.i)
        connect(m, flipped(self.read_request), serialiser.read_request)

        # What uses the weights of a bank, and what writes them, take turns.
        write_turn = Signal()
        with m.If(self.w.valid & self.w.ready):
            m.d.sync += write_turn.eq(0)
        with m.Elif(
            (self.i.valid & self.i.ready) | (self.read_request.valid & self.read_request.ready)
        ):
            m.d.sync += write_turn.eq(1)
        m.d.comb += [
            serialiser.hold_bank.eq(self.config.bank_of(self.w.payload)),
            serialiser.hold.eq(writer.busy | (self.w.valid & write_turn)),
            writer.start.eq(self.w.valid & (writer.busy | ~serialiser.in_use)),
            writer.group.eq(self.w.payload.group),
            writer.bank.eq(self.config.bank_of(self.w.payload)),
            self.w.ready.eq(writer.done),
        ]

        enable = Signal()
        m.d.comb += serialiser.enable.eq(enable)
        summed, complete = self._follow_tags(m, serialiser.tag, enable)
        blocks = self._column_blocks()
        for name, block in blocks.items():
            m.submodules[name] = block
            m.d.comb += [
                block.enable.eq(enable),
                block.plane_bits.eq(serialiser.plane_bits),
                block.bank.eq(serialiser.bank),
                block.step.eq(writer.step),
                block.plane.valid.eq(summed.valid),
                block.plane.first.eq(summed.first),
                block.plane.negative.eq(summed.negative),
                block.vector.valid.eq(complete.valid),
                block.vector.first.eq(complete.opens),
            ]
        self._spread_weights(m, list(blocks.values()))
        self._deliver(m, complete, enable, list(blocks.values()))
        return m

    def _column_blocks(self) -> dict[str, Any]:
        """The blocks from left to right; only the last may be narrower."""
        width = self.config.columns_per_block
        blocks = {}
        for first in range(0, self.config.columns, width):
            columns = min(width, self.config.columns - first)
            build = partial(ColumnBlock, self.config, columns)
            blocks[f"columns{first}"] = Stamp(
                key=(ColumnBlock, self.config.digest(), columns),
                kind=f"columns{columns}",
                signature=ColumnBlock.signature_for(self.config, columns),
                build=build,
            )
        return blocks

    def _follow_tags(self, m: Module, tag: Any, enable: Signal) -> tuple[Any, Any]:
        """Delay the tag along the array: beside the plane's sum, and beside the dot product."""
        for stage in range(self.config.array_registers):
            delayed: Any = Signal(PlaneTag, name=f"tag{stage}")
            with m.If(enable):
                m.d.sync += delayed.eq(tag)
            tag = delayed
        complete: Any = Signal(PlaneTag)
        with m.If(enable):
            m.d.sync += [complete.eq(tag), complete.valid.eq(tag.valid & tag.last)]
        return tag, complete

    def _spread_weights(self, m: Module, blocks: list[Any]) -> None:
        """Hand each block its columns of the row group."""
        for row in range(self.config.rows_per_group):
            # A signal of its own: generation takes time for every slice of the wide payload.
            weights = Signal(self.config.read_data_layout, name=f"weights{row}")
            m.d.comb += weights.eq(self.w.payload.weights[row])
            first = 0
            for block in blocks:
                for column in range(block.o.shape().length):
                    m.d.comb += block.weights[row][column].eq(weights[first + column])
                first += block.o.shape().length

    def _deliver(self, m: Module, complete: Any, enable: Signal, blocks: list[Any]) -> None:
        """The output registers as two streams; hold everything when their value is still wanted."""
        is_output = Signal()
        is_read = Signal()
        taken = (self.o.valid & self.o.ready) | (self.read_data.valid & self.read_data.ready)
        occupied = is_output | is_read
        m.d.comb += [
            enable.eq(~(complete.valid & occupied & ~taken)),
            self.o.valid.eq(is_output),
            self.read_data.valid.eq(is_read),
        ]
        with m.If(taken):
            m.d.sync += [is_output.eq(0), is_read.eq(0)]
        with m.If(complete.valid & enable):
            m.d.sync += [
                is_output.eq(complete.closes & ~complete.reads),
                is_read.eq(complete.reads),
            ]
        m.d.comb += self.o.payload.eq(Cat(block.o for block in blocks))
        outputs = [output for block in blocks for output in block.o]
        for column, output in enumerate(outputs):
            weight = output[: self.config.weight_bits]
            m.d.comb += self.read_data.payload[column].eq(weight.as_signed())
