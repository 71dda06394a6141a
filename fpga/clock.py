# SPDX-License-Identifier: Apache-2.0
"""The clock of a bitstream: the board's oscillator, through the part's PLL where another is wanted.

The settings are found by search among those that the data sheets allow, so a board needs to name no
more than the frequency.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any, NamedTuple

from amaranth.hdl import Const, Instance, Module, Signal

from ..hdl.errors import CimpleError

__all__ = ["Pll", "add_pll", "find_pll"]

#: How far from what was asked for a clock may be: what a serial link tolerates without noticing.
_TOLERANCE = 0.005


@dataclass(frozen=True)
class Pll:
    """Settings of a PLL: ``output = input * multiplier / divider``, in Hz."""

    input_hz: float
    divider: int
    multiplier: int
    vco_divider: int
    """The oscillator inside runs at the output's frequency times this."""

    @property
    def output_hz(self) -> float:
        """Frequency of the output."""
        return self.input_hz * self.multiplier / self.divider

    @property
    def vco_hz(self) -> float:
        """Frequency of the oscillator inside."""
        return self.output_hz * self.vco_divider


class _Kind(NamedTuple):
    """What a family's PLL allows."""

    dividers: range
    multipliers: range
    vco_dividers: tuple[int, ...]
    lowest_compare: float
    """Hz, of the input behind its divider."""
    vco: tuple[float, float]
    """Lowest and highest frequency inside."""


_GOWIN_ODIV = (2, 4, 8, 16, 32, 48, 64, 80, 96, 112, 128)

# ECP5: FPGA-DS-02012, sysCLOCK PLL timing. Gowin: DS117 (GW1NR-9 C6/I5), DS226 (GW2AR-18 C8/I7).
_KINDS = {
    "ecp5": _Kind(range(1, 129), range(1, 81), tuple(range(1, 129)), 10e6, (400e6, 800e6)),
    "gw1n": _Kind(range(1, 65), range(1, 65), _GOWIN_ODIV, 3e6, (400e6, 1200e6)),
    "gw2a": _Kind(range(1, 65), range(1, 65), _GOWIN_ODIV, 3e6, (500e6, 1250e6)),
}


def find_pll(kind: str, input_hz: float, output_hz: float) -> Pll:
    """The settings that come nearest to a frequency, with the middle of what is allowed inside.

    Parameters
    ----------
    kind : str
        `ecp5`, `gw1n` or `gw2a`.
    input_hz, output_hz : float

    Raises
    ------
    CimpleError
        None is within half a percent.
    """
    low, high = _KINDS[kind].vco

    def badness(pll: Pll) -> tuple[float, float, float]:
        return (
            abs(pll.output_hz - output_hz), pll.divider, abs(pll.vco_hz - (low + high) / 2),
        )

    best = min(_settings(_KINDS[kind], input_hz, output_hz), key=badness, default=None)
    if best is None:
        raise CimpleError(
            f"no setting of the PLL makes {output_hz / 1e6:g} MHz of {input_hz / 1e6:g} MHz; "
            "choose another clock for the board"
        )
    return best


def _settings(kind: _Kind, input_hz: float, output_hz: float) -> Iterator[Pll]:
    for divider, vco_divider in product(kind.dividers, kind.vco_dividers):
        if input_hz / divider < kind.lowest_compare:
            continue
        multiplier = round(output_hz * divider / input_hz)
        pll = Pll(input_hz, divider, multiplier, vco_divider)
        if multiplier not in kind.multipliers or not kind.vco[0] <= pll.vco_hz <= kind.vco[1]:
            continue
        if abs(pll.output_hz / output_hz - 1) <= _TOLERANCE:
            yield pll


def add_pll(m: Module, kind: str, pll: Pll, clock_in: Any, device: str = "") -> tuple[Any, Any]:
    """Add the PLL to a module; its clock and whether it is locked, both signals.

    `device` is what Gowin's primitive wants to know, as `GW2AR-18C`.
    """
    clock, locked = Signal(name="pll_clock"), Signal(name="pll_locked")
    m.submodules.pll = _INSTANCES[kind](pll, clock_in, clock, locked, device)
    return clock, locked


def _ecp5(pll: Pll, clock_in: Any, clock: Signal, locked: Signal, device: str) -> Any:
    return Instance(
        "EHXPLLL",
        a_FREQUENCY_PIN_CLKI=f"{pll.input_hz / 1e6:g}",
        a_FREQUENCY_PIN_CLKOP=f"{pll.output_hz / 1e6:g}",
        a_ICP_CURRENT="12", a_LPF_RESISTOR="8",
        p_PLLRST_ENA="DISABLED", p_INTFB_WAKE="DISABLED", p_STDBY_ENABLE="DISABLED",
        p_DPHASE_SOURCE="DISABLED", p_OUTDIVIDER_MUXA="DIVA", p_OUTDIVIDER_MUXB="DIVB",
        p_OUTDIVIDER_MUXC="DIVC", p_OUTDIVIDER_MUXD="DIVD", p_FEEDBK_PATH="CLKOP",
        p_CLKI_DIV=pll.divider, p_CLKFB_DIV=pll.multiplier,
        p_CLKOP_ENABLE="ENABLED", p_CLKOP_DIV=pll.vco_divider, p_CLKOP_CPHASE=pll.vco_divider // 2,
        p_CLKOP_FPHASE=0,
        i_RST=Const(0), i_STDBY=Const(0), i_CLKI=clock_in, i_CLKFB=clock, i_PHASESEL0=Const(0),
        i_PHASESEL1=Const(0), i_PHASEDIR=Const(1), i_PHASESTEP=Const(1), i_PHASELOADREG=Const(1),
        i_PLLWAKESYNC=Const(0), i_ENCLKOP=Const(0),
        o_CLKOP=clock, o_LOCK=locked,
    )  # fmt: skip


def _gowin(pll: Pll, clock_in: Any, clock: Signal, locked: Signal, device: str) -> Any:
    zeros = {f"i_{name}": Const(0, width) for name, width in (
        ("FBDSEL", 6), ("IDSEL", 6), ("ODSEL", 6), ("PSDA", 4), ("DUTYDA", 4), ("FDLY", 4),
        ("RESET", 1), ("RESET_P", 1), ("CLKFB", 1),
    )}  # fmt: skip
    return Instance(
        "rPLL",
        p_DEVICE=device, p_FCLKIN=f"{pll.input_hz / 1e6:g}",
        p_IDIV_SEL=pll.divider - 1, p_FBDIV_SEL=pll.multiplier - 1, p_ODIV_SEL=pll.vco_divider,
        p_DYN_SDIV_SEL=2, p_PSDA_SEL="0000", p_DUTYDA_SEL="1000", p_CLKFB_SEL="internal",
        p_CLKOUT_BYPASS="false", p_CLKOUTP_BYPASS="false", p_CLKOUTD_BYPASS="false",
        **zeros, i_CLKIN=clock_in, o_CLKOUT=clock, o_LOCK=locked,
    )  # fmt: skip


_INSTANCES: dict[str, Callable[..., Any]] = {"ecp5": _ecp5, "gw1n": _gowin, "gw2a": _gowin}
