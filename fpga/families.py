# SPDX-License-Identifier: Apache-2.0
"""The FPGA families in which designs are counted and placed: the one table of them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from ..hdl.config import Config
from ..hdl.errors import CimpleError
from ..hdl.macro.config import MacroConfig
from ..hdl.macro.parameters import Storage
from ..hdl.npu.config import NpuConfig
from .capacity import Capacity

__all__ = [
    "FAMILIES", "NO_EFFORT", "Count", "Device", "Effort", "Family", "family_of", "suits_fpgas",
    "target_of",
]


class Count(NamedTuple):
    """One column of a count: cells that are counted together."""

    name: str
    """Heading of the column."""
    cells: str
    """Regular expression for the names of the cells."""
    what: str = "site"
    """`site`, `ff`, `ram` or `dsp`."""
    sites: int = 0
    """LUT4 positions that one of the cells takes."""


class Effort(NamedTuple):
    """How nextpnr places and routes a design."""

    options: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    """As ``name=value``: nextpnr takes them from the netlist."""
    blocks_first: tuple[str, ...] = ()
    """Types of the cells that a first placement finds places for, and a second takes as given,
    where a design has any.
    """

    @property
    def words(self) -> tuple[str, ...]:
        """All of it, to be read."""
        first = (f"blocks-first={','.join(self.blocks_first)}",) if self.blocks_first else ()
        return self.options + self.settings + first


#: As nextpnr does it where nothing is said.
NO_EFFORT = Effort()


class Device(NamedTuple):
    """The part of a family in which designs are placed."""

    title: str
    tool: str
    """Name of the place-and-route program."""
    options: tuple[str, ...]
    """Its options for this part."""
    positions: str
    """What its report calls a LUT4 position."""
    capacity: Capacity
    effort: Effort = NO_EFFORT
    """How it places all designs."""
    npu_effort: Effort = NO_EFFORT
    """What comes to it for NPUs."""

    def effort_for(self, kind: str) -> Effort:
        """Options and settings for a design of this kind."""
        if kind != "npu":
            return self.effort
        return Effort(*(one + more for one, more in zip(self.effort, self.npu_effort, strict=True)))

    def flow(self, kind: str = "macro") -> str:
        """The part, and how designs of this kind are placed in it."""
        effort = " ".join(self.effort_for(kind).words)
        return self.title + (f", with `{effort}`" if effort else "")


@dataclass(frozen=True)
class Family:
    """How a family's designs are synthesised, counted and placed."""

    name: str
    title: str
    synthesis: str
    """Yosys commands; `{name}` is the top-level module."""
    counts: tuple[Count, ...]
    device: Device | None = None
    """None where placing is not supported."""

    def count(self, cells: Mapping[str, int]) -> dict[str, int]:
        """Cells by name, as Yosys counts them, summed up by column."""
        return {
            column.name: sum(
                number for cell, number in cells.items() if re.fullmatch(column.cells, cell)
            )
            for column in self.counts
        }


