# SPDX-License-Identifier: Apache-2.0
"""A bench that is idle between vectors, and how long that takes; run by name (see `speed`)."""

import json
import os
import time
from pathlib import Path
from typing import Any

from ...hdl.packing import pack
from .case import bench_case
from .macro_environment import MacroEnvironment
from .protocol import IDLE_VARIABLE, IdlePlan

_WORD_BITS = 32


@bench_case()
async def vectors_now_and_then(dut: Any) -> None:
    """A vector, checked against the model, then clock cycles alone, and so on."""
    plan = IdlePlan(**json.loads(os.environ[IDLE_VARIABLE]))
    env = await MacroEnvironment.start(dut)
    first, idle, awake = [], 0, -time.process_time_ns()
    for _ in range(plan.vectors):
        env.i.put(env.stimulus.vector())
        await env.drain()
        first.append(env.tb.cycle)
        began = time.process_time_ns()
        await env.tb.step(plan.pause)
        idle += time.process_time_ns() - began
    awake += time.process_time_ns() - idle
    await env.finish(outputs=plan.vectors)
    result = {"first": first, "idle_ns": idle, "awake_ns": awake}
    Path(plan.result).write_text(json.dumps(result), encoding="utf-8")
    Path(plan.transfers).write_text("".join(_lines(env)), encoding="utf-8")


def _lines(env: MacroEnvironment) -> list[str]:
    """Each transfer as `replay.cpp` reads it."""
    lines = []
    for end in (*env.tb.sources.values(), *env.tb.sinks.values()):
        port = end.port
        transfers = env.log[port.name]
        if env.w and end is env.w.source:
            # The log has whole row groups; what is replayed is each row.
            transfers = env.w.rows
        for transfer in transfers:
            payload = pack(port.layout, transfer.value)
            words = range(0, len(port.payload_pin), _WORD_BITS)
            text = " ".join(f"{payload >> bit & 0xFFFFFFFF:x}" for bit in words)
            lines.append(f"{port.name} {transfer.since} {transfer.cycle} {text}\n")
    return lines
