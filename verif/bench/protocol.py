# SPDX-License-Identifier: Apache-2.0
"""What a bench inside a simulation and the process that started it agree on."""

from dataclasses import dataclass

__all__ = [
    "CONFIG_VARIABLE", "EVENTS_VARIABLE", "IDLE_VARIABLE", "NOISE_VARIABLE", "WRAPPER_VARIABLE",
    "IdlePlan", "NoisePlan",
]

#: Environment variable with the path of the configuration's YAML file.
CONFIG_VARIABLE = "CIMPLE_BENCH_CONFIG"

#: Environment variable with the path of a file that gets JSON lines: when a case starts (``case``,
#: ``outcome: started``), when it ends (``outcome`` passed or failed, ``seconds``), and every few
#: seconds in which simulated time went on (``alive``).
EVENTS_VARIABLE = "CIMPLE_BENCH_EVENTS"

#: Environment variable with the JSON of the `IdlePlan` of `idle_bench`.
IDLE_VARIABLE = "CIMPLE_BENCH_IDLE"

#: Environment variable with the JSON of the `NoisePlan` of `noise_bench`.
NOISE_VARIABLE = "CIMPLE_BENCH_NOISE"

#: Environment variable with the JSON of the `WrapperConfig` around an NPU.
WRAPPER_VARIABLE = "CIMPLE_BENCH_WRAPPER"


@dataclass(frozen=True)
class IdlePlan:
    """What `idle_bench` does, and where it leaves what it saw."""

    vectors: int
    pause: int
    """Clock cycles from the output of a vector to the next vector."""
    transfers: str
    """Path of the file of transfers, as `replay.cpp` reads it."""
    result: str
    """Path of the JSON file of the rest: the `first` cycle of each pause, and nanoseconds of
    processor time: `idle_ns` in pauses, `awake_ns` besides."""


@dataclass(frozen=True)
class NoisePlan:
    """What `noise_bench` does, and where it leaves what it saw."""

    events: int
    """Faults on the line at least."""
    rate: float
    """Share of the frames in each direction that get one."""
    deviation: float
    """By which the host's bits are longer than the device's, in per cent."""
    progress: str
    """Path of a file that holds the number of faults so far."""
    result: str
    """Path of the JSON file of what the run has come to."""
