# SPDX-License-Identifier: Apache-2.0
"""nextpnr as a place-and-route tool: native where there is one, else the WebAssembly wheel."""

import json
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..hdl.errors import CimpleError
from .families import NO_EFFORT, Device, Effort
from .nextpnr_log import Estimate, read_estimate, reason_in, step_in
from .nextpnr_netlist import fix_cells, has_cells, set_in_netlist
from .programs import find_program
from .synthesis import NETLIST

__all__ = ["CriticalPath", "Nextpnr", "Routed", "find_nextpnr", "read_report"]

#: The first version whose reports are as they are read here.
_OLDEST = "0.6"

_REPORT = "report.json"
#: What it writes of a placement that is not the last.
_FIRST = "first.json"


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
        self, device: Device, seed: int, directory: Path, effort: Effort = NO_EFFORT
    ) -> Routed:
        """Place and route `NETLIST` in `directory`.

        The tool runs there and is given bare names: as a WebAssembly program it sees little else of
        the file system.

        Raises:
            CimpleError: nextpnr ends with an error, or its report cannot be read.
        """
        where = _where(device, seed)
        report = self.execute(device.options, seed, directory, where, effort=effort)
        try:
            return read_report(report)
        except ValueError as error:
            raise CimpleError(f"{self.command}: its report cannot be read: {error}") from None

    def execute(
        self, options: Sequence[str], seed: int, directory: Path, where: str,
        say: Callable[[str], None] = lambda message: None, effort: Effort = NO_EFFORT,
    ) -> Any:
        """Run it on `NETLIST` in `directory`; its report as plain data.

        Where the effort says so and there are blocks, it runs twice: from the first placement it
        keeps the blocks' places. What it printed last is left in `nextpnr.log`. `where` is for the
        error, `say` is told of each step.

        Raises:
            CimpleError: as `run`.
        """
        (directory / _REPORT).unlink(missing_ok=True)
        set_in_netlist(directory / NETLIST, effort.settings)
        command = self._words(options, seed, effort)
        if has_cells(directory / NETLIST, effort.blocks_first):
            first = [*command, "--no-route", "--write", _FIRST]
            self._start(first, directory, where, lambda step: say(f"{step}, for the blocks"))
            fix_cells(directory / NETLIST, directory / _FIRST, effort.blocks_first)
        self._start([*command, "--report", _REPORT], directory, where, say)
        try:
            return json.loads((directory / _REPORT).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise CimpleError(f"{self.command}: its report cannot be read: {error}") from None

    def estimate(
        self, device: Device, seed: int, directory: Path, effort: Effort = NO_EFFORT
    ) -> Estimate:
        """Place `NETLIST` in `directory` once, without routing it.

        Raises:
            CimpleError: as `run`.
        """
        command = [*self._words(device.options, seed, effort), "--no-route"]
        said = self._start(command, directory, _where(device, seed))
        try:
            return read_estimate(said)
        except ValueError as error:
            raise CimpleError(f"{self.command}: its log cannot be read: {error}") from None

    def _words(self, options: Sequence[str], seed: int, effort: Effort) -> list[str]:
        """What starts it on a netlist."""
        # However slow a design is, its speed is the answer and no failure.
        files = ["--json", NETLIST, "--timing-allow-fail"]
        return [self.command, *options, *effort.options, *files, "--seed", str(seed)]

    def _start(
        self, command: Sequence[str], directory: Path, where: str,
        say: Callable[[str], None] = lambda message: None,
    ) -> str:
        """Run it once; what it prints, which is also left in a file. An error ends it."""
        said: list[str] = []
        with subprocess.Popen(
            command, cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            assert process.stdout is not None
            for line in process.stdout:
                said.append(line)
                if step := step_in(line):
                    say(step)
        (directory / "nextpnr.log").write_text("".join(said), encoding="utf-8")
        if process.returncode:
            reason = reason_in("".join(said))
            raise CimpleError(f"{self.command} ended with an error in {where}: {reason}")
        return "".join(said)


def _where(device: Device, seed: int) -> str:
    return f"{device.title}, seed {seed}"


def find_nextpnr(
    tool: str, say: Callable[[str], None] = lambda message: None
) -> Nextpnr:
    """The nextpnr to use, as `nextpnr-ecp5`; `say` is told of a first start.

    Raises:
        CimpleError: there is none, or only one that is too old.
    """
    pattern = r"Version (?:nextpnr-)?(\d+\.\d+)"
    return Nextpnr(*find_program(tool, "--version", pattern, _OLDEST, say))


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
