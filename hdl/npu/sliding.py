# SPDX-License-Identifier: Apache-2.0
"""Which windows slide: neighbours in a row share bytes, which the window feeder keeps.

A window's runs are gathered one behind the other. The next window of the row has its runs `step_x`
bytes further on in the image: what it shares with this one moves up by so many rows, and only the
last `step_x` bytes of each run are read.
"""

from collections.abc import Sequence

from .config import NpuConfig
from .isa import Descriptor

__all__ = ["slide", "slide_of", "window_runs"]


def window_runs(depth: int, skip: int, run_bytes: int) -> list[int]:
    """Bytes of each run of a window, in the pass of a COMPUTE that begins `skip` bytes late."""
    runs: list[int] = []
    while depth:
        runs.append(min(run_bytes - skip, depth))
        depth, skip = depth - runs[-1], 0
    return runs


def slide(step: int, runs: Sequence[int], port: int) -> int:
    """Bytes by which a window moves up as the next one of its row follows; 0 where none is kept.

    Bytes stay in their lanes: the step must be a multiple of the activation port. Of the runs, no
    later one is longer than the second.
    """
    return step if step and not step % port and step < max(runs[:2]) else 0


def slide_of(descriptor: Descriptor, config: NpuConfig) -> int:
    """The same for a COMPUTE."""
    runs = window_runs(descriptor["depth"], descriptor["skip"], descriptor["run_bytes"])
    return slide(descriptor["step_x"], runs, config.activation_port)
