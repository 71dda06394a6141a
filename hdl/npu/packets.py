# SPDX-License-Identifier: Apache-2.0
"""The packets of the command and response streams: opcodes, status codes, memory map, identity.

Both streams carry 32-bit words with a `last` flag that ends a packet, as AXI-Stream's TLAST does.
A request starts with a header: opcode, tag and count. The tag is the host's choice and comes back
in the answer. Every request has exactly one answer: header, then its words.
"""

# The fields of a data.Struct are annotated with their widths, which are no types.
# pyright: reportGeneralTypeIssues=false

import enum
from collections.abc import Sequence
from dataclasses import dataclass

from amaranth.lib import data

from .config import WORD_BYTES, NpuConfig
from .isa import VERSION, WORDS, Queue

__all__ = [
    "BUSY", "COUNTERS", "IDENTITY_WORDS", "MAGIC", "Counter", "Memory", "Request",
    "RequestHeader", "Response", "ResponseHeader", "Status",
    "StreamWord", "address", "header", "identity", "memory_bytes", "parameter_words",
    "response_header",
]

#: First word of the answer to IDENTIFY: the letters "CIMP".
MAGIC = 0x504D4943


class StreamWord(data.Struct):
    """One transfer of the command or the response stream."""

    data: 32
    last: 1


class RequestHeader(data.Struct):
    """First word of a request."""

    #: A `Request`.
    opcode: 8
    #: Comes back in the answer.
    tag: 8
    #: Words to read or to write; ignored by other requests.
    count: 16


class ResponseHeader(data.Struct):
    """First word of an answer."""

    #: The request's.
    opcode: 8
    #: The request's.
    tag: 8
    #: A `Status`.
    status: 8
    reserved: 8


class Request(enum.IntEnum):
    """Opcodes of requests; `words` says what follows the header."""

    #: Nothing follows. Answer: `identity`.
    IDENTIFY = 1
    #: Address, then `count` words to write. Answer: no words.
    WRITE = 2
    #: Address. Answer: `count` words.
    READ = 3
    #: Number of the program's first descriptor. Answer, when the program has ended: its cycles.
    RUN = 4
    #: Any word. Answer: the same word.
    SYNC = 5
    #: Nothing follows. Ends a running program; queues and tokens are empty afterwards.
    RESET = 6
    #: Nothing follows. Answer: `Counter` values, then the time stamps.
    COUNTERS = 7


class Status(enum.IntEnum):
    """What became of a request. All but OK are followed by one word of detail."""

    OK = 0
    #: Detail: the header.
    UNKNOWN_OPCODE = 1
    #: The packet ended early. Detail: words of it that came, the header included.
    TRUNCATED = 2
    #: The packet did not end where it should; the rest was dropped. Detail: as TRUNCATED.
    OVERLONG = 3
    #: Not a multiple of 4, no such memory, or beyond its end. Detail: the address.
    BAD_ADDRESS = 4
    #: A count of zero where words are expected. Detail: the header.
    BAD_COUNT = 5
    #: The program came to a descriptor with an unknown opcode or version, or without END to the
    #: end of the memory. Detail: the descriptor's number.
    BAD_DESCRIPTOR = 6
    #: A RESET ended the program. Detail: cycles until then.
    ABORTED = 7
    #: Everything in the program waits for something else in it. Detail: cycles until then.
    DEADLOCK = 8
    #: External memory refused a read of a FETCH. Detail: its byte address.
    BUS_ERROR = 9


class Memory(enum.IntEnum):
    """Bits 31..28 of an address: the memory."""

    ACTIVATIONS = 0
    WEIGHTS = 1
    #: 16 bytes a channel: bias, multiplier, shift, and a word that reads as zero.
    PARAMETERS = 2
    PROGRAM = 3


class Counter(enum.IntEnum):
    """Counters of the last run, in the order in which COUNTERS answers."""

    #: From the program's start to its end.
    CYCLES = 0
    #: Cycles in which each engine had a descriptor at work.
    LOAD_BUSY = 1
    COMPUTE_BUSY = 2
    VECTOR_BUSY = 3
    #: Planes that met the array; those of windows that are computed at once count as one's.
    PLANES = 4


#: Queues whose engine's busy cycles are counted, and where.
BUSY = {
    Queue.LOAD: Counter.LOAD_BUSY, Queue.COMPUTE: Counter.COMPUTE_BUSY,
    Queue.VECTOR: Counter.VECTOR_BUSY,
}

#: Counters before the time stamps.
COUNTERS = len(Counter)

#: Lowest bit of the memory's number in an address.
MEMORY_SHIFT = 28

#: Bytes of a channel's parameters in the address space.
CHANNEL_BYTES = 16


def memory_bytes(config: NpuConfig, memory: Memory) -> int:
    """Size of a memory in the address space, in bytes."""
    return {
        Memory.ACTIVATIONS: config.activation_bytes,
        Memory.WEIGHTS: config.weight_bytes,
        Memory.PARAMETERS: CHANNEL_BYTES * config.channels,
        Memory.PROGRAM: WORD_BYTES * WORDS * config.descriptors,
    }[memory]


def address(memory: Memory, offset: int) -> int:
    """Address of byte `offset` of a memory."""
    return memory << MEMORY_SHIFT | offset


@dataclass(frozen=True)
class Response:
    """An answer, taken apart."""

    request: int
    tag: int
    status: Status
    words: tuple[int, ...]

    @classmethod
    def parse(cls, words: Sequence[int]) -> "Response":
        """Take an answer apart. Raises ValueError where it is none."""
        if not words or words[0] >> 24 or (words[0] >> 16 & 0xFF) not in set(Status):
            raise ValueError(f"not an answer: {[f'{word:#010x}' for word in words[:4]]}")
        header = words[0]
        return cls(
            header & 0xFF, header >> 8 & 0xFF, Status(header >> 16 & 0xFF), tuple(words[1:])
        )


def header(request: int, tag: int, count: int = 0) -> int:
    """First word of a request."""
    return request | tag << 8 | count << 16


def response_header(request: int, tag: int, status: Status) -> int:
    """First word of an answer."""
    return request | tag << 8 | status << 16


def parameter_words(bias: int, multiplier: int, shift: int) -> list[int]:
    """A channel's parameters as the four words of its 16 bytes.

    `bias` is an int32, `multiplier` has 31 bits, `shift` is 0 to 31: the result is
    ``(sum + bias) * multiplier / 2**(31 + shift)``, rounded.
    """
    return [bias & 0xFFFFFFFF, multiplier, shift, 0]


def identity(config: NpuConfig) -> list[int]:
    """The answer to IDENTIFY: what a host needs to know before it writes anything.

    Magic number, instruction-set version, the first 128 bits of the configuration's digest, then
    the geometry for people and tools that have no configuration file.
    """
    digest = int(config.digest()[:32], 16)
    return [
        MAGIC,
        VERSION,
        *(digest >> 32 * word & 0xFFFFFFFF for word in reversed(range(4))),
        config.macro.rows | config.macro.columns << 16,
        config.activation_bytes,
        config.weight_bytes,
        config.channels,
        config.descriptors,
        config.lanes | config.activation_port << 8 | config.weight_port << 16 | config.stamps << 24,
        config.partial_sum_words | config.external_port << 24,
        config.macros | config.requantisers << 8 | config.taps << 16,
    ]


#: Words of `identity`.
IDENTITY_WORDS = 14
