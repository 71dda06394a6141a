# SPDX-License-Identifier: Apache-2.0
"""The macro's input side: vectors and read requests in, one plane of bits a cycle out."""

# The fields of a data.Struct are annotated with their widths, which are no types.
# pyright: reportGeneralTypeIssues=false

from amaranth.hdl import Array, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from .config import MacroConfig

__all__ = ["PlaneTag", "Serialiser"]


class PlaneTag(data.Struct):
    """What travels beside a plane until its sum is used."""

    #: There is a plane.
    valid: 1
    #: The most significant plane of its vector.
    first: 1
    #: The least significant one: the dot product is complete with it.
    last: 1
    #: The sign plane of signed inputs.
    negative: 1
    #: Its vector is the first of an accumulation.
    opens: 1
    #: Its vector is the last of an accumulation.
    closes: 1
    #: It reads one row of weights back.
    reads: 1


class Serialiser(wiring.Component):
    """Takes vectors apart into planes, the most significant first.

    A vector stays on `i` while its planes are taken, so it needs no register here: the transfer
    happens with the last plane. A row is read back as a vector of one plane with a single one in
    it; that may happen between accumulations. Where vectors and requests wait at once, they take
    turns.

    Throughput: a plane a cycle. Latency: 1 cycle from `i` to `plane_bits`.

    Members
    -------
    i : In(stream of config.input_layout)
    read_request : In(stream of config.read_request_layout)
    enable : In(1)
        Nothing moves where it is low.
    hold : In(1)
        No vector and no read of bank `hold_bank` may begin.
    hold_bank : In(config.bank_bits)
    plane_bits : Out(config.rows)
    bank : Out(config.bank_bits)
    tag : Out(PlaneTag)
        The plane register; `bank` and `tag` belong to `plane_bits`.
    in_use : Out(1)
        A plane of bank `hold_bank` meets the weights in this cycle or, as the vector has begun or
        begins now, in one of the next.
    """

    i: stream.Interface
    read_request: stream.Interface
    enable: Signal
    hold: Signal
    hold_bank: Signal
    plane_bits: Signal
    bank: Signal
    tag: data.View
    in_use: Signal

    def __init__(self, config: MacroConfig) -> None:
        self.config = config
        super().__init__(
            {
                "i": In(stream.Signature(config.input_layout)),
                "read_request": In(stream.Signature(config.read_request_layout)),
                "enable": In(1),
                "hold": In(1),
                "hold_bank": In(config.bank_bits),
                "plane_bits": Out(config.rows),
                "bank": Out(config.bank_bits),
                "tag": Out(PlaneTag),
                "in_use": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        vector = self.i.payload
        vector_bank = self.config.bank_of(vector)
        request_bank = self.config.bank_of(self.read_request.payload)

        # A vector between its first and last plane, and the plane that is next then.
        within = Signal()
        following = Signal(self.config.plane_bits)
        accumulating = Signal()
        read_was_last = Signal()

        current = Signal(self.config.plane_bits)
        launch = Signal()
        launch_read = Signal()
        may_begin = Signal()
        may_read = Signal()
        m.d.comb += [
            current.eq(Mux(within, following, vector.top_plane)),
            may_begin.eq(self.i.valid & ~(self.hold & (vector_bank == self.hold_bank))),
            may_read.eq(
                self.read_request.valid & ~within & ~accumulating
                & ~(self.hold & (request_bank == self.hold_bank))
            ),
            launch_read.eq(may_read & ~(may_begin & read_was_last)),
            launch.eq(within | (may_begin & ~launch_read)),
            self.i.ready.eq(self.enable & launch & (current == 0)),
            self.read_request.ready.eq(self.enable & launch_read),
        ]
        opens, closes = self._bounds(vector)
        with m.If(self.enable & launch):
            m.d.sync += [
                within.eq(current != 0),
                following.eq(current - 1),
                read_was_last.eq(0),
            ]
            with m.If(current == 0):
                m.d.sync += accumulating.eq(~closes)
        with m.If(self.enable & launch_read):
            m.d.sync += read_was_last.eq(1)

        launched_bank = Mux(launch_read, request_bank, vector_bank)
        m.d.comb += self.in_use.eq(
            (self.tag.valid & (self.bank == self.hold_bank))
            | ((launch | launch_read) & (launched_bank == self.hold_bank))
        )
        with m.If(self.enable):
            m.d.sync += [
                self.tag.valid.eq(launch | launch_read),
                self.tag.first.eq(~within),
                self.tag.last.eq(launch_read | (current == 0)),
                self.tag.negative.eq(~launch_read & ~within & vector.signed),
                self.tag.opens.eq(launch_read | opens),
                self.tag.closes.eq(launch_read | closes),
                self.tag.reads.eq(launch_read),
                self.bank.eq(launched_bank),
            ]
            self._select_plane(m, current, launch_read)
        return m

    def _bounds(self, vector: data.View) -> tuple[Value, Value]:
        """Whether the vector is the first and the last of its accumulation."""
        if self.config.accumulations == 1:
            return Const(1, 1), Const(1, 1)
        return vector.first, vector.last

    def _select_plane(self, m: Module, current: Signal, read: Signal) -> None:
        """Register one bit of each input, or the row to read back."""
        planes = 1 << self.config.plane_bits
        for row in range(self.config.rows):
            # A signal of its own: generation takes time for every slice of the wide payload.
            value = Signal(self.config.input_bits, name=f"input{row}")
            m.d.comb += value.eq(self.i.payload.data[row])
            # Planes that `top_plane` can name beyond `input_bits` are zero.
            bits = [*value, *[0] * (planes - self.config.input_bits)]
            addressed = self.read_request.payload.row == row
            m.d.sync += self.plane_bits[row].eq(Mux(read, addressed, Array(bits)[current]))
