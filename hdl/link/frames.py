# SPDX-License-Identifier: Apache-2.0
"""Frames of the serial link, defined once: hardware, host, model and manual follow.

A frame is words of 32 bits, low byte first, the last of them a checksum. It goes over the line as
COBS makes it, between two zero bytes. A command frame begins with a control word, as the hardware
has to know what comes; an answer frame ends with it, as only then it knows what went.

    command frame: control, words..., checksum
    answer frame:  words..., control, checksum

Both directions count words, not frames, from the beginning of the session: `position` is the
number of a command frame's first word, and of the word behind those of an answer frame; `ack` is
the number of the word that is awaited from the other side. So words may be divided otherwise when
they are sent again. In the frame that begins a session, and in reports, the two fields are the
session's number.
"""

# The fields of a data.Struct are annotated with their widths, which are no types.
# pyright: reportGeneralTypeIssues=false, reportInvalidTypeForm=false

import enum

from amaranth.lib import data

__all__ = [
    "ANSWER", "CLOCK_UNIT", "COMMAND", "CRC_POLYNOMIAL", "CRC_RESIDUE", "FRAME_WORDS",
    "LINK_VERSION", "POSITIONS", "POSITION_BITS", "REPORT_WORDS",
    "SESSION_BITS", "Answer", "Command", "Control",
    "Fact", "LinkEvent",
]

#: Counts up when a host for an older link could not use a newer one.
LINK_VERSION = 1

#: Words of a frame at most, control and checksum not counted.
FRAME_WORDS = 64

#: Bits of the session's number.
SESSION_BITS = 24

#: Positions count modulo this; far more words than are ever under way.
POSITION_BITS = 12
POSITIONS = 1 << POSITION_BITS

#: CRC-32 of IEEE 802.3, the bits of a byte from the low one on: begins as ones, ends inverted.
CRC_POLYNOMIAL = 0xEDB88320

#: The checksum of any frame with its checksum.
CRC_RESIDUE = 0x2144DF1C

#: `kind` of control words from a host, and from a device. A line that only echoes is found out.
COMMAND, ANSWER = 0xC, 0xA


class Control(data.Struct):
    """The control word of a frame."""

    #: Of a command frame `Command`, of an answer frame `Answer`.
    flags: 4
    #: `COMMAND` or `ANSWER`.
    kind: 4
    #: Number of a word in this direction; the low bits of the session's number.
    position: POSITION_BITS
    #: Number of the word that is awaited: all before have come. The high bits.
    ack: POSITION_BITS


class Command(enum.IntFlag):
    """Flags of a command frame."""

    #: The frame's last word ends a packet.
    LAST = 1
    #: Begins a session. No words, and no other flag.
    OPEN = 2
    #: Send the answers' words from `ack` on again.
    RESEND = 4
    #: Send a report.
    REPORT = 8


class Answer(enum.IntFlag):
    """Flags of an answer frame."""

    #: The frame's last word ends a packet.
    LAST = 1
    #: There is a session; without one no words are taken.
    OPEN = 2
    #: A frame was lost, or its words were: what is awaited has to be sent again.
    GAP = 4
    #: The words are a report, and not of the answers.
    REPORT = 8


class LinkEvent(enum.IntEnum):
    """What the device counts, since it was configured and modulo 65536, in the report's order."""

    #: Stop bits that were none.
    FRAMING = 0
    #: Breaks: the line was low for a byte and its stop bit.
    BREAK = 1
    #: Frames that ended within a COBS block or a word, or before their checksum.
    SHORT = 2
    #: Frames of more than `FRAME_WORDS` words.
    LONG = 3
    #: Frames with a wrong checksum, or that are no command.
    CHECKSUM = 4
    #: Frames that were given up as no byte came for long.
    TIMEOUT = 5
    #: Frames whose words had been taken already: they are not taken again.
    REPEAT = 6
    #: Frames behind one that is missing.
    AHEAD = 7
    #: Frames for which there was no room.
    NO_ROOM = 8
    #: Frames with words while there was no session.
    CLOSED = 9


class Fact(enum.IntEnum):
    """What a report tells of the device, behind the counters."""

    #: `LINK_VERSION`.
    VERSION = 10
    #: Words that each of the two buffers holds.
    BUFFER_WORDS = 11
    #: The clock's frequency, in units of `CLOCK_UNIT`.
    CLOCK = 12


#: Of `Fact.CLOCK`, in Hz.
CLOCK_UNIT = 10_000

#: Words of a report: one for each `LinkEvent` and `Fact`.
REPORT_WORDS = len(LinkEvent) + len(Fact)
