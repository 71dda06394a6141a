# SPDX-License-Identifier: Apache-2.0
# amaranth: UnusedElaboratable=no
"""The registers behind a port: FIFOs of any depth, levels, resets."""

import random
from collections import deque
from typing import Any

import pytest
from amaranth.sim import Simulator

from cimple.hdl.checks import check
from cimple.hdl.link.axi_lite_port import AxiLitePort, Resp
from cimple.hdl.link.register_map import COMMAND_DATA, COMMAND_LAST, CONTROL, RESPONSE_DATA, STATUS
from cimple.hdl.link.registers import Registers


def run(component: Any, bench: Any) -> None:
    simulator = Simulator(component)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()


class Model:
    """Two queues, and what the access of a cycle gives."""

    def __init__(self, depth: int) -> None:
        self.depth = depth
        self.commands: deque[tuple[int, int]] = deque()
        self.responses: deque[tuple[int, int]] = deque()

    @property
    def status(self) -> int:
        there = bool(self.responses)
        last = self.responses[0][1] if there else 0
        space = self.depth - len(self.commands)
        return there | last << 1 | space << 8 | len(self.responses) << 20


@pytest.mark.parametrize("depth", [2, 3, 8, 13])
def test_levels_and_words_are_those_of_two_queues(depth):
    registers, model, source = Registers(depth), Model(depth), random.Random(depth)
    seen = {"full": 0, "empty": 0, "both": 0}

    async def bench(ctx):
        access = registers.access
        for cycle in range(3000):
            busy = 0.8 if cycle // 200 % 2 else 0.2
            write = cycle % 2 == 0 and source.random() < 0.6
            register = source.choice([COMMAND_DATA, COMMAND_LAST])
            word, answer = source.getrandbits(32), (source.getrandbits(32), source.getrandbits(1))
            takes, offers = source.random() < busy, source.random() < busy
            wanted = source.choice([RESPONSE_DATA, STATUS])
            ctx.set(access.write, write)
            ctx.set(access.write_word, register.word)
            ctx.set(access.write_data, word)
            ctx.set(access.read, 1)
            ctx.set(access.read_word, wanted.word)
            ctx.set(registers.command.ready, takes)
            ctx.set(registers.response.valid, offers)
            ctx.set(registers.response.payload, {"data": answer[0], "last": answer[1]})

            full = len(model.commands) == depth
            empty = not model.responses
            room = len(model.responses) < depth
            seen["full"] += full and write
            seen["empty"] += empty and wanted is RESPONSE_DATA
            seen["both"] += write and not full and takes and bool(model.commands)
            assert ctx.get(access.write_resp) == (Resp.SLVERR if full else Resp.OKAY)
            assert ctx.get(registers.response.ready) == room
            assert ctx.get(registers.command.valid) == bool(model.commands)
            if model.commands:
                payload = ctx.get(registers.command.payload)
                assert (payload.data, payload.last) == model.commands[0]
            if wanted is STATUS:
                assert ctx.get(access.read_data) == model.status
            else:
                assert ctx.get(access.read_data) == (0 if empty else model.responses[0][0])
                assert ctx.get(access.read_resp) == (Resp.SLVERR if empty else Resp.OKAY)

            if takes and model.commands:
                model.commands.popleft()
            if write and not full:
                model.commands.append((word, int(register is COMMAND_LAST)))
            if wanted is RESPONSE_DATA and not empty:
                model.responses.popleft()
            if offers and room:
                model.responses.append(answer)
            await ctx.tick()

    run(registers, bench)
    assert min(seen.values()) > 20, seen


def test_a_reset_lasts_a_cycle_and_empties_both():
    registers = Registers(4)

    async def bench(ctx):
        access = registers.access
        ctx.set(registers.response.valid, 1)
        ctx.set(access.write, 1)
        ctx.set(access.write_word, COMMAND_DATA.word)
        await ctx.tick().repeat(2)
        ctx.set(registers.response.valid, 0)
        ctx.set(access.write_word, CONTROL.word)
        ctx.set(access.write_data, 1)
        assert not ctx.get(registers.reset_npu)
        await ctx.tick()
        ctx.set(access.write, 0)
        assert ctx.get(registers.reset_npu)
        await ctx.tick()
        assert not ctx.get(registers.reset_npu)
        ctx.set(access.read_word, STATUS.word)
        assert ctx.get(access.read_data) == Model(4).status

    run(registers, bench)


@pytest.mark.parametrize("component", [AxiLitePort, lambda: Registers(16), lambda: Registers(1024)])
def test_design_rules(component):
    assert check(component()) == []
