# SPDX-License-Identifier: Apache-2.0
"""nextpnr as a place-and-route tool: native where there is one, else the WebAssembly wheel."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..hdl.errors import CimpleError
from .families import Device
from .programs import find_program
from .synthesis import NETLIST

__all__ = ["CriticalPath", "Nextpnr", "Routed", "find_nextpnr", "read_report"]

#: The first version whose reports are as they are read here.
_OLDEST = "0.6"

_REPORT = "report.json"


@dataclass(frozen=True)
class CriticalPath:
    """The longest path from a clock edge to a clock edge."""

    start: str
    """Name of the cell where it starts."""
    end: str
    """Name of the cell where it ends."""
    logic_ns: float
    """Nanoseconds in cells, setup time included."""
    routing_ns: float
    """Nanoseconds in wires."""

    def to_mapping(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


@dataclass(frozen=True)
class Routed:
    """What nextpnr says of a design that it has placed and routed."""

    fmax: float
    """Highest clock frequency in MHz."""
    used: dict[str, int]
    """What of the device is used, by nextpnr's names, zeros left out."""
    path: CriticalPath


@dataclass(frozen=True)
class Nextpnr:
    """An installed nextpnr for one family."""

    command: str
    """What starts it."""
    version: str
    """As `0.11`."""

    def run(
        self, device: Device, seed: int, directory: Path, effort: Sequence[str] = ()
    ) -> Routed:
        """Place and route `NETLIST` in `directory`, with the options `effort`.

        The tool runs there and is given bare names: as a WebAssembly program it sees little else of
        the file system.

        Raises:
            CimpleError: nextpnr ends with an error, or its report cannot be read.
        """
        (directory / _REPORT).unlink(missing_ok=True)
        # However slow a design is, its speed is the answer and no failure.
        files = ["--json", NETLIST, "--report", _REPORT, "--timing-allow-fail"]
        result = subprocess.run(
            [self.command, *device.options, *effort, *files, "--seed", str(seed)],
            cwd=directory, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if result.returncode:
            raise CimpleError(
                f"{self.command} ended with an error in {device.title}, seed {seed}: "
                f"{_reason(result.stdout + result.stderr)}"
            )
        try:
            return read_report(json.loads((directory / _REPORT).read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:
            raise CimpleError(f"{self.command}: its report cannot be read: {error}") from None


def find_nextpnr(tool: str) -> Nextpnr:
    """The nextpnr to use, as `nextpnr-ecp5`.

    Raises:
        CimpleError: there is none, or only one that is too old.
    """
    return Nextpnr(*find_program(tool, "--version", r"Version (?:nextpnr-)?(\d+\.\d+)", _OLDEST))


def read_report(report: Mapping[str, Any]) -> Routed:
    """What the JSON report of nextpnr says of a design with one clock.

    Raises:
        ValueError: it is no such report.
    """
    try:
        clocks = report["fmax"].values()
        (fmax,) = (clock["achieved"] for clock in clocks)
        used = {name: of["used"] for name, of in report["utilization"].items() if of["used"]}
        paths = [path for path in report["critical_paths"] if "<async>" not in _ends(path)]
        return Routed(float(fmax), used, _critical(paths[0]["path"]))
    except (KeyError, TypeError, AttributeError, IndexError, ValueError):
        raise ValueError("it holds no clock frequency of a single clock") from None


def _ends(path: Mapping[str, Any]) -> tuple[str, str]:
    return path["from"], path["to"]


def _critical(steps: list[Mapping[str, Any]]) -> CriticalPath:
    wires = sum(step["delay"] for step in steps if step["type"] == "routing")
    total = sum(step["delay"] for step in steps)
    start, end = steps[0]["from"]["cell"], steps[-1]["to"]["cell"]
    return CriticalPath(start, end, round(total - wires, 3), round(wires, 3))


def _reason(said: str) -> str:
    """The errors in a log, or its last lines where it names none."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    return " ".join(errors[:3] or lines[-3:])
