# SPDX-License-Identifier: Apache-2.0
"""The top level of a bitstream: clock, reset and pads around the core, for any board."""

from typing import Any

from amaranth.hdl import (
    ClockDomain,
    ClockSignal,
    Elaboratable,
    Instance,
    Module,
    ResetSignal,
    Signal,
    Value,
)
from amaranth.lib import io
from amaranth.lib.cdc import FFSynchronizer, ResetSynchronizer

from .boards import Board
from .clock import Pll, add_pll, find_pll

__all__ = ["BoardTop", "clock_of"]


def clock_of(board: Board, oscillator_hz: float) -> tuple[float, Pll | None]:
    """The frequency that the core has, and the PLL that makes it; None without one."""
    if board.clock_hz == oscillator_hz:
        return oscillator_hz, None
    pll = find_pll(board.flow, oscillator_hz, board.clock_hz)
    return pll.output_hz, pll


class BoardTop(Elaboratable):
    """What an Amaranth platform builds: module `core` of a Verilog file behind the board's pads.

    The reset is asserted while the PLL is not locked and while the button is pressed.

    Parameters
    ----------
    board : Board
    pll : Pll or None
    core : str
        Name of the core's module.
    """

    def __init__(self, board: Board, pll: Pll | None, core: str) -> None:
        self.board = board
        self.pll = pll
        self.core = core

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        reset = self._add_clock(m, platform)
        if self.board.button:
            pressed = Signal()
            button = _input(m, "button", platform.request(self.board.button, 0, dir="-"))
            m.submodules.sync_button = FFSynchronizer(button, pressed, o_domain="bare")
            reset = reset | pressed
        m.submodules.sync_reset = ResetSynchronizer(reset, domain="sync")
        uart = platform.request("uart", 0, dir="-")
        tx, light, failed = Signal(), Signal(), Signal()
        m.submodules.core = Instance(
            self.core,
            i_clk=ClockSignal("sync"), i_rst=ResetSignal("sync"),
            i_rx=_input(m, "rx", uart.rx), o_tx=tx, o_light=light, o_failed=failed,
        )  # fmt: skip
        _output(m, "tx", uart.tx, tx)
        self._add_light(m, platform, light, failed)
        return m

    def _add_clock(self, m: Module, platform: Any) -> Value:
        """The domains `sync` and, with the same clock and without a reset, `bare`; the reset."""
        oscillator = _input(m, "oscillator", platform.request(platform.default_clk, 0, dir="-"))
        domain: Any = ClockDomain("sync")
        bare: Any = ClockDomain("bare", reset_less=True)
        m.domains += [domain, bare]
        clock, reset = oscillator, Value.cast(0)
        if self.pll is not None:
            device = getattr(platform, "family", "")
            clock, locked = add_pll(m, self.board.flow, self.pll, oscillator, device)
            reset = ~locked
        m.d.comb += [domain.clk.eq(clock), bare.clk.eq(clock)]
        return reset

    def _add_light(self, m: Module, platform: Any, light: Signal, failed: Signal) -> None:
        pads = platform.request(self.board.light, 0, dir="-")
        if self.board.light != "rgb_led":
            _output(m, "led", pads, light)
            return
        _output(m, "led_green", pads.g, light & ~failed)
        _output(m, "led_red", pads.r, light & failed)
        _output(m, "led_blue", pads.b, Value.cast(0))


def _input(m: Module, name: str, pads: Any) -> Value:
    buffer: Any = io.Buffer(io.Direction.Input, pads)
    m.submodules[f"{name}_pad"] = buffer
    return buffer.i


def _output(m: Module, name: str, pads: Any, value: Value) -> None:
    buffer: Any = io.Buffer(io.Direction.Output, pads)
    m.submodules[f"{name}_pad"] = buffer
    m.d.comb += buffer.o.eq(value)
