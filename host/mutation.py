# SPDX-License-Identifier: Apache-2.0
"""Mutation runs: the bench on mutants of a design, which it has to tell from the design."""

import tempfile
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..fpga.equivalence import is_equivalent
from ..fpga.mutants import Mutation, MutationBase
from ..fpga.yosys import Yosys, find_yosys
from ..hdl.config import Config
from ..hdl.errors import CimpleError
from ..hdl.generate import Design, generate
from ..verif.bench.build import build_once
from ..verif.bench.run import BenchCase, run_bench
from ..verif.bench.simulators import Simulator, find_simulator
from ..verif.bench.verify import bench_of

__all__ = ["OUTCOMES", "MutationResult", "Trial", "run_mutation"]

#: How a trial may end: a case failed; no case did, and the mutant is proven to be the same circuit;
#: no case did.
OUTCOMES = ("killed", "equivalent", "survived")

#: Seconds without a simulated cycle after which a mutant hangs, and so is found.
_PATIENCE = 60.0


@dataclass(frozen=True)
class Trial:
    """What became of one mutant."""

    mutation: Mutation
    outcome: str
    """One of `OUTCOMES`."""
    case: str = ""
    """The first case that failed."""


@dataclass(frozen=True)
class MutationResult:
    """All trials of one design, and what they stand on."""

    design: str
    configuration: str
    """SHA-256 of the configuration."""
    yosys: str
    simulator: str
    """Name and version."""
    seed: int
    trials: tuple[Trial, ...]

    def to_record(self) -> dict[str, Any]:
        """Counts by block, and survivors, as plain data."""
        counts: dict[str, dict[str, int]] = {}
        for trial in self.trials:
            block = counts.setdefault(trial.mutation.block, dict.fromkeys(OUTCOMES, 0))
            block[trial.outcome] += 1
        cases = Counter(trial.case for trial in self.trials if trial.outcome == "killed")
        return {
            "configuration": self.configuration,
            "yosys": self.yosys,
            "simulator": self.simulator,
            "seed": self.seed,
            "blocks": counts,
            "killed_by": dict(cases.most_common()),
            "survivors": [t.mutation.label for t in self.trials if t.outcome == "survived"],
        }


def run_mutation(
    config: Config,
    count: int,
    seed: int,
    progress: Callable[[int, int, Trial | None], None] = lambda done, total, trial: None,
) -> MutationResult:
    """Run the bench of `config` on about `count` mutants of its design under Icarus.

    First comes a control, a mutant without a change, which must pass.

    Parameters
    ----------
    config : Config
    count : int
        Mutants, divided equally among the blocks.
    seed : int
        Of the drawing and of the stimuli.
    progress : callable
        Called before the first trial (with None) and after each, with the number of those done and
        of all.

    Raises
    ------
    CimpleError
        A tool is missing, the control fails, or the bench cannot run.
    """
    yosys, simulator = find_yosys(), find_simulator("icarus")
    design = generate(config)
    base = MutationBase(design.verilog, design.name, yosys)
    mutations = base.draw(count, seed)
    progress(0, len(mutations), None)
    texts = base.verilog([None, *mutations])
    bench = _Bench(config, design, simulator, seed)
    if failed := bench.first_failure(texts[0]):
        raise CimpleError(
            f"{design.name}: case {failed.name} fails without a mutation: {failed.message}"
        )
    trials = []
    for mutation, text in zip(mutations, texts[1:], strict=True):
        trials.append(_trial(base, bench, mutation, text))
        progress(len(trials), len(mutations), trials[-1])
    return _result(config, design, yosys, simulator, seed, trials)


def _trial(base: MutationBase, bench: "_Bench", mutation: Mutation, text: str) -> Trial:
    if failed := bench.first_failure(text):
        if failed.name == "bench":
            raise CimpleError(f"{mutation.label}: the bench cannot run: {failed.message}")
        return Trial(mutation, "killed", failed.name)
    return Trial(mutation, "equivalent" if is_equivalent(base, mutation) else "survived")


class _Bench:
    """The bench of one design, ready to run on mutants of it."""

    def __init__(self, config: Config, design: Design, simulator: Simulator, seed: int) -> None:
        self._config = config
        self._top = design.name
        self._simulator = simulator
        self._seed = seed

    def first_failure(self, verilog: str) -> BenchCase | None:
        """The first case that fails on a mutant; none where all pass."""
        with tempfile.TemporaryDirectory(prefix="cimple-mutant-") as scratch:
            build_once(Path(scratch), verilog, self._top, self._simulator)
            run = run_bench(
                Path(scratch), self._top, self._simulator, bench_of(self._config), self._config,
                seed=self._seed, timeout=_PATIENCE, first_failure=True,
            )
        return next((case for case in run.cases if case.outcome == "failed"), None)


def _result(
    config: Config,
    design: Design,
    yosys: Yosys,
    simulator: Simulator,
    seed: int,
    trials: Iterable[Trial],
) -> MutationResult:
    return MutationResult(
        design=design.name,
        configuration=config.digest(),
        yosys=yosys.version,
        simulator=f"{simulator.name} {simulator.version}",
        seed=seed,
        trials=tuple(trials),
    )
