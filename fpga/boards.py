# SPDX-License-Identifier: Apache-2.0
"""The boards: the one table of them.

A board is a part with its pins (an Amaranth platform), an NPU that fits the part, and a clock that
this NPU reaches there.
"""

import difflib
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from ..hdl.errors import CimpleError
from ..hdl.load import load_config
from ..hdl.npu.config import NpuConfig

__all__ = ["BITSTREAMS", "BOARDS", "Board", "find_board"]

#: Where bitstreams are, unless something else is said.
BITSTREAMS = Path("build/boards")

_ULX3S = "amaranth_boards.ulx3s:ULX3S_{}_Platform"
_ECPIX5 = "amaranth_boards.ecpix5:ECPIX5{}Platform"
_ORANGECRAB = "amaranth_boards.orangecrab_r0_2:OrangeCrabR0_2_{}Platform"
#: Platforms of Cimple's own.
_OWN = "cimple.fpga.platforms:{}Platform"


@dataclass(frozen=True)
class Board:
    """One board and what a bitstream for it holds."""

    name: str
    """What a user types."""
    title: str
    part: str
    """The FPGA."""
    luts: int
    """LUT4 of the part."""
    ffs: int
    """Flip-flops of the part."""
    flow: str
    """Key of `flows.FLOWS`."""
    platform: str
    """`module:class` of the Amaranth platform."""
    preset: str
    """The NPU."""
    clock_hz: int
    """What the NPU runs at. Where it is not the oscillator's frequency a PLL makes it."""
    loader: tuple[str, ...]
    """openFPGALoader's options for the board."""
    light: str = "led"
    """The resource that shows the self-test; of an `rgb_led` green is what a `led` is, and red
    where the test has failed."""
    button: str = "button"
    """The resource that resets all; empty where there is none."""
    uart_pins: tuple[str, str] = ("", "")
    """rx and tx, where the platform has no `uart`: pins of its connector `io`."""
    baud: int = 1_000_000
    link: str = "USB"
    """What carries the serial link to the host."""

    def npu(self) -> NpuConfig:
        """The configuration of its preset."""
        config = load_config(self.preset)
        assert isinstance(config, NpuConfig)
        return config

    def make_platform(self) -> Any:
        """The Amaranth platform, with a `uart`. Raises ModuleNotFoundError without the extra."""
        place, _, name = self.platform.partition(":")
        platform = getattr(import_module(place), name)()
        rx, tx = self.uart_pins
        if rx:
            # A module of Amaranth, which takes time to import.
            from amaranth.build import Attrs

            from .platforms import uart

            io = Attrs(IO_TYPE="LVCMOS33")
            platform.add_resources([uart(rx, tx, io, conn=("io", 0))])
        return platform


def _ulx3s(size: str, luts: int, preset: str, clock_hz: int) -> Board:
    return Board(
        f"ulx3s-{size.lower()}", f"Radiona ULX3S, {size}", f"LFE5U-{size}", luts, luts, "ecp5",
        _ULX3S.format(size), preset, clock_hz, ("--board", "ulx3s"),
    )  # fmt: skip


def _ecpix5(size: str, luts: int, preset: str, clock_hz: int) -> Board:
    return Board(
        f"ecpix5-{size}", f"LambdaConcept ECPIX-5, {size}F", f"LFE5UM5G-{size}F", luts, luts,
        "ecp5", _ECPIX5.format(size), preset, clock_hz, ("--board", "ecpix5"), light="rgb_led",
        button="rst",
    )  # fmt: skip


def _orangecrab(size: str, luts: int, preset: str, clock_hz: int) -> Board:
    return Board(
        f"orangecrab-{size.lower()}", f"OrangeCrab r0.2, {size}", f"LFE5U-{size}", luts, luts,
        "ecp5", _ORANGECRAB.format(size), preset, clock_hz, ("--board", "orangeCrab"),
        light="rgb_led",
        # Those of a Feather's serial port, for an adaptor: the board has none.
        uart_pins=("0", "1"), link="adaptor at pins 0 (rx) and 1 (tx)",
    )  # fmt: skip


BOARDS: dict[str, Board] = {
    board.name: board
    for board in (
        # An LFE5U-12F is a 25F by another name, and the open tools use all of it.
        _ulx3s("12F", 24_288, "npu_small", 50_000_000),
        _ulx3s("25F", 24_288, "npu_small", 50_000_000),
        _ulx3s("45F", 43_848, "npu_digits", 50_000_000),
        _ulx3s("85F", 83_640, "ulx3s_85f", 50_000_000),
        _orangecrab("25F", 24_288, "npu_small", 48_000_000),
        _orangecrab("85F", 83_640, "npu_digits", 48_000_000),
        _ecpix5("45", 43_848, "npu_digits", 50_000_000),
        _ecpix5("85", 83_640, "npu_digits", 50_000_000),
        Board(
            "colorlight-i5", "Colorlight i5", "LFE5U-25F", 24_288, 24_288, "ecp5",
            _OWN.format("ColorlightI5"), "npu_small", 50_000_000, ("--board", "colorlight-i5"),
        ),
        Board(
            "colorlight-i9", "Colorlight i9", "LFE5U-45F", 43_848, 43_848, "ecp5",
            _OWN.format("ColorlightI9"), "npu_digits", 50_000_000, ("--board", "colorlight-i9"),
        ),
        # The smallest NPU that runs the digits network, which does not fit: docs/guides/boards.md.
        Board(
            "tang-nano-9k", "Sipeed Tang Nano 9K", "GW1NR-9C", 8_640, 6_480, "gw1n",
            "amaranth_boards.tang_nano_9k:TangNano9kPlatform", "npu_nano", 27_000_000,
            ("--board", "tangnano9k"),
        ),
        Board(
            "tang-nano-20k", "Sipeed Tang Nano 20K", "GW2AR-18C", 20_736, 15_552, "gw2a",
            _OWN.format("TangNano20k"), "npu_nano", 27_000_000, ("--board", "tangnano20k"),
        ),
        Board(
            "icebreaker", "1BitSquared iCEBreaker", "iCE40UP5K", 5_280, 5_280, "ice40",
            # The smallest NPU there is, which does not fit either: docs/results/boards.md.
            "amaranth_boards.icebreaker:ICEBreakerPlatform", "npu_least", 12_000_000,
            ("--board", "ice40_generic"),
        ),
    )
}  # fmt: skip


def find_board(name: str) -> Board:
    """The board of that name. Raises CimpleError, which names those that there are."""
    if name in BOARDS:
        return BOARDS[name]
    near = difflib.get_close_matches(name.lower(), BOARDS, n=2)
    hint = f"did you mean {' or '.join(near)}?" if near else f"boards are: {', '.join(BOARDS)}"
    raise CimpleError(f"--board {name}: no such board; {hint}")