# A carry cell of the ECP5 holds two positions. A LUT-RAM of 16 x 4 bits holds its data in four LUTs
# and takes two more for its write port, on the ECP5 and on Gowin's parts alike. An SB_CARRY shares
# the position of a LUT. Multiplexers that join LUTs (PFUMX, L6MUX21, MUX2_LUT5) take none.
FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (
        Family(
            "ecp5",
            "Lattice ECP5",
            "synth_ecp5 -top {name}",
            (
                Count("LUT4", "LUT4", sites=1),
                Count("CCU2C", "CCU2C", sites=2),
                Count("DPR16X4", "TRELLIS_DPR16X4", sites=6),
                Count("FF", "TRELLIS_FF", "ff"),
                # One block with ports of up to 18 bits, or of 36.
                Count("DP16KD", "DP16KD|PDPW16KD", "ram"),
                Count("MULT18X18D", "MULT18X18D", "dsp"),
            ),
            Device(
                "LFE5U-85F, speed grade 6",
                "nextpnr-ecp5",
                ("--85k", "--package", "CABGA381", "--speed", "6"),
                "TRELLIS_COMB",
                Capacity(sites=83_640, ff=83_640, rams=208, dsps=156),
                Effort(
                    # Three times the default: what limits a macro are long ways across the die.
                    ("--placer-heap-timingweight", "30"),
                    # There are few rows of blocks. Placers move them there late, when the logic
                    # around them has its place: with blocks that have one from the start it takes
                    # a tenth less wire.
                    blocks_first=("DP16KD", "PDPW16KD", "MULT18X18D"),
                ),
                Effort(
                    # Where most of the device is used, the default placer needs a sixth more wire,
                    # and the default router comes to no end.
                    ("--placer", "static", "--router", "router2"),
                    # Nets leave where many meet, and the price of a wire that two want rises
                    # slowly: with the defaults, 3 and 2, the router does not come to an end where
                    # the device is full, as nets that lie close together chase each other.
                    (
                        "router2/bbMargin/x=8", "router2/bbMargin/y=8",
                        "router2/currCongWeightMult=1.0",
                    ),
                ),
            ),
        ),
        Family(
            "ice40",
            "Lattice iCE40 UltraPlus",
            # There is no LUT-RAM: tables that ask for it become block RAM.
            "setattr -unset ram_style a:ram_style=distributed; synth_ice40 -device u -top {name}",
            (
                Count("SB_LUT4", "SB_LUT4", sites=1),
                Count("SB_DFF", "SB_DFF.*", "ff"),
                Count("SB_RAM40_4K", "SB_RAM40_4K.*", "ram"),
                Count("SB_SPRAM256KA", "SB_SPRAM256KA", "ram"),
                Count("SB_MAC16", "SB_MAC16", "dsp"),
            ),
            Device(
                "iCE40UP5K",
                "nextpnr-ice40",
                ("--up5k", "--package", "sg48"),
                "ICESTORM_LC",
                # Of the memories 30 are small and 4 large.
                Capacity(sites=5_280, ff=5_280, rams=34, dsps=8),
            ),
        ),
        Family(
            "gowin",
            "Gowin GW1N",
            "synth_gowin -noiopads -top {name}",
            (
                Count("LUT", "LUT[1-4]|INV", sites=1),
                Count("ALU", "ALU", sites=1),
                Count("RAM16SDP4", "RAM16SDP4", sites=6),
                Count("DFF", "DFF.*", "ff"),
                Count("BSRAM", "pROM(X9)?|SPX9|SP|DPB|DPX9B|SDPB|SDPX9B", "ram"),
                Count("MULT", "MULT.*", "dsp"),
            ),
        ),
    )
}


def family_of(config: Config, wanted: str | None = None) -> Family:
    """The family to count a configuration in: the wanted one, or that of its field `target`.

    A design without cells of one family counts as ECP5.

    Raises:
        CimpleError: there is no such family, or the design is made of another one's cells, or of
            latches.
    """
    if wanted is not None and wanted not in FAMILIES:
        raise CimpleError(f"--family must be one of {', '.join(FAMILIES)}, not {wanted!r}")
    if not suits_fpgas(config):
        raise CimpleError(
            "storage: latch is for chips: the flows for FPGAs refuse latches; "
            "set another storage, or estimate it with --asic"
        )
    target = target_of(config)
    if wanted and target in FAMILIES and target != wanted:
        raise CimpleError(
            f"target: {target} makes a design of cells that {wanted} does not have; "
            f"set target: generic, or say --family {target}"
        )
    return FAMILIES[wanted or (target if target in FAMILIES else "ecp5")]


def suits_fpgas(config: Config) -> bool:
    """Whether a design is free of latches, which no FPGA has."""
    macro = _macro_of(config)
    return macro is None or macro.storage is not Storage.LATCH


def target_of(config: Config) -> str:
    """The family whose cells the macro instantiates; `generic` where it names none."""
    macro = _macro_of(config)
    return macro.target.value if macro else "generic"


def _macro_of(config: Config) -> MacroConfig | None:
    macro = config.macro if isinstance(config, NpuConfig) else config
    return macro if isinstance(macro, MacroConfig) else None
