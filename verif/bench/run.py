# SPDX-License-Identifier: Apache-2.0
"""Runs a bench in a simulation of the design it is for, and says how each case ended."""

import json
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from ...hdl.config import Config
from .process import End, run_job
from .protocol import CONFIG_VARIABLE, EVENTS_VARIABLE
from .simulators import Simulator

__all__ = ["BenchCase", "BenchRun", "run_bench"]

_LOG_LINES = 60


@dataclass(frozen=True)
class BenchCase:
    """The outcome of one test case."""

    name: str
    outcome: str
    """`started`, `passed`, `failed` or `skipped`."""
    seconds: float = 0.0
    message: str = ""
    """Why it failed."""


@dataclass(frozen=True)
class BenchRun:
    """One simulation of a bench: all its cases, with one simulator and one seed."""

    cases: tuple[BenchCase, ...]
    output: str
    """All that the simulation printed."""

    @property
    def passed(self) -> bool:
        """Whether there were cases and all of them passed."""
        return bool(self.cases) and all(case.outcome == "passed" for case in self.cases)


def run_bench(
    build: Path,
    top: str,
    simulator: Simulator,
    module: str,
    config: Config,
    *,
    seed: int,
    timeout: float = 300.0,
    only: str | None = None,
    first_failure: bool = False,
    watch: Callable[[BenchCase], None] = lambda case: None,
    alive: Callable[[], None] = lambda: None,
    variables: Mapping[str, str] | None = None,
) -> BenchRun:
    """Run the cases of a bench in a simulation that `build_bench` made.

    A case that hangs or takes the simulator down with it is a failed case.

    Parameters
    ----------
    build, top, simulator
        As given to and by `build_bench`.
    module : str
        Name of the bench module.
    config : Config
        The configuration of the design under test.
    seed : int
        Seed of the run; each case derives its own from it.
    timeout : float
        Seconds without a simulated cycle after which a case is given up.
    only : str
        Regular expression that picks cases by their names; all by default.
    first_failure : bool
        Whether the run ends with the first case that fails.
    watch : callable
        Called with each case when it starts and when it ends.
    alive : callable
        Called every few seconds in which simulated time went on.
    variables : mapping, optional
        More environment variables for the bench.
    """
    with tempfile.TemporaryDirectory(prefix="cimple-run-") as scratch:
        work = Path(scratch)
        (work / "config.yaml").write_text(config.to_yaml(), encoding="utf-8")
        events = _Events(work / "events", timeout, watch, alive)
        environment = simulator.environment() | {
            CONFIG_VARIABLE: str(work / "config.yaml"),
            EVENTS_VARIABLE: str(events.path),
            **(variables or {}),
        }
        job = {
            "simulator": simulator.name,
            "module": module,
            "top": top,
            "build_dir": str(build),
            "test_dir": str(work),
            "results": str(work / "results.xml"),
            "seed": seed,
            "filter": only,
            "max_failures": int(first_failure),
        }
        end = run_job("test", job, work, environment, events.expired)
        events.read()
        cases = _cases(work / "results.xml", events, end)
        if first_failure:
            # Those that were left out are reported as failed too.
            cases = [case for case in cases if case.name in {*events.cases, "bench"}]
        return BenchRun(tuple(cases), end.output)


class _Events:
    """Follows the file in which a bench reports the start and the end of each case."""

    def __init__(
        self, path: Path, timeout: float, watch: Callable[[BenchCase], None],
        alive: Callable[[], None],
    ) -> None:
        self.path = path
        self.timeout = timeout
        self.cases: dict[str, BenchCase] = {}
        self._watch = watch
        self._alive = alive
        self._read = 0
        self._latest = time.monotonic()

    def expired(self) -> bool:
        """Whether nothing was reported for too long; reads what was."""
        self.read()
        return time.monotonic() - self._latest > self.timeout

    def read(self) -> None:
        """Pass on what was reported since the last call."""
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            file.seek(self._read)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                self._read += len(line)
                self._latest = time.monotonic()
                event = json.loads(line)
                if "alive" in event:
                    self._alive()
                    continue
                case = BenchCase(event["case"], event["outcome"], event.get("seconds", 0.0))
                self.cases[case.name] = case
                self._watch(case)


def _cases(results: Path, events: _Events, end: End) -> list[BenchCase]:
    """The outcome of every case, from cocotb's report if there is one, else from the events."""
    if end.code == 0 and results.exists():
        cases = [_case_of(element) for element in ElementTree.parse(results).iter("testcase")]
        return cases or [BenchCase("bench", "failed", message="no case was run")]
    stopped = (
        f"no progress for {events.timeout:g} s" if end.code is None
        else f"the simulation ended with exit code {end.code}"
    )
    message = "\n".join([stopped, *end.output.splitlines()[-_LOG_LINES:]])
    cases = [
        BenchCase(case.name, "failed", case.seconds, message) if case.outcome == "started" else case
        for case in events.cases.values()
    ]
    if all(case.outcome == "passed" for case in cases):
        cases.append(BenchCase("bench", "failed", message=message))
    return cases


def _case_of(element: ElementTree.Element) -> BenchCase:
    name, seconds = element.get("name", ""), float(element.get("time", 0))
    for kind in ("failure", "error"):
        if (found := element.find(kind)) is not None:
            message = found.get("message") or found.text or kind
            return BenchCase(name, "failed", seconds, message)
    outcome = "passed" if element.find("skipped") is None else "skipped"
    return BenchCase(name, outcome, seconds)
