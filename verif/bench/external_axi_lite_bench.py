# SPDX-License-Identifier: Apache-2.0
"""The test cases for an NPU behind AXI4-Lite that has a port to external memory: one more."""

from typing import Any

from ...hdl.link.register_map import CONTROL
from ...hdl.npu.config import WORD_BYTES
from ...hdl.npu.isa import Descriptor, Opcode
from ...hdl.npu.packets import Memory, Request
from .axi_lite_bench import *  # noqa: F403 (its cases are cases of this bench too)
from .axi_lite_environment import AxiLiteEnvironment
from .case import bench_case
from .check import require
from .external_memory import EXTERNAL_BYTES

_END = Descriptor(Opcode.END, {})


@bench_case()
async def resets_by_register_amid_a_burst(dut: Any) -> None:
    """The NPU is reset and the bus is not: the next program does not get what is still to come."""
    env = await AxiLiteEnvironment.start(dut)
    assert env.memory is not None
    port, size = env.config.external_port, min(env.config.weight_bytes, EXTERNAL_BYTES // 2)
    for index in range(4):
        start = port * env.random.randrange(EXTERNAL_BYTES // 2 // port)
        programs = [
            [Descriptor(Opcode.FETCH, {"source": source, "bytes": size}), _END]
            for source in (start, EXTERNAL_BYTES // 2)
        ]
        packets, run = env.stimulus.run([each for program in programs for each in program])
        await env.exchange(packets)
        env.memory.hold(back=True)
        await env.send(run)
        await env.step(100)
        require(bool(env.memory.under_way), "no burst is under way")
        # Some of it comes before the reset, or nothing.
        if index % 2:
            env.memory.hold(back=False)
            await env.step(5)
            env.memory.hold(back=True)
        await env.put(CONTROL, 1)
        env.model.abort(run)
        run = env.stimulus.simple(Request.RUN, run[1] + len(programs[0]))
        await env.send(run)
        await env.step(60)
        env.memory.hold(back=False)
        difference = env.model.expect(run).difference(await env.receive())
        require(difference is None, f"answer to RUN: {difference}")
        await env.exchange(env.stimulus.reads(Memory.WEIGHTS, 0, size // WORD_BYTES))
    await env.finish(answers=4)
