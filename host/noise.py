# SPDX-License-Identifier: Apache-2.0
"""Runs of the noise bench on an NPU behind a serial line, and the record of them."""

import json
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from ..hdl.generate import generate
from ..hdl.link.config import Protocol, WrapperConfig
from ..hdl.npu.config import NpuConfig
from ..verif.bench.build import build_bench
from ..verif.bench.protocol import NOISE_VARIABLE, NoisePlan
from ..verif.bench.run import BenchCase, run_bench
from ..verif.bench.simulators import Simulator, find_simulator
from ..verif.bench.verify import bench_of, variables_of
from .devices.build import Progress
from .speed import machine

__all__ = ["RATE", "WRAPPER", "NoiseRun", "noise_page", "run_noise"]

#: Share of frames that get a fault.
RATE = 0.25

#: A link of which a bit takes few cycles, as simulation takes time for each.
WRAPPER = WrapperConfig(protocol=Protocol.UART, clock_hz=8_000_000, buffer_words=128)

_BENCH = "noise_bench"


@dataclass(frozen=True)
class NoiseRun:
    """What a run has come to. `failure` is why it failed; empty if it passed."""

    config: NpuConfig
    simulator: Simulator
    seed: int
    deviation: float
    found: dict[str, Any]
    seconds: float
    failure: str

    def to_record(self) -> dict[str, Any]:
        """What a record keeps."""
        return {
            "configuration": self.config.digest(),
            "wrapper": WRAPPER.digest(),
            "simulator": self.simulator.name,
            "simulator_version": self.simulator.version,
            "seed": self.seed,
            "rate": RATE,
            "deviation": self.deviation,
            **self.found,
            "seconds": round(self.seconds, 1),
            "cocotb": metadata.version("cocotb"),
            **machine(),
        }


def run_noise(
    config: NpuConfig, simulator: str, seed: int, events: int, *, deviation: float = 0.0,
    progress: Callable[[int], None] = lambda events: None, say: Progress = lambda message: None,
) -> NoiseRun:
    """Run the noise bench until so many faults have been on the line, or one was too many.

    Args:
        config: the NPU behind the line.
        simulator: one of `SIMULATORS`.
        seed: what requests and faults are drawn from.
        events: how many faults.
        deviation: by which the host's bits are longer than the device's, in per cent.
        progress: told how many faults there have been since it was called before.
        say: told what takes time before.

    Raises:
        CimpleError: there is no such simulator, or it does not take the design.
    """
    found = find_simulator(simulator)
    module = bench_of(config, WRAPPER).rpartition(".")[0] + f".{_BENCH}"
    say("generating and building the simulation")
    design = generate(config, WRAPPER)
    build = build_bench(design.verilog, design.name, found)
    with tempfile.TemporaryDirectory(prefix="cimple-noise-") as scratch:
        count, result = Path(scratch, "count"), Path(scratch, "result.json")
        plan = NoisePlan(events, RATE, deviation, str(count), str(result))
        follower = _Follower(count, progress)
        started = time.perf_counter()
        run = run_bench(
            build, design.name, found, module, config, seed=seed, watch=follower.watch,
            alive=follower.look,
            variables={**variables_of(WRAPPER), NOISE_VARIABLE: json.dumps(asdict(plan))},
        )
        seconds = time.perf_counter() - started
        follower.look()
        failure = "\n".join(case.message for case in run.cases if case.outcome != "passed")
        counts = json.loads(result.read_text(encoding="utf-8")) if run.passed else {}
    return NoiseRun(config, found, seed, deviation, counts, seconds, failure)


class _Follower:
    """Reads how far the bench is, whenever there is a sign of life."""

    def __init__(self, path: Path, progress: Callable[[int], None]) -> None:
        self._path = path
        self._progress = progress
        self._seen = 0

    def watch(self, case: BenchCase) -> None:
        """A case begins or ends."""
        self.look()

    def look(self) -> None:
        """Pass on what was added."""
        try:
            count = int(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            # It is not there yet, or is being written.
            return
        self._progress(count - self._seen)
        self._seen = count


def noise_page(results: dict[str, Any]) -> str:
    """The record as a page of Markdown; `results` as they are in the record."""
    rows = []
    for name, found in sorted(results.items()):
        cells = (
            name, f"{found['events']:,}", f"{found['packets_carried_out']:,}",
            f"{found['answers_compared']:,}", f"{found['sessions']:,}", found["programs"],
            f"{found['cycles']:,}", found["seed"], found["seconds"],
            f"{found['simulator']} {found['simulator_version']}",
            f"{found['load']} on {found['cpus']}",
        )  # fmt: skip
        rows.append(f"| {' | '.join(str(cell) for cell in cells)} |")
    sections = "\n".join(_section(name, found) for name, found in sorted(results.items()))
    return _PAGE.format(rows="\n".join(rows), sections=sections)


def _section(name: str, found: dict[str, Any]) -> str:
    kinds = sorted({*found["to_device"], *found["from_device"]})
    faults = "\n".join(
        f"| {kind} | {found['to_device'].get(kind, 0):,} | {found['from_device'].get(kind, 0):,} |"
        for kind in kinds
    )
    counters = [
        *((f"device: {each.lower()}", n) for each, n in found["device_counters"].items()),
        *((f"host: {each}", n) for each, n in found["host_counters"].items()),
    ]
    return _SECTION.format(
        name=name, rate=100 * found["rate"], deviation=found["deviation"], faults=faults,
        counters="\n".join(f"| {each} | {count:,} |" for each, count in counters),
    )


_PAGE = """\
# Noise on a serial line

An NPU's generated Verilog behind its serial link, and at the pins the host's end of the link that
`cimple run` uses. Frames in both directions meet faults of all kinds; hosts go away amid a frame
and others come. Written by `cimple noise`, and only if

- the packets that reach the NPU are those that the host means, each once and in order; of a host
  that went away they are a beginning of these;
- every answer is the golden model's, to the bit;
- all memories are what the golden model says at the end, after a program on a silent line.

| NPU | faults | packets carried out | answers compared | sessions | programs | cycles \
| seed | seconds | tool | load on CPUs |
|---|---:|---:|---:|---:|---:|---:|---:|---:|---|---|
{rows}

{sections}"""

_SECTION = """\
## {name}

{rate:g} % of the frames have a fault; the host's bits are {deviation:g} % longer than the device's.

| fault | to the device | from the device |
|---|---:|---:|
{faults}

What both ends have counted:

| counter | |
|---|---:|
{counters}
"""
