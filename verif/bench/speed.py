# SPDX-License-Identifier: Apache-2.0
"""What cocotb costs while a bench is idle: the same model under it and under a C++ program."""

import json
import re
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from ...hdl.errors import CimpleError
from ...hdl.generate import Design, generate
from ...hdl.macro.config import MacroConfig
from .build import bench_key, build_environment, compile_bench
from .cache import cached_build
from .process import after, run_limited
from .protocol import IDLE_VARIABLE, IdlePlan
from .run import run_bench
from .simulators import Simulator, find_simulator

__all__ = ["Speed", "measure_speed"]

_REPLAY = Path(__file__).resolve().parent / "replay.cpp"

#: Cycles of the reset with which the bench begins.
_START = 2

#: Longest time for a replay, in seconds.
_TIMEOUT = 600


@dataclass(frozen=True)
class Speed:
    """Pauses between vectors: cycles a second of processor time, of one model run by both."""

    vectors: int
    pause: int
    """Clock cycles from the output of a vector to the next vector."""
    cpp: tuple[float, ...]
    """From C++, of each run."""
    cocotb: tuple[float, ...]
    """Under cocotb, of each run."""
    vector_seconds: float
    """What a vector takes besides under cocotb, where Python makes, watches and checks it; median
    of the runs."""

    @property
    def ratio(self) -> float:
        """How many times as long a cycle takes under cocotb: the median of the pairs of runs."""
        return median(cpp / cocotb for cpp, cocotb in zip(self.cpp, self.cocotb, strict=True))


def measure_speed(
    config: MacroConfig,
    *,
    vectors: int,
    pause: int,
    runs: int,
    progress: Callable[[str], None] = lambda message: None,
) -> Speed:
    """Run a macro's bench that pauses after each vector, and replay it from C++; in turns.

    Both simulate the same cycles: the replay ends with an error if a transfer differs. Only the
    pauses count.

    Raises:
        CimpleError: Verilator or cocotb is missing, the bench fails, or the replay differs.
    """
    simulator = find_simulator("verilator")
    design = generate(config)
    progress("build the model")
    build = _build(design, simulator)
    cpp, cocotb, awake = [], [], []
    cycles = vectors * pause
    for run in range(runs):
        progress(f"run {run + 1} of {runs}")
        with tempfile.TemporaryDirectory(prefix="cimple-speed-") as scratch:
            work = Path(scratch)
            plan = IdlePlan(vectors, pause, str(work / "transfers"), str(work / "result.json"))
            seen = _run_cocotb(config, build, design.name, simulator, plan, seed=run + 1)
            cocotb.append(cycles / seen["idle_ns"] * 1e9)
            awake.append(seen["awake_ns"] / vectors * 1e-9)
            cpp.append(cycles / _run_cpp(build, work, simulator, plan, seen["first"]) * 1e9)
    return Speed(vectors, pause, tuple(cpp), tuple(cocotb), median(awake))


def _build(design: Design, simulator: Simulator) -> Path:
    """The directory with both programs: that of the design's name is cocotb's, `replay` is C++."""
    top, verilog = design.name, design.verilog
    streams = "".join(
        f"#define {macro}(X) {' '.join(f'X({name})' for name in names)}\n"
        for macro, names in _streams(design).items()
    )
    source = _REPLAY.read_text(encoding="utf-8")
    key = ["speed", source, streams, *bench_key(verilog, top, simulator)]

    def build(entry: Path) -> None:
        with tempfile.TemporaryDirectory(prefix="cimple-build-") as scratch:
            work = Path(scratch)
            program = compile_bench(work, verilog, top, simulator)
            shutil.copy2(program, entry / top)
            directory = program.parent
            (directory / "streams.h").write_text(streams, encoding="utf-8")
            (directory / _REPLAY.name).write_text(source, encoding="utf-8")
            # The makefile that Verilator has written for cocotb, with another main program: what
            # is linked besides is the very same.
            command = [
                "make", "-f", "Vtop.mk", top,
                f"VM_USER_CLASSES={_REPLAY.stem}", "VM_USER_DIR=.", "VM_USER_LDLIBS=",
            ]  # fmt: skip
            end = run_limited(
                command, directory=directory, environment=build_environment(simulator, verilog),
                expired=after(_TIMEOUT),
            )
            if end.code != 0:
                raise CimpleError(f"the replay of {top} cannot be built:\n{end.output[-2000:]}")
            shutil.copy2(program, entry / _REPLAY.stem)

    return cached_build(key, build)


def _streams(design: Design) -> dict[str, list[str]]:
    """The names of the streams that a bench sends and receives on."""
    ends = {"SOURCES": "input", "SINKS": "output"}
    return {
        macro: [stream["name"] for stream in design.manifest["streams"]
                if stream["direction"] == direction]
        for macro, direction in ends.items()
    }  # fmt: skip


def _run_cocotb(
    config: MacroConfig, build: Path, top: str, simulator: Simulator, plan: IdlePlan, *, seed: int
) -> dict[str, Any]:
    module = f"{__package__}.idle_bench"
    run = run_bench(
        build, top, simulator, module, config, seed=seed,
        variables={IDLE_VARIABLE: json.dumps(asdict(plan))},
    )
    if not run.passed:
        reason = next((case.message for case in run.cases if case.message), run.output[-2000:])
        raise CimpleError(f"{top}: the bench failed: {reason}")
    return json.loads(Path(plan.result).read_text(encoding="utf-8"))


def _run_cpp(
    build: Path, work: Path, simulator: Simulator, plan: IdlePlan, first: list[int]
) -> int:
    """Nanoseconds of processor time in the pauses, which begin in the cycles `first`."""
    command = [str(build / _REPLAY.stem), plan.transfers, *map(str, (_START, plan.pause, *first))]
    end = run_limited(
        command, directory=work, environment=simulator.environment(), expired=after(_TIMEOUT)
    )
    took = re.fullmatch(r"(\d+)\n", end.output)
    if end.code != 0 or took is None:
        raise CimpleError(f"the replay is not what the bench saw: {end.output.strip()[-500:]}")
    return int(took[1])
