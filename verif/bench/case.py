# SPDX-License-Identifier: Apache-2.0
"""One test case of a bench, and how a bench talks to what started its simulation."""

import functools
import json
import os
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import cocotb

from ...hdl.config import Config
from .protocol import CONFIG_VARIABLE, EVENTS_VARIABLE

__all__ = ["bench_case", "bench_config", "report_alive"]

Body = Callable[..., Coroutine[Any, Any, None]]
C = TypeVar("C", bound=Config)


def bench_config(kind: type[C]) -> C:
    """The configuration of the design under test."""
    return kind.from_yaml(os.environ[CONFIG_VARIABLE])


def bench_case(*, stage: int = 0, **choices: list[Any]) -> Callable[[Body], Any]:
    """Decorate a coroutine ``body(dut, ...)`` as a test case of a bench.

    Parameters
    ----------
    stage : int
        Cases of a higher stage run after all of a lower one.
    choices
        Arguments of the body with their values: one case for each combination.
    """

    def decorate(body: Body) -> Any:
        @functools.wraps(body)
        async def case(dut: Any, **arguments: Any) -> None:
            name = body.__name__ + "".join(f"/{key}={value}" for key, value in arguments.items())
            dut._log.info("case %s, seed %d", name, cocotb.RANDOM_SEED)
            started = time.monotonic()
            _report(case=name, outcome="started")
            outcome = "failed"
            try:
                await body(dut, **arguments)
                outcome = "passed"
            finally:
                _report(case=name, outcome=outcome, seconds=time.monotonic() - started)

        parametrized = cocotb.parametrize(**choices)(case) if choices else case
        return cocotb.test(stage=stage)(parametrized)

    return decorate


class _Heartbeat:
    """When a sign of life was given last."""

    SECONDS = 2.0

    def __init__(self) -> None:
        self.latest = 0.0


_heartbeat = _Heartbeat()


def report_alive() -> None:
    """Say that simulated time goes on; to be called in every cycle, and cheap."""
    now = time.monotonic()
    if now - _heartbeat.latest > _heartbeat.SECONDS:
        _heartbeat.latest = now
        _report(alive=True)


def _report(**event: Any) -> None:
    if path := os.environ.get(EVENTS_VARIABLE):
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(json.dumps(event) + "\n")
