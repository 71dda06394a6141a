# SPDX-License-Identifier: Apache-2.0
"""The order of work: steps of each layer, and which weights are in which bank when.

Weights are loaded ahead, as far as banks are free, so that a macro with several banks is filled
for the next step while it computes this one. A set that is still in a bank is not loaded again;
every other area goes through the passes backwards, so that the last set of one is the first of the
next.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ..hdl.npu.config import NpuConfig
from .layers import Layer, MatrixLayer, PoolLayer
from .tiling import Area, Channels, Pass, Tiling

__all__ = [
    "Load", "MatrixStep", "PoolStep", "Schedule", "Step", "WeightSet", "layer_steps", "schedule",
]


@dataclass(frozen=True)
class WeightSet:
    """The weights of one pass of one tile of channels of one layer."""

    layer: int
    channels: Channels
    rows: Pass


@dataclass(frozen=True)
class MatrixStep:
    """One set of weights meets the windows of one area."""

    layer: int
    weights: WeightSet
    area: Area
    add_partial: bool
    keep_partial: bool


@dataclass(frozen=True)
class PoolStep:
    """A whole pooling layer."""

    layer: int


Step = MatrixStep | PoolStep


@dataclass(frozen=True)
class Load:
    """Bring a set of weights into a bank.

    The bank is free once step `after` has computed (None: from the start).
    """

    weights: WeightSet
    bank: int
    after: int | None


@dataclass(frozen=True)
class Schedule:
    """All steps in order; for each matrix step the bank it uses; all loads in order.

    `fresh` holds the steps that are the first to use what a load has brought.
    """

    steps: tuple[Step, ...]
    banks: Mapping[int, int]
    loads: tuple[Load, ...]
    fresh: frozenset[int]


def schedule(
    layers: Sequence[Layer], tilings: Mapping[int, Tiling], config: NpuConfig
) -> Schedule:
    """The steps of all layers, with their weights given to the macro's banks."""
    steps = [
        step
        for index, layer in enumerate(layers)
        for step in layer_steps(index, layer, tilings.get(index))
    ]
    banks: dict[int, int] = {}
    loads: list[Load] = []
    fresh: set[int] = set()
    # Least recently used first: banks then become free in the order in which they are filled, so
    # that counting tokens is enough to know which bank is meant.
    held: list[WeightSet | None] = [None] * config.macro.banks
    last_use: list[int | None] = [None] * config.macro.banks
    for number, step in enumerate(steps):
        if isinstance(step, PoolStep):
            continue
        if step.weights not in held:
            bank = min(range(len(held)), key=lambda b: -1 if (use := last_use[b]) is None else use)
            loads.append(Load(step.weights, bank, last_use[bank]))
            held[bank] = step.weights
            fresh.add(number)
        bank = banks[number] = held.index(step.weights)
        last_use[bank] = number
    return Schedule(tuple(steps), banks, tuple(loads), frozenset(fresh))


def layer_steps(index: int, layer: Layer, tiling: Tiling | None) -> Iterator[Step]:
    """The steps of one layer in order."""
    if isinstance(layer, PoolLayer):
        yield PoolStep(index)
        return
    assert isinstance(layer, MatrixLayer)
    assert tiling is not None
    for channels in tiling.channels:
        for turn, area in enumerate(tiling.areas):
            passes = tiling.passes if turn % 2 == 0 else tiling.passes[::-1]
            for number, rows in enumerate(passes):
                yield MatrixStep(
                    index, WeightSet(index, channels, rows), area,
                    add_partial=number > 0, keep_partial=number < len(passes) - 1,
                )
