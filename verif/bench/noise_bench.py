# SPDX-License-Identifier: Apache-2.0
"""Noise on a serial line, for as long as a `NoisePlan` says; run as other benches are (see `run`).
"""

import json
import os
from pathlib import Path
from typing import Any

from ...hdl.link.frames import LinkEvent
from ...hdl.npu.packets import Memory
from .case import bench_case
from .check import require
from .protocol import NOISE_VARIABLE, NoisePlan
from .uart_environment import UartEnvironment, now
from .wrapped_environment import PERIOD

#: Requests between two programs, and between two hosts that begin anew.
_PROGRAM, _SESSION = 40, 25


@bench_case()
async def noise(dut: Any) -> None:
    """Faults of all kinds in both directions, new sessions amid frames, programs among requests."""
    plan = NoisePlan(**json.loads(os.environ[NOISE_VARIABLE]))
    env = await UartEnvironment.start(dut, noise=plan.rate, deviation=plan.deviation)
    found = _Found(env)
    exchanges = 0
    while found.events < plan.events:
        exchanges += 1
        await env.exchange(env.simple_traffic())
        if exchanges % _PROGRAM == 0:
            await env.run_program()
            found.programs += 1
        if exchanges % _SESSION == 0:
            await _begin_anew(env, found)
        Path(plan.progress).write_text(str(found.events), encoding="utf-8")
    env.up.is_on = env.down.is_on = False
    await env.run_program()
    found.end_session()
    await env.finish(answers=1)
    Path(plan.result).write_text(json.dumps(await found.record()), encoding="utf-8")


async def _begin_anew(env: UartEnvironment, found: "_Found") -> None:
    """A host goes away amid a frame and another one comes; requests of the first are cut off."""
    cut = env.stimulus.access(Memory(env.stimulus.below(len(Memory))))
    for packet in cut:
        env.send(packet)
    for _ in range(env.random.randrange(3)):
        await env.driver.send(env.up.pass_on(env.host.poll(now())))
    frame = env.host.poll(now()) or b"\0\1\2"
    await env.driver.send(frame[: env.random.randrange(len(frame))])
    found.end_session()
    await env.connect()
    await env.recover(cut)


class _Found:
    """What the run has come to."""

    def __init__(self, env: UartEnvironment) -> None:
        self.env = env
        self.programs = 0
        self._sessions = 0
        self._packets = 0
        self._host = {"frames sent again": 0, "timeouts": 0, "answers repeated": 0,
                      "answers missing": 0, "frames damaged": 0}

    @property
    def events(self) -> int:
        """Faults so far."""
        return (self.env.up.events + self.env.down.events).total()

    def end_session(self) -> None:
        """Add up what belongs to the session."""
        host = self.env.host
        self._sessions += 1
        self._packets += len(self.env.reached.packets)
        for name, count in (
            ("frames sent again", host.commands.resent), ("timeouts", host.timeouts),
            ("answers repeated", host.answers.repeats), ("answers missing", host.answers.gaps),
            ("frames damaged", host.finder.damaged),
        ):
            self._host[name] += count

    async def record(self) -> dict[str, Any]:
        """All of it, as plain data."""
        env = self.env
        counters = (await env.report()).counters
        silent = {
            "frame before repeated": LinkEvent.REPEAT, "line bit flipped": LinkEvent.FRAMING,
            "break within": LinkEvent.BREAK, "bit flipped": LinkEvent.CHECKSUM,
        }
        for kind, event in silent.items():
            seen = counters[event] or not env.up.events[kind]
            require(bool(seen), f"the device has counted no {event.name}")
        return {
            "events": self.events,
            "to_device": dict(sorted(env.up.events.items())),
            "from_device": dict(sorted(env.down.events.items())),
            "sessions": self._sessions,
            "programs": self.programs,
            "answers_compared": env.answers,
            "packets_carried_out": self._packets,
            "device_counters": {event.name: counters[event] for event in LinkEvent},
            "host_counters": self._host,
            "cycles": round(now() * 1e9 / PERIOD),
        }
