# SPDX-License-Identifier: Apache-2.0
"""From a netlist to a bitstream, family by family: the one table of the tools and their options."""

import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from .families import FAMILIES, Family
from .synthesis import placing_flow

__all__ = ["FLOWS", "Flow"]


class Flow(NamedTuple):
    """How bitstreams of a family are made."""

    family: Family
    synthesis: str
    """Yosys commands; `{name}` is the top level."""
    router: str
    """Place-and-route program."""
    constraints: str
    """Ending of the constraint file that the Amaranth platform writes."""
    options: Callable[[Any, float], tuple[str, ...]]
    """Options of the router, from the platform and the clock in MHz; it reads `netlist.json`."""
    placed: str
    """What it writes."""
    packer: str
    """Program that makes the bitstream of that."""
    pack: Callable[[Any, str], tuple[str, ...]]
    """Its options, from the platform and the bitstream's name."""
    ending: str
    """Of the bitstream."""
    counted: Mapping[str, tuple[str, ...]]
    """What nextpnr calls LUT4 positions, flip-flops, block RAMs and DSP blocks, by `lut`, `ff`,
    `ram` and `dsp`; several names are added up. What it does not name Yosys counts."""
    packs_first: bool = False
    """Whether only packing shows what cells take, so that it is done before placing begins."""


def _ecp5_options(platform: Any, clock: float) -> tuple[str, ...]:
    kind, size = re.fullmatch(r"LFE5(U|UM|UM5G)-(\d+)F", platform.device).groups()  # type: ignore[union-attr]
    variant = "" if kind == "U" else f"{kind.lower()}-"
    packages = {"MG285": "CSFBGA285", "BG381": "CABGA381", "BG554": "CABGA554"}
    return (
        f"--{variant}{size}k", "--package", packages[platform.package], "--speed", platform.speed,
        "--lpf", "top.lpf", "--textcfg", "placed.config", "--freq", f"{clock:g}",
    )  # fmt: skip


def _ice40_options(platform: Any, clock: float) -> tuple[str, ...]:
    size = platform.device.removeprefix("iCE40").lower()
    return (
        f"--{size}", "--package", platform.package.lower(), "--pcf", "top.pcf", "--asc",
        "placed.asc", "--freq", f"{clock:g}",
    )  # fmt: skip


def _gowin_family(platform: Any) -> str:
    """The die, which several families share: memory in the same package is no part of it."""
    return re.sub(r"^(GW1N|GW2A)[A-Z]*-", r"\1-", platform.family)


def _gowin_options(platform: Any, clock: float) -> tuple[str, ...]:
    return (
        "--device", platform.part, "--vopt", f"family={_gowin_family(platform)}", "--vopt",
        "cst=top.cst", "--write", "placed.json", "--freq", f"{clock:g}",
    )  # fmt: skip


_ECP5 = Flow(
    FAMILIES["ecp5"], placing_flow(FAMILIES["ecp5"]), "nextpnr-ecp5", ".lpf", _ecp5_options,
    "placed.config", "ecppack",
    lambda platform, name: ("--compress", "--input", "placed.config", "--bit", name), ".bit",
    {"lut": ("TRELLIS_COMB",), "ff": ("TRELLIS_FF",), "ram": ("DP16KD",), "dsp": ("MULT18X18D",)},
)  # fmt: skip

_ICE40 = Flow(
    # Multipliers go into DSP blocks, which the flow for counts leaves alone.
    FAMILIES["ice40"],
    "setattr -unset ram_style a:ram_style=distributed; synth_ice40 -dsp -device u -top {name}",
    "nextpnr-ice40", ".pcf", _ice40_options, "placed.asc", "icepack",
    lambda platform, name: ("placed.asc", name), ".bin",
    {"lut": ("ICESTORM_LC",), "ram": ("ICESTORM_RAM",), "dsp": ("ICESTORM_DSP",)},
)  # fmt: skip

_GOWIN = Flow(
    FAMILIES["gowin"], "synth_gowin -top {name}", "nextpnr-himbaechel-gowin", ".cst",
    _gowin_options, "placed.json", "gowin_pack",
    lambda platform, name: (
        # Pins that configure the part are used after that.
        "--sspi_as_gpio", "--mspi_as_gpio", "-d", _gowin_family(platform), "-o", name,
        "placed.json",
    ), ".fs",
    # A flip-flop is reached through a LUT, which is counted even where it does nothing else.
    {"lut": ("LUT4", "ALU"), "ff": ("DFF",), "ram": ("BSRAM",)}, packs_first=True,
)  # fmt: skip

#: By the name that boards give; the two dies of Gowin differ in their PLL.
FLOWS: dict[str, Flow] = {"ecp5": _ECP5, "ice40": _ICE40, "gw1n": _GOWIN, "gw2a": _GOWIN}
