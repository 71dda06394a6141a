# SPDX-License-Identifier: Apache-2.0
"""Child processes that cannot outlive their purpose: time limit, own group, clean environment."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["End", "after", "run_job", "run_limited"]

_POLL_SECONDS = 0.05

#: Variables by which cocotb, its runner and pytest would take settings of the calling process, and
#: the one that removes checks from Python programs.
_FOREIGN = re.compile(
    "COCOTB_.*|PYTEST_.*|PYGPI_.*|GPI_USERS|WAVES|GUI|COVERAGE|RANDOM_SEED|SIM_CMD_(PRE|SUF)FIX"
    "|PYTHONOPTIMIZE"
)


class End(NamedTuple):
    """How a child process ended."""

    code: int | None
    """Exit code; None if its time was over."""
    output: str
    """What it wrote, both outputs together."""


def run_limited(
    command: Sequence[str],
    *,
    directory: Path,
    environment: Mapping[str, str],
    expired: Callable[[], bool],
) -> End:
    """Run a command to its end, or until `expired` says so, which is asked 20 times a second.

    All processes that the command started end with it, also when this call is interrupted. Nothing
    comes from its standard input, but that ends with this process: where this one is killed, the
    command can tell by it.
    """
    log = directory / "output.log"
    with log.open("wb") as output:
        child = subprocess.Popen(
            command,
            cwd=directory,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    code = None
    try:
        while code is None and not expired():
            time.sleep(_POLL_SECONDS)
            code = child.poll()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        assert child.stdin is not None
        child.stdin.close()
    return End(code, log.read_text(encoding="utf-8", errors="replace"))


def after(seconds: float) -> Callable[[], bool]:
    """For `expired`: whether so many seconds have passed since this call."""
    deadline = time.monotonic() + seconds
    return lambda: time.monotonic() > deadline


def run_job(
    action: str,
    job: Mapping[str, Any],
    directory: Path,
    environment: Mapping[str, str],
    expired: Callable[[], bool],
) -> End:
    """Run `job` (see that module) in `directory`, until `expired` says that its time is over."""
    description = directory / "job.json"
    description.write_text(json.dumps(job), encoding="utf-8")
    return run_limited(
        [sys.executable, "-P", "-m", f"{__package__}.job", action, str(description)],
        directory=directory,
        environment={k: v for k, v in environment.items() if not _FOREIGN.fullmatch(k)},
        expired=expired,
    )
