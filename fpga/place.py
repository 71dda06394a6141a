# SPDX-License-Identifier: Apache-2.0
"""The clock frequency of a design after place and route, in a harness, as a median over seeds.

nextpnr starts from a random placement, and frequencies differ by some percent from seed to seed:
only a median over a few of them is worth comparing.
"""

import statistics
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..hdl.errors import CimpleError
from ..hdl.generate import Design
from .families import FAMILIES, Device, Family
from .nextpnr import CriticalPath, Nextpnr
from .synthesis import synthesise_in_harness
from .yosys import Yosys

__all__ = ["Placement", "device_of", "place"]


@dataclass(frozen=True)
class Placement:
    """A design in its harness, placed and routed with some seeds."""

    device: str
    """The part, and how the design is placed in it: `Device.flow`."""
    nextpnr: str
    """Version of nextpnr."""
    fmax: tuple[float, ...]
    """MHz by seed: 1, 2 and so on."""
    used: Mapping[str, int]
    """What of the device the first seed uses, harness included, by nextpnr's names."""
    path: CriticalPath
    """The critical path of the slowest seed."""

    @property
    def median(self) -> float:
        """The median frequency in MHz."""
        return statistics.median(self.fmax)

    def to_mapping(self) -> dict[str, Any]:
        """As plain data."""
        by_seed = [round(fmax, 2) for fmax in self.fmax]
        return {
            "device": self.device,
            "nextpnr": self.nextpnr,
            # Of the rounded ones, so that what is read back says the same.
            "fmax_mhz": round(statistics.median(by_seed), 2),
            "fmax_mhz_by_seed": {str(seed): fmax for seed, fmax in enumerate(by_seed, start=1)},
            "used_with_harness": dict(self.used),
            "critical_path": self.path.to_mapping(),
        }

    @classmethod
    def from_mapping(cls, found: Mapping[str, Any]) -> "Placement":
        """What `to_mapping` gave.

        Raises:
            KeyError: something is missing.
            TypeError: something is of another kind.
        """
        return cls(
            found["device"],
            found["nextpnr"],
            tuple(float(fmax) for fmax in found["fmax_mhz_by_seed"].values()),
            dict(found["used_with_harness"]),
            CriticalPath(**found["critical_path"]),
        )


def device_of(family: Family) -> Device:
    """The device in which designs of a family are placed.

    Raises:
        CimpleError: there is none.
    """
    if family.device is None:
        able = ", ".join(name for name, each in FAMILIES.items() if each.device)
        raise CimpleError(
            f"--place: {family.title} is counted, not placed; families that are placed: {able}"
        )
    return family.device


def place(
    design: Design,
    family: Family,
    yosys: Yosys,
    nextpnr: Nextpnr,
    seeds: int = 3,
    say: Callable[[str], None] = lambda message: None,
) -> Placement:
    """Synthesise a design in its harness, then place and route it with seeds 1 to `seeds`.

    Parameters
    ----------
    design : Design
    family : Family
        One with a device.
    yosys : Yosys
    nextpnr : Nextpnr
        The one for that device.
    seeds : int
        At least 1.
    say : callable
        Told of each step before it begins.

    Raises
    ------
    CimpleError
        A tool fails, or the design does not fit the device.
    """
    device, kind = device_of(family), design.manifest["kind"]
    with tempfile.TemporaryDirectory(prefix="cimple-") as scratch:
        directory = Path(scratch)
        say("synthesis in a harness")
        synthesise_in_harness(design, family, yosys, directory)
        routed = []
        for seed in range(1, seeds + 1):
            say(f"place and route, seed {seed} of {seeds}")
            routed.append(nextpnr.run(device, seed, directory, device.effort_for(kind)))
    slowest = min(routed, key=lambda each: each.fmax)
    return Placement(
        device=device.flow(kind),
        nextpnr=nextpnr.version,
        fmax=tuple(each.fmax for each in routed),
        used=routed[0].used,
        path=slowest.path,
    )

