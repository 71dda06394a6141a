# SPDX-License-Identifier: Apache-2.0
# amaranth: UnusedElaboratable=no
"""The token board against a table of counts."""

import random
from itertools import permutations

import pytest

from cimple.hdl.npu.isa import Queue
from cimple.hdl.npu.token_board import TokenBoard

PAIRS = list(permutations(Queue, 2))


@pytest.mark.parametrize("external", [0, 4])
def test_random_traffic(simulate, npu_config, external):
    """Giving and taking by all at once, in the same cycle too."""
    config = npu_config(external_port=external)
    board, queues, bits = TokenBoard(config), config.queues, len(config.queues)
    pairs = list(permutations(queues, 2))
    source = random.Random(1)
    counts = dict.fromkeys(pairs, 0)

    async def bench(ctx):
        for _ in range(500):
            give = [source.getrandbits(bits) & source.getrandbits(bits) for _ in queues]
            take = [0 for _ in queues]
            for giver, taker in pairs:
                if counts[giver, taker] and source.random() < 0.4:
                    take[taker] |= 1 << giver
            ctx.set(board.give, give)
            ctx.set(board.take, take)
            tokens = list(ctx.get(board.tokens))
            assert tokens == [
                sum(1 << giver for giver in queues if counts.get((giver, taker)))
                for taker in queues
            ]
            await ctx.tick()
            for giver, taker in pairs:
                counts[giver, taker] += (give[giver] >> taker & 1) - (take[taker] >> giver & 1)

    simulate(board, bench)


@pytest.mark.parametrize(("giver", "taker"), PAIRS)
def test_255_tokens_of_a_kind(simulate, npu_config, giver, taker):
    board = TokenBoard(npu_config(external_port=4))

    def mask(at, bit):
        return [1 << bit if queue is at else 0 for queue in Queue]

    async def bench(ctx):
        ctx.set(board.give, mask(giver, taker))
        await ctx.tick().repeat(255)
        # Taking one while one is given changes nothing, at the limit too.
        ctx.set(board.take, mask(taker, giver))
        await ctx.tick()
        ctx.set(board.give, [0] * len(Queue))
        for _ in range(255):
            assert list(ctx.get(board.tokens)) == mask(taker, giver)
            await ctx.tick()
        assert list(ctx.get(board.tokens)) == [0] * len(Queue)

    simulate(board, bench)
