# SPDX-License-Identifier: Apache-2.0
"""The order of work: steps of each layer, and which weights are in which bank when.

Weights are loaded ahead, as far as banks are free, so that a macro with several banks is filled
for the next step while it computes this one; so are the kernels of depthwise layers. A set that is
still in a bank is not loaded again; every other area goes through the passes backwards, so that the
last set of one is the first of the next.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ..hdl.npu.config import TAP_BANKS, NpuConfig
from .layers import Area, DepthwiseLayer, Layer, MatrixLayer
from .tiling import Channels, Pass, Tiling, kernel_groups, row_phases

__all__ = [
    "DepthwiseStep", "Load", "MatrixStep", "Schedule", "Step", "TapSet", "VectorStep",
    "WeightSet", "layer_steps", "schedule",
]


@dataclass(frozen=True)
class WeightSet:
    """The weights of one pass of one tile of channels of one layer.

    With a split each of ``2**split`` windows has them in macros of its own.
    """

    layer: int
    channels: Channels
    rows: Pass
    split: int


@dataclass(frozen=True)
class TapSet:
    """The kernels of one group of channels of one depthwise layer."""

    layer: int
    channels: Channels


@dataclass(frozen=True)
class MatrixStep:
    """One set of weights meets the windows of one area."""

    layer: int
    weights: WeightSet
    area: Area
    add_partial: bool
    keep_partial: bool


@dataclass(frozen=True)
class DepthwiseStep:
    """One group of channels of a depthwise layer, and of the image all or some rows."""

    layer: int
    weights: TapSet
    area: Area


@dataclass(frozen=True)
class VectorStep:
    """A whole layer for which the vector engine needs no weights."""

    layer: int


Step = MatrixStep | DepthwiseStep | VectorStep


@dataclass(frozen=True)
class Load:
    """Bring a set of weights into a bank: of the macros, or of the vector engine's kernels.

    All macros use the same bank, also where only some of them are written.

    The bank is free once step `after` has computed (None: from the start).
    """

    weights: WeightSet | TapSet
    bank: int
    after: int | None


@dataclass(frozen=True)
class Schedule:
    """All steps in order; for each that has weights the bank it uses; loads in order of their use.

    `fresh` holds the steps that are the first to use what a load has brought.
    """

    steps: tuple[Step, ...]
    banks: Mapping[int, int]
    loads: tuple[Load, ...]
    fresh: frozenset[int]


class _Banks:
    """Which sets are in which banks while steps go by.

    Least recently used first: banks then become free in the order in which they are filled, so
    that counting tokens is enough to know which bank is meant.
    """

    def __init__(self, count: int) -> None:
        self._held: list[WeightSet | TapSet | None] = [None] * count
        self._last_use: list[int | None] = [None] * count

    def use(self, number: int, weights: WeightSet | TapSet) -> tuple[int, Load | None]:
        """The bank in which a step finds its weights, and the load that brings them, if need be."""
        load = None
        if weights not in self._held:
            oldest = [-1 if use is None else use for use in self._last_use]
            bank = oldest.index(min(oldest))
            load = Load(weights, bank, self._last_use[bank])
            self._held[bank] = weights
        bank = self._held.index(weights)
        self._last_use[bank] = number
        return bank, load


def schedule(
    layers: Sequence[Layer], tilings: Mapping[int, Tiling], config: NpuConfig
) -> Schedule:
    """The steps of all layers, with their weights given to the banks of macros and kernels."""
    steps = [
        step
        for index, layer in enumerate(layers)
        for step in layer_steps(index, layer, tilings.get(index), config)
    ]
    macro, kernels = _Banks(config.macro.banks), _Banks(TAP_BANKS)
    banks: dict[int, int] = {}
    loads: dict[int, Load] = {}
    for number, step in enumerate(steps):
        if isinstance(step, VectorStep):
            continue
        held = macro if isinstance(step, MatrixStep) else kernels
        banks[number], load = held.use(number, step.weights)
        if load is not None:
            loads[number] = load
    return Schedule(tuple(steps), banks, tuple(loads.values()), frozenset(loads))


def layer_steps(
    index: int, layer: Layer, tiling: Tiling | None, config: NpuConfig
) -> Iterator[Step]:
    """The steps of one layer in order."""
    if isinstance(layer, DepthwiseLayer):
        for channels in kernel_groups(layer, config):
            for area in row_phases(layer):
                yield DepthwiseStep(index, TapSet(index, channels), area)
        return
    if not isinstance(layer, MatrixLayer):
        yield VectorStep(index)
        return
    assert tiling is not None
    for channels in tiling.channels:
        for turn, area in enumerate(tiling.areas):
            passes = tiling.passes if turn % 2 == 0 else tiling.passes[::-1]
            for number, rows in enumerate(passes):
                yield MatrixStep(
                    index, WeightSet(index, channels, rows, tiling.split), area,
                    add_partial=number > 0, keep_partial=number < len(passes) - 1,
                )
