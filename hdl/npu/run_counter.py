# SPDX-License-Identifier: Apache-2.0
"""Run counter: how many bytes of each run of a window are read, and from which one on."""

from amaranth.hdl import Const, Module, Mux, Signal, Value
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
    first_offset : Out(...)
        Bytes that are left out of the first run of a window that slides on: from the second cycle
        after the first `next_window` on.
    begins_slid : Out(1)
        Where `next_window` is high: the window slides on.
    offset : Out(...)
        Bytes that are left out of the run of the same window that begins in the next cycle.
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
    first_offset: Signal
    begins_slid: Signal
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
                "first_offset": Out(bits_for(config.macro.rows - 1)),
                "begins_slid": Out(1),
                "offset": Out(bits_for(config.macro.rows - 1)),
                "moves": Out(1),
                "moves_left": Out(bits_for(config.macro.rows // config.activation_port)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        fields, port = self.descriptor, self.config.activation_port
        # No pass has more bytes than the macro has rows.
        bits = bits_for(self.config.macro.rows)
        depth, run_bytes = fields.depth[:bits], fields.run_bytes[:bits]
                # Bytes of the run that are left, and those of the window behind it.
        left, behind = Signal(bits), Signal(bits)
        # Of these: what is left is a chunk; there are none behind; they are one run. They come from
        # registers, as the walk to the next window hangs on them.
        ends_run, is_final, is_last = Signal(init=1), Signal(init=1), Signal(init=1)
        next_run = self.advance & ends_run
        # What a window begins with: the first run, from `skip` on, and the rest of the window.
        first, first_behind = Signal(bits), Signal(bits)
        from_skip = (fields.run_bytes - fields.skip)[:16]
        is_only = depth <= from_skip
        # Of the window whose chunks come; of the one that begins.
        slid, begins_slid = Signal(), self.begins_slid
        last = Signal(bits)
        first_new, first_offset, first_longer = self._new(m, "first", first)
        run_new, run_offset, run_longer = self._new(m, "run", run_bytes)
        last_new, last_offset, _ = self._new(m, "last", last)
        run_longer = run_longer | fields.run_bytes[bits:].any()
        second_longer = run_longer & (first_behind > fields.step_x)
        longer = Mux(self._may_slide, first_longer | second_longer, 0)
        m.d.sync += self.slides.eq(self._is_aligned() & longer)
        m.d.comb += [
            self.ends_run.eq(ends_run),
            self.ends_window.eq(ends_run & is_final),
            self.count.eq(Mux(ends_run, left, port)[: len(self.count)]),
            begins_slid.eq(self.slides & self.slides_on),
        ]
        m.d.sync += [
            first.eq(Mux(is_only, depth, from_skip)[:bits]),
            first_behind.eq(Mux(is_only, 0, depth - from_skip)[:bits]),
        ]
        m.d.comb += [
            self.first_offset.eq(first_offset),
            self.offset.eq(Mux(slid, Mux(is_last, last_offset, run_offset), 0)),
        ]
        with m.If(self.next_window):
            m.d.sync += [
                slid.eq(begins_slid),
                left.eq(Mux(begins_slid, first_new, first)),
                ends_run.eq(Mux(begins_slid, first_new <= port, first <= port)),
                behind.eq(first_behind),
                is_final.eq(first_behind == 0),
                is_last.eq(first_behind <= fields.run_bytes),
            ]
        with m.Else():
            with m.If(next_run):
                whole = Mux(is_last, behind, run_bytes)
                new = Mux(is_last, last_new, run_new)
                m.d.sync += [
                    left.eq(Mux(slid, new, whole)),
                    ends_run.eq(Mux(slid, new <= port, whole <= port)),
                    behind.eq(Mux(is_last, 0, behind - run_bytes)[:bits]),
                    is_final.eq(is_last),
                    is_last.eq(behind <= fields.run_bytes << 1),
                ]
                with m.If(~slid & is_last):
                    m.d.sync += last.eq(behind)
            with m.Elif(self.advance):
                m.d.sync += [
                    left.eq((left - port)[:bits]),
                    ends_run.eq(left <= 2 * port),
                ]
        self._count_moves(m)
        return m

    def _new(self, m: Module, name: str, run: Value) -> tuple[Value, Value, Value]:
        """Bytes of a run that are new in a window that slides, and those before; a cycle later.

        And, in the same cycle, whether it has more than are new.
        """
        if not self._may_slide:
            return run, Const(0, 1), Const(0, 1)
        new = Signal(len(run), name=f"{name}_new")
        offset = Signal(len(self.offset), name=f"{name}_offset")
        longer = Signal(name=f"{name}_is_longer")
        beyond = Signal(len(run) + 1, name=f"{name}_beyond_step")
        step = self.descriptor.step_x
        m.d.comb += [
            beyond.eq((run - step[: len(run)]).as_unsigned()),
            longer.eq((beyond != 0) & ~beyond[-1] & ~step[len(run) :].any()),
        ]
        m.d.sync += [
            new.eq(Mux(longer, step, run)[: len(new)]),
            offset.eq(Mux(longer, beyond, 0)[: len(offset)]),
        ]
        return new, offset, longer

    @property
    def _may_slide(self) -> bool:
        """Whether a run may be longer than the least step: what a slide takes is built then."""
        return self.config.macro.rows > self.config.activation_port

    def _is_aligned(self) -> Value:
        """Whether windows are a number of the port's widths apart."""
        step = self.descriptor.step_x
        return (step[: exact_log2(self.config.activation_port)] == 0) & (step != 0)

    def _count_moves(self, m: Module) -> None:
        """What is kept moves up with the first chunks of a window, once with each."""
        steps = self.descriptor.step_x[exact_log2(self.config.activation_port) :]
        left = Signal.like(self.moves_left)
        m.d.sync += left.eq((steps - 1)[: len(left)])
        with m.If(self.next_window):
            m.d.sync += [
                self.moves.eq(self.begins_slid),
                self.moves_left.eq(Mux(self.begins_slid, left, 0)),
            ]
        with m.Elif(self.advance):
            m.d.sync += self.moves.eq(self.moves_left != 0)
            with m.If(self.moves_left != 0):
                m.d.sync += self.moves_left.eq(self.moves_left - 1)
