# SPDX-License-Identifier: Apache-2.0
"""Run counter: how many bytes of each run of a window are read, and from which one on."""

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for, exact_log2

from .config import NpuConfig
from .isa import Opcode, layout

__all__ = ["RunCounter"]


class RunCounter(wiring.Component):
    """Counts down the bytes of a window's runs, in chunks of up to `activation_port`.

    Windows have a first run, from `skip` on, then whole ones, and what is left of the depth as the
    last. Of a window that slides, only the last `step_x` bytes of each are new, or all where it has
    no more. What that leaves of each kind is worked out once, while the first window is read, which
    never slides: that also tells how long the last run is.

    Members
    -------
    descriptor : In(layout(Opcode.COMPUTE))
        To be there from the cycle before the first `next_window` on.
    next_window : In(1)
        The next cycle is a window's first chunk's.
    slides_on : In(1)
        Where `next_window` is high: the window is not its row's first.
    advance : In(1)
        The next cycle is the next chunk's.
    slides : Out(1)
        Windows keep bytes of those before them: from the second cycle after the first
        `next_window` on.
    count : Out(...)
        Bytes of the chunk.
    ends_run, ends_window : Out(1)
        The chunk is the last of them.
    offset : Out(...)
        Bytes that are left out of the run that begins in the next cycle.
    moves : Out(1)
        With the chunk, what is kept moves up by `activation_port` rows.
    moves_left : Out(...)
        How often it still does behind this chunk.
    """

    descriptor: data.View
    next_window: Signal
    slides_on: Signal
    advance: Signal
    slides: Signal
    count: Signal
    ends_run: Signal
    ends_window: Signal
    offset: Signal
    moves: Signal
    moves_left: Signal

    def __init__(self, config: NpuConfig) -> None:
        self.config = config
        super().__init__(
            {
                "descriptor": In(layout(Opcode.COMPUTE)),
                "next_window": In(1),
                "slides_on": In(1),
                "advance": In(1),
                "slides": Out(1),
                "count": Out(bits_for(config.activation_port)),
                "ends_run": Out(1),
                "ends_window": Out(1),
                "offset": Out(bits_for(config.macro.rows - 1)),
                "moves": Out(1),
                "moves_left": Out(bits_for(config.macro.rows // config.activation_port)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        fields, port = self.descriptor, self.config.activation_port
        next_run = self.advance & self.ends_run
        # Bytes of the run that are left, and those of the window behind it.
        left, behind = Signal(16), Signal(16)
        # What a window begins with: the first run, from `skip` on, and the rest of the window.
        first, first_behind = Signal(16), Signal(16)
        from_skip = (fields.run_bytes - fields.skip)[:16]
        is_only = fields.depth <= from_skip
        is_last = behind <= fields.run_bytes
        # Of the window whose chunks come; of the one that begins.
        slid, begins_slid = Signal(), Signal()
        last = Signal(16)
        first_new, first_offset = self._new(m, "first", first)
        run_new, run_offset = self._new(m, "run", fields.run_bytes)
        last_new, last_offset = self._new(m, "last", last)
        self._find_slide(m, first, first_behind)
        m.d.comb += [
            self.ends_run.eq(left <= port),
            self.ends_window.eq(self.ends_run & (behind == 0)),
            self.count.eq(Mux(self.ends_run, left, port)[: len(self.count)]),
            begins_slid.eq(self.slides & self.slides_on),
        ]
        m.d.sync += [
            first.eq(Mux(is_only, fields.depth, from_skip)),
            first_behind.eq(Mux(is_only, 0, fields.depth - from_skip)[:16]),
        ]
        with m.If(self.next_window):
            m.d.comb += self.offset.eq(Mux(begins_slid, first_offset, 0))
            m.d.sync += [
                slid.eq(begins_slid),
                left.eq(Mux(begins_slid, first_new, first)),
                behind.eq(first_behind),
            ]
        with m.Else():
            offset = Mux(is_last, last_offset, run_offset)
            m.d.comb += self.offset.eq(Mux(slid, offset, 0))
            with m.If(next_run):
                new = Mux(is_last, last_new, run_new)
                m.d.sync += [
                    left.eq(Mux(slid, new, Mux(is_last, behind, fields.run_bytes))),
                    behind.eq(Mux(is_last, 0, behind - fields.run_bytes)[:16]),
                ]
                with m.If(~slid & is_last):
                    m.d.sync += last.eq(behind)
            with m.Elif(self.advance):
                m.d.sync += left.eq((left - port)[:16])
        self._count_moves(m, begins_slid)
        return m

    def _new(self, m: Module, name: str, run: Value) -> tuple[Signal, Signal]:
        """Bytes of a run that are new in a window that slides, and those before; a cycle later."""
        new = Signal(16, name=f"{name}_new")
        offset = Signal(len(self.offset), name=f"{name}_offset")
        step = self.descriptor.step_x
        m.d.sync += [new.eq(run), offset.eq(0)]
        with m.If(run > step):
            m.d.sync += [new.eq(step), offset.eq((run - step)[: len(offset)])]
        return new, offset

    def _find_slide(self, m: Module, first: Value, first_behind: Value) -> None:
        """Whether windows slide, as in `sliding.slide`."""
        if self.config.macro.rows <= self.config.activation_port:
            # No run has that many bytes: what a slide takes is not built.
            m.d.comb += self.slides.eq(0)
            return
        step, run = self.descriptor.step_x, self.descriptor.run_bytes
        aligned = step[: exact_log2(self.config.activation_port)] == 0
        longer = (first > step) | ((first_behind > step) & (run > step))
        m.d.sync += self.slides.eq(aligned & (step != 0) & longer)

    def _count_moves(self, m: Module, begins_slid: Value) -> None:
        """What is kept moves up with the first chunks of a window, once with each."""
        steps = self.descriptor.step_x[exact_log2(self.config.activation_port) :]
        left = Signal.like(self.moves_left)
        m.d.sync += left.eq((steps - 1)[: len(left)])
        with m.If(self.next_window):
            m.d.sync += [self.moves.eq(begins_slid), self.moves_left.eq(Mux(begins_slid, left, 0))]
        with m.Elif(self.advance):
            m.d.sync += self.moves.eq(self.moves_left != 0)
            with m.If(self.moves_left != 0):
                m.d.sync += self.moves_left.eq(self.moves_left - 1)
