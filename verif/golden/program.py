# SPDX-License-Identifier: Apache-2.0
"""A program as the sequencer sees it: descriptors one after another, up to END."""

from dataclasses import dataclass

from ...hdl.npu.isa import Descriptor, DescriptorError, Opcode, decode
from .memories import Memories
from .operation import Operation, ProgramError
from .ops.add import Add
from .ops.compute import Compute
from .ops.fetch import Fetch
from .ops.load_taps import LoadTaps
from .ops.load_weights import LoadWeights
from .ops.max_pool import MaxPool
from .ops.requantise import Requantise
from .ops.window_sums import AveragePool, Depthwise

__all__ = ["OPERATIONS", "Program", "fetch"]

_KINDS: tuple[type[Operation], ...] = (
    LoadWeights, Compute, Requantise, MaxPool, LoadTaps, Depthwise, AveragePool, Add, Fetch,
)
#: The class of each opcode but END.
OPERATIONS = {kind.opcode: kind for kind in _KINDS}


@dataclass(frozen=True)
class Program:
    """The operations before END, or before a descriptor that no hardware takes."""

    operations: list[Operation]
    #: Number of the descriptor with an opcode or version that the NPU does not know, which ends
    #: the program, or of the one that would stand behind the end of the memory.
    bad: int | None = None


def fetch(memories: Memories, start: int) -> Program:
    """Decode and check the program that begins with descriptor `start`.

    Raises ProgramError where a field is out of its range.
    """
    config, operations = memories.config, []
    for number in range(start, config.descriptors):
        words = memories.descriptor(number)
        try:
            descriptor = decode(words)
        except DescriptorError:
            return Program(operations, number)
        if descriptor.opcode not in config.opcodes:
            return Program(operations, number)
        if descriptor.encode() != words:
            raise ProgramError(f"descriptor {number}: bits that no field names must be zero")
        if descriptor.opcode is Opcode.END:
            _check_end(number, descriptor)
            return Program(operations)
        operations.append(OPERATIONS[descriptor.opcode](number, descriptor, config))
    # Without END it comes to the end of the program memory.
    return Program(operations, config.descriptors)


def _check_end(number: int, descriptor: Descriptor) -> None:
    for name in ("wait", "signal", "stamp"):
        if descriptor[name]:
            raise ProgramError(f"descriptor {number} (END): {name} must be 0, as END has no queue")
