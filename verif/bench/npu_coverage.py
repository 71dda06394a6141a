# SPDX-License-Identifier: Apache-2.0
"""What the stimuli of an NPU's bench must contain."""

from collections.abc import Iterator, Sequence

from ...hdl.npu.config import NpuConfig
from ...hdl.npu.isa import Descriptor, Opcode, Queue, Rounding
from ...hdl.npu.latency import slide_of
from ...hdl.npu.packets import Request, Status
from ..golden.packets import Expected

__all__ = ["events_of_answer", "events_of_planes", "events_of_program", "wanted_events"]


def events_of_answer(expected: Expected) -> list[str]:
    """What one answer contributes."""
    request, status = expected.words[0] & 0xFF, Status(expected.words[0] >> 16 & 0xFF)
    name = Request(request).name if request in set(Request) else "unknown"
    return [f"{name}: {status.name}"]


def events_of_program(descriptors: Sequence[Descriptor], config: NpuConfig) -> Iterator[str]:
    """What one program contributes."""
    for descriptor in descriptors:
        yield f"descriptor: {descriptor.opcode.name}"
        for giver in descriptor.waits_for():
            assert descriptor.opcode.queue is not None
            yield f"token: {giver.name} to {descriptor.opcode.queue.name}"
        if descriptor.opcode is Opcode.COMPUTE:
            yield f"split: {descriptor['split']}"
            yield f"skip zero planes: {descriptor['skip_zero_planes']}"
            if descriptor["out_width"] > 1 and slide_of(descriptor, config):
                yield "windows slide"
        if descriptor.opcode is Opcode.REQUANTISE:
            yield f"rounding: {Rounding(descriptor['rounding']).name}"
            yield f"add {descriptor['add_partial']}, keep {descriptor['keep_partial']}"
        if descriptor["stamp"]:
            yield "stamp"


def events_of_planes(planes: Sequence[Sequence[int]]) -> Iterator[str]:
    """What the data of one run contributes: how many planes the rounds of its COMPUTEs take."""
    yield from (f"planes: {count}" for rounds in planes for count in rounds)


def wanted_events(config: NpuConfig) -> Iterator[str]:
    """All that must have happened at the end of a simulation, but for fetches."""
    queues = [queue for queue in Queue if queue is not Queue.FETCH]
    yield from (f"split: {split}" for split in range(config.most_split + 1))
    skips = config.macro.skip_zero_planes
    yield from (f"skip zero planes: {skip}" for skip in range(skips + 1))
    yield from (f"planes: {count}" for count in range(1 if skips else 8, 9))
    yield from (f"{request.name}: {Status.OK.name}" for request in Request)
    for request, status in (
        ("unknown", Status.UNKNOWN_OPCODE), ("WRITE", Status.TRUNCATED), ("WRITE", Status.OVERLONG),
        ("WRITE", Status.BAD_ADDRESS), ("WRITE", Status.BAD_COUNT), ("READ", Status.TRUNCATED),
        ("READ", Status.OVERLONG), ("READ", Status.BAD_ADDRESS), ("READ", Status.BAD_COUNT),
        ("RUN", Status.BAD_ADDRESS), ("RUN", Status.BAD_DESCRIPTOR), ("RUN", Status.ABORTED),
        ("RUN", Status.DEADLOCK),
    ):
        yield f"{request}: {status.name}"
    yield from (
        f"descriptor: {opcode.name}" for opcode in Opcode if opcode.queue in (None, *queues)
    )
    yield from (f"rounding: {rounding.name}" for rounding in Rounding)
    yield from (f"token: {a.name} to {b.name}" for a in queues for b in queues if a != b)
    yield from ("stamp", "add 0, keep 0", "wait: command", "wait: response")
    if config.macro.rows > config.activation_port:
        yield "windows slide"
