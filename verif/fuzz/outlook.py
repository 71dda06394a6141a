# SPDX-License-Identifier: Apache-2.0
"""How a program may end, be it defined or not."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ...hdl.npu.isa import FIELDS, Descriptor, DescriptorError, Opcode, Queue, decode
from ...hdl.npu.packets import Request, Status
from ..golden.memories import Memories
from ..golden.npu import NpuModel, ProgramError
from ..golden.packets import Expected, find_fault

__all__ = ["Outlook", "look_ahead", "runs"]

#: Steps that the golden model is asked to carry out.
_MOST_WORK = 30_000


@dataclass(frozen=True)
class Outlook:
    """What a RUN may be answered, besides that a RESET ended it."""

    #: The answers to a program that ends by itself, as every program does.
    ends: list[Expected]
    #: It ends with END, and the model knows what it leaves behind.
    defined: bool
    #: It ends in no time.
    soon: bool = True


def runs(packet: Sequence[int], memories: Memories) -> bool:
    """Whether a packet starts a program."""
    return packet[0] & 0xFF == Request.RUN and find_fault(packet, memories) is None


def look_ahead(model: NpuModel, packet: Sequence[int]) -> Outlook:
    """How the program may end that a RUN starts.

    The model carries it out, or forgets what it may change. A program that is not defined may come
    to a standstill, which the watchdog ends; otherwise it ends where its descriptors' headers say.
    """
    ends = _walk(model.memories, packet)
    if not _is_small(model.memories, packet[1]):
        model.forget_engines()
        return Outlook(ends, defined=False, soon=False)
    try:
        expected = model.expect(packet)
    except ProgramError:
        model.forget_run(packet)
        return Outlook(ends, defined=False)
    if expected.words[0] >> 16 == Status.OK:
        return Outlook([expected], defined=True)
    # What comes before a descriptor that is not taken may hold up the program.
    return Outlook([expected, _standstill(packet)], defined=False)


def _standstill(packet: Sequence[int]) -> Expected:
    return Expected.answer(packet[0], Status.DEADLOCK, [0], [0])


def _walk(memories: Memories, packet: Sequence[int]) -> list[Expected]:
    """A standstill, and the end that the sequencer comes to if there is none.

    A program in which somebody waits for more tokens than are given has a standstill only.
    """
    standstill = _standstill(packet)
    ended = Expected.answer(packet[0], Status.OK, [0], [0])
    # Tokens from a queue to another that are given, less those that are waited for.
    tokens: Counter[tuple[Queue, Queue]] = Counter()
    for number in range(packet[1], memories.config.descriptors):
        try:
            descriptor = decode(memories.descriptor(number))
        except DescriptorError:
            return [standstill, Expected.answer(packet[0], Status.BAD_DESCRIPTOR, [number])]
        if descriptor.opcode not in memories.config.opcodes:
            return [standstill, Expected.answer(packet[0], Status.BAD_DESCRIPTOR, [number])]
        queue = descriptor.opcode.queue
        if queue is None:
            can_end = all(left >= 0 for left in tokens.values())
            return [standstill, ended] if can_end else [standstill]
        own = memories.config.queues
        tokens.update((queue, q) for q in descriptor.signals() if q in own and q != queue)
        tokens.subtract((q, queue) for q in descriptor.waits_for() if q in own)
    beyond = memories.config.descriptors
    return [standstill, Expected.answer(packet[0], Status.BAD_DESCRIPTOR, [beyond])]


def _is_small(memories: Memories, start: int) -> bool:
    """Whether the model carries the program out in no time."""
    work = 0
    for number in range(start, memories.config.descriptors):
        try:
            d = decode(memories.descriptor(number))
        except DescriptorError:
            break
        vectors = _times(d, "out_width") * _times(d, "out_height")
        taps = _times(d, "kernel_width") * _times(d, "kernel_height")
        each = max(_times(d, "depth"), _times(d, "channels")) * taps
        work += vectors * each + d["bytes"] + 64 * (_times(d, "taps") + _times(d, "groups"))
        if d.opcode is Opcode.END:
            break
    return work <= _MOST_WORK


def _times(descriptor: Descriptor, name: str) -> int:
    """How often something is done: as the field says, and as its counter wraps where that is 0."""
    bits = next((f.bits for f in FIELDS[descriptor.opcode] if f.name == name), 0)
    return descriptor[name] or 1 << bits
