# SPDX-License-Identifier: Apache-2.0
"""What the runs of a bench are held to."""

from cimple.verif.bench.verify import VerifyResult


def assert_all_passed(result: VerifyResult, *, cases: int) -> None:
    """Every run had so many cases, and all of them passed."""
    failed = [
        f"{run.simulator.name}, seed {run.seed}, {case.name}: {case.message}"
        for run in result.runs for case in run.run.cases if case.outcome != "passed"
    ]
    assert not failed, "\n".join(failed)
    for run in result.runs:
        assert len(run.run.cases) == cases, f"{run.simulator.name}: a case was not run"
    assert result.passed
