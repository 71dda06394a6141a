# SPDX-License-Identifier: Apache-2.0
"""Cycles within the NPU's engines: what the hardware is built by, and the cycle model counts with.

Rates are in `NpuConfig`, those of the macro in `hdl.macro.latency`.

And which windows slide, as that decides how much is read. Neighbours in a row share bytes: a
window's runs are gathered one behind the other, and those of the next window of the row lie
`step_x` bytes further on in the image. What it shares moves up by so many rows, and only the last
`step_x` bytes of each run are read.
"""

from collections.abc import Sequence

from .config import NpuConfig
from .isa import Descriptor

__all__ = [
    "ADD_TURNS", "ANSWER_CYCLES", "BIAS_AFTER", "BYTES_AFTER", "CHUNKS", "FIRST_AFTER",
    "FIRST_WAITS", "HOST_READ_CYCLES", "MAX_POOL_CYCLES", "MOST_BURSTS", "MULTIPLIER_AFTER",
    "PARAMETER_CYCLES", "PROGRAM_CYCLES", "READ_CYCLES", "REQUANTISE_CYCLES", "SHIFT_AFTER",
    "STORE_CYCLES", "STORE_START_CYCLES", "SUM_WAITS", "WEIGHT_CYCLES", "WEIGHT_WORDS",
    "WINDOW_SUM_CYCLES", "slide", "slide_of", "window_chunks", "window_runs",
]  # fmt: skip

#: From the cycle in which the activation memory is asked to that in which its bytes are there, by
#: way of two registers before and one behind the block RAM, and two where they turn to their lanes.
READ_CYCLES = 6
#: From the front door's asking any memory for a word to that in which it is there, and from a word
#: of its answer to the next.
HOST_READ_CYCLES = 5
ANSWER_CYCLES = HOST_READ_CYCLES + 3
#: From asking the weight memory for a word to its being there, by way of registers before and
#: behind the block RAMs and one more; words that may wait there, those under way included.
WEIGHT_CYCLES = 4
WEIGHT_WORDS = 10
#: From the cycle in which a unit of the vector engine decides on a read to that in which it has the
#: bytes: the request is registered.
BYTES_AFTER = 1 + READ_CYCLES
#: Chunks that may wait in the window feeder between memory and gathering, those under way included.
CHUNKS = 16
#: From asking for a channel's parameters to their being there, by way of registers before and
#: behind the block RAMs.
PARAMETER_CYCLES = 3
#: From a sum to its result in a requantisation lane, and to its parameters.
REQUANTISE_CYCLES = 16
BIAS_AFTER = 3
MULTIPLIER_AFTER = 7
SHIFT_AFTER = 10
#: From asking the program memory for a word to that in which it is there, by way of a register.
PROGRAM_CYCLES = 2
#: From the start of what takes the array's outputs to the first beat that it can take, and from a
#: beat to its sums, or to their being kept.
STORE_START_CYCLES = 2
STORE_CYCLES = 3
#: From a window's last tap, with its bytes, to its sum.
WINDOW_SUM_CYCLES = 3
#: From a window's last tap, with its bytes, to the write of its largest values.
MAX_POOL_CYCLES = 1
#: Cycles in which the requantisers take some bytes of two images: a term of the second, and a sum.
ADD_TURNS = 2
#: Cycles that a sum waits, one of them in the adder, for its turn between the terms.
SUM_WAITS = 1 + REQUANTISE_CYCLES % ADD_TURNS
#: Bytes of the first image are read so long behind those of the second, in the other turn, and wait
#: so long for the term that these become.
FIRST_AFTER = REQUANTISE_CYCLES - 1 + REQUANTISE_CYCLES % ADD_TURNS
FIRST_WAITS = REQUANTISE_CYCLES - FIRST_AFTER
#: Bursts that may be under way from external memory: long ones hide hundreds of cycles of latency
#: with two.
MOST_BURSTS = 4


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


def window_chunks(runs: Sequence[int], step: int, port: int) -> tuple[int, int]:
    """Reads of a window that begins a row, and of one that slides on from its neighbour."""
    new = slide(step, runs, port) or max(runs)
    whole, slid = (sum(-(-min(run, most) // port) for run in runs) for most in (max(runs), new))
    return whole, slid
