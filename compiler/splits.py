# SPDX-License-Identifier: Apache-2.0
"""How many windows of a layer are computed at once, each by its share of the macros.

One window has the columns of all macros side by side. For several windows macros hold the same
weights, and a layer of few channels leaves fewer of them without work. Which is faster follows from
the rates of the parts (`bounds`).
"""

from ..hdl.npu.config import NpuConfig
from .bounds import load_cycles, round_cycles
from .layers import MatrixLayer
from .schedule import MatrixStep, schedule
from .tiling import Tiling, row_groups, tile

__all__ = ["choose_tiling", "estimate"]


def choose_tiling(layer: MatrixLayer, config: NpuConfig) -> Tiling:
    """The cut with the split of the fewest cycles by estimate, the smallest of equally good ones.
    """
    tilings = [tile(layer, config, split) for split in range(config.most_split + 1)]
    if len(tilings) == 1:
        return tilings[0]
    return min(tilings, key=lambda tiling: estimate(layer, tiling, config))


def estimate(layer: MatrixLayer, tiling: Tiling, config: NpuConfig) -> int:
    """Cycles of a layer by itself.

    A step takes what its rounds take, and with them, if there is a second bank, what loading its
    weights takes, if that is more: the load runs beside the step before. One bank is loaded between
    steps.
    """
    plan, cycles = schedule([layer], {0: tiling}, config), 0
    for number, step in enumerate(plan.steps):
        assert isinstance(step, MatrixStep)
        work, load = round_cycles(layer, step, config), 0
        if number in plan.fresh:
            load = load_cycles(step.weights, row_groups(step.weights.rows, config), config)
        cycles += max(work, load) if config.macro.banks > 1 else work + load
    return cycles
