# SPDX-License-Identifier: Apache-2.0
"""Builds or runs one simulation with cocotb's runner, in a process of its own.

    python -m cimple.verif.bench.job build|test job.json

The runner takes its settings from the environment and waits for the simulator without a limit. In
a process of its own neither reaches the caller, which can end the whole process group. Where the
caller is killed, the group ends by itself.
"""

import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from cocotb_tools.runner import get_runner


def build(job: dict[str, Any]) -> None:
    """Make `build_dir` hold the simulation."""
    get_runner(job["simulator"]).build(
        sources=job["sources"],
        hdl_toplevel=job["top"],
        build_args=job["build_args"],
        build_dir=job["build_dir"],
        timescale=("1ns", "1ps"),
        always=True,
    )


def test(job: dict[str, Any]) -> None:
    """Run the simulation in `build_dir` with the cases of a bench module."""
    get_runner(job["simulator"]).test(
        test_module=job["module"],
        hdl_toplevel=job["top"],
        hdl_toplevel_lang="verilog",
        build_dir=job["build_dir"],
        test_dir=job["test_dir"],
        results_xml=job["results"],
        seed=job["seed"],
        test_filter=job["filter"],
        extra_env={
            # 0 is no limit.
            "COCOTB_MAX_FAILURES": str(job["max_failures"]),
            # The checks of a bench say themselves what is wrong; cocotb would have pytest rewrite
            # every module that is imported, which takes a quarter of the time of a short run.
            "COCOTB_REWRITE_ASSERTION_FILES": "",
        },
    )


def end_with_caller() -> None:
    """Have the process group killed once the standard input, which the caller holds, ends."""
    # The simulator must not get it: it would wait for commands there after a $stop.
    held = os.dup(sys.stdin.fileno())
    with open(os.devnull) as nothing:
        os.dup2(nothing.fileno(), sys.stdin.fileno())

    def watch() -> None:
        os.read(held, 1)
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()


if __name__ == "__main__":
    end_with_caller()
    _, action, path = sys.argv
    {"build": build, "test": test}[action](json.loads(Path(path).read_text(encoding="utf-8")))
