# SPDX-License-Identifier: Apache-2.0
"""Pairs of accesses to the same place that nothing orders.

Operations of one queue follow each other, so what remains is the matrix engine reading activations
that the vector engine writes, both reading weights that the loader writes, and the loader reading
the weight memory, which the fetch engine writes. Such a pair is in
order if one operation ends before the other starts, or if the stream of vectors says so: a vector's
window is read before the vector, or one behind it, is requantised.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from ...hdl.npu.isa import Opcode, Queue
from .operation import Operation, ProgramError
from .schedule import Schedule

__all__ = ["check_hazards"]


def check_hazards(operations: Sequence[Operation], schedule: Schedule) -> None:
    """Raise ProgramError, naming both descriptors and the place, for the first such pair."""
    for compute, load in _concurrent(operations, schedule, Queue.COMPUTE, Queue.LOAD):
        place = _common(compute.weights_touched, load.weights_touched)
        if place is not None:
            raise _error(load, compute, f"row group {place[1]} of bank {place[0]} of the macro")
    for vector, load in _concurrent(operations, schedule, Queue.VECTOR, Queue.LOAD):
        place = _common(vector.kernels_touched, load.kernels_touched)
        if place is not None:
            raise _error(load, vector, f"tap {place[1]} of bank {place[0]} of the kernels")
    for load, fetch in _concurrent(operations, schedule, Queue.LOAD, Queue.FETCH):
        place = _common((0, load.stored_weights_touched), (0, fetch.stored_weights_touched))
        if place is not None:
            raise _error(fetch, load, f"address {place[1]:#x} of the weights")
    for compute, vector in _concurrent(operations, schedule, Queue.COMPUTE, Queue.VECTOR):
        address = _activation_conflict(compute, vector, schedule)
        if address is not None:
            raise _error(vector, compute, f"address {address:#x} of the activations")


def _concurrent(
    operations: Sequence[Operation], schedule: Schedule, reader: Queue, queue: Queue
) -> Iterator[tuple[Operation, Operation]]:
    """Each operation of `reader` with those of `queue` that neither precede nor follow it."""
    others = [operation for operation in operations if operation.queue is queue]
    for operation in operations:
        if operation.queue is reader:
            for other in others[schedule.start[operation][queue] :]:
                if schedule.start[other][reader] > schedule.place[operation]:
                    break
                yield operation, other


def _common(
    needed: tuple[int, range], written: tuple[int, range]
) -> tuple[int, int] | None:
    """Bank and number of the first place that both name."""
    (bank, reads), (other, writes) = needed, written
    first = max(reads.start, writes.start)
    return (bank, first) if bank == other and first < min(reads.stop, writes.stop) else None


def _activation_conflict(
    compute: Operation, vector: Operation, schedule: Schedule
) -> int | None:
    """An address that one writes while the other may be reading it."""
    reads, writes = compute.reads, vector.writes
    common, read, written = np.intersect1d(
        reads.addresses, writes.addresses, assume_unique=True, return_indices=True
    )
    if vector.descriptor.opcode is Opcode.REQUANTISE:
        last_read = schedule.first_vector[compute] + reads.vectors[read]
        first_write = schedule.first_vector[vector] + writes.vectors[written]
        common = common[last_read > first_write]
    return int(common[0]) if common.size else None


def _error(writer: Operation, reader: Operation, place: str) -> ProgramError:
    return ProgramError(
        f"{writer} writes and {reader} reads {place}, and nothing orders them: let one signal "
        "and the other wait"
    )
