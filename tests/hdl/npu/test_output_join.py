# SPDX-License-Identifier: Apache-2.0
# amaranth: UnusedElaboratable=no
"""The output join: each beat has its own round's outputs, each of which is taken once."""

import random

import pytest

from cimple.hdl.npu.output_join import OutputJoin

#: Macros, columns of each, outputs requantised in a cycle: one beat a macro, some, three.
SHAPES = [(2, 8, 8), (4, 16, 8), (2, 24, 8)]


def beats_of(config, split, channels, windows):
    """The beats of a round: which, whether it is its window's last, whether the round's."""
    apart, count = config.beats >> split, -(-channels // config.requantisers)
    return [
        (window * apart + beat, beat == count - 1, (window, beat) == (windows - 1, count - 1))
        for window in range(windows) for beat in range(count)
    ]  # fmt: skip


def random_rounds(config, source, count):
    """Rounds of all splits, the last of a descriptor with fewer windows."""
    rounds = []
    for _ in range(count):
        split = source.randint(0, config.most_split)
        channels = source.randint(1, config.columns >> split)
        rounds.append(beats_of(config, split, channels, source.randint(1, 1 << split)))
    return rounds


def show(ctx, join, beat):
    which, ends_vector, ends_round = beat
    ctx.set(join.which, which)
    ctx.set(join.ends_vector, ends_vector)
    ctx.set(join.ends_round, ends_round)


@pytest.mark.parametrize("chance", [0, 0.5])
@pytest.mark.parametrize(("macros", "columns", "requantisers"), SHAPES)
def test_each_output_is_taken_once_with_its_round(
    simulate, npu_config, macros, columns, requantisers, chance
):
    config = npu_config(
        {"columns": columns}, macros=macros, lanes=requantisers, requantisers=requantisers,
        activation_port=16, channels=128,
    )  # fmt: skip
    join, source = OutputJoin(config), random.Random(columns)
    rounds = random_rounds(config, source, 60)

    # For each macro the round whose output is next, and whether it is offered.
    number, offered = [0] * macros, [False] * macros

    async def tick(ctx):
        ready = ctx.get(join.ready)
        for index in range(macros):
            if ready >> index & 1:
                assert offered[index]
                number[index], offered[index] = number[index] + 1, False
        await ctx.tick()
        for index in range(macros):
            offered[index] = offered[index] or source.random() >= chance
        ctx.set(join.valid, sum(bit << index for index, bit in enumerate(offered)))

    async def bench(ctx):
        for current, beats in enumerate(rounds):
            for beat in beats:
                show(ctx, join, beat)
                takes = False
                for _ in range(200):
                    takes = bool(ctx.get(join.is_there)) and source.random() >= chance
                    ctx.set(join.takes, takes)
                    if takes:
                        owner = beat[0] * requantisers // columns
                        assert offered[owner]
                        assert number[owner] == current
                        break
                    await tick(ctx)
                assert takes, "the beat is never there"
                await tick(ctx)
                ctx.set(join.takes, 0)
        await tick(ctx)
        assert number == [len(rounds)] * macros

    simulate(join, bench)


@pytest.mark.parametrize(("macros", "columns", "requantisers"), [*SHAPES[1:], (4, 8, 8)])
def test_a_beat_a_cycle(simulate, npu_config, macros, columns, requantisers):
    """Of rounds in which all outputs are used, of three beats or more."""
    config = npu_config(
        {"columns": columns}, macros=macros, lanes=requantisers, requantisers=requantisers,
        activation_port=16, channels=128,
    )  # fmt: skip
    join = OutputJoin(config)
    beats = 5 * beats_of(config, 0, config.columns, 1)

    async def bench(ctx):
        ctx.set(join.valid, (1 << macros) - 1)
        await ctx.tick()
        for beat in beats:
            show(ctx, join, beat)
            assert ctx.get(join.is_there)
            ctx.set(join.takes, 1)
            await ctx.tick()

    simulate(join, bench)


def test_an_output_behind_another_is_two_cycles_late(simulate, npu_config):
    """Where only one macro has beats, each the last of a round."""
    config = npu_config(
        {"columns": 8}, macros=2, lanes=8, requantisers=8, activation_port=16, channels=128
    )
    join = OutputJoin(config)

    async def bench(ctx):
        ctx.set(join.valid, 0b11)
        show(ctx, join, (0, True, True))
        await ctx.tick()
        there = []
        for _ in range(7):
            there.append(ctx.get(join.is_there))
            ctx.set(join.takes, there[-1])
            await ctx.tick()
        assert there == [1, 0, 0, 1, 0, 0, 1]

    simulate(join, bench)
