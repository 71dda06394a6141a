# SPDX-License-Identifier: Apache-2.0
"""Boards that amaranth-boards does not have: which pin of the part is what.

Only what a Cimple bitstream uses is listed. The pins are those of the vendors' schematics.
"""

# The stub of Amaranth's types leaves its vendor platforms abstract.
# pyright: reportIncompatibleVariableOverride=false, reportIncompatibleMethodOverride=false

from typing import Any

from amaranth.build import Attrs, Clock, Pins, PinsN, Resource, Subsignal
from amaranth.vendor import GowinPlatform, LatticeECP5Platform

__all__ = ["ColorlightI5Platform", "ColorlightI9Platform", "TangNano20kPlatform", "uart"]


def uart(rx: str, tx: str, attributes: Attrs, **connector: Any) -> Resource:
    """A serial port by its pins, as seen from the FPGA."""
    return Resource(
        "uart", 0,
        Subsignal("rx", Pins(rx, dir="i", **connector)),
        Subsignal("tx", Pins(tx, dir="o", **connector)),
        attributes,
    )  # fmt: skip


def _colorlight(led: str) -> list[Resource]:
    """A Colorlight module on the extension board of Muse Lab, whose USB bridge is the UART."""
    io = Attrs(IO_TYPE="LVCMOS33")
    return [
        Resource("clk25", 0, Pins("P3", dir="i"), Clock(25e6), io),
        Resource("led", 0, PinsN(led, dir="o"), io),
        Resource("button", 0, PinsN("K18", dir="i"), Attrs(IO_TYPE="LVCMOS33", PULLMODE="UP")),
        uart("H18", "J17", io),
    ]


class _ColorlightPlatform(LatticeECP5Platform):
    """What the modules have in common."""

    package = "BG381"
    speed = "6"
    default_clk = "clk25"
    connectors: tuple[Any, ...] = ()


class ColorlightI5Platform(_ColorlightPlatform):
    """Colorlight i5, revision 7.0."""

    device = "LFE5U-25F"
    resources = _colorlight("U16")


class ColorlightI9Platform(_ColorlightPlatform):
    """Colorlight i9, revision 7.2."""

    device = "LFE5U-45F"
    resources = _colorlight("L2")


class TangNano20kPlatform(GowinPlatform):
    """Sipeed Tang Nano 20K; the UART is its USB bridge."""

    part = "GW2AR-LV18QN88C8/I7"
    family = "GW2AR-18C"
    default_clk = "clk27"
    connectors = ()
    resources = (
        Resource("clk27", 0, Pins("4", dir="i"), Clock(27e6), Attrs(IO_TYPE="LVCMOS33")),
        Resource("led", 0, PinsN("15", dir="o"), Attrs(IO_TYPE="LVCMOS33")),
        Resource(
            "button", 0, Pins("88", dir="i"), Attrs(IO_TYPE="LVCMOS33", PULL_MODE="DOWN")
        ),
        uart("70", "69", Attrs(IO_TYPE="LVCMOS33", PULL_MODE="UP")),
    )
