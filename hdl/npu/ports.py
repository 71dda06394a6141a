# SPDX-License-Identifier: Apache-2.0
"""The interfaces between the NPU's memories and those who use them."""

from typing import Any, NamedTuple

from amaranth.hdl import Module, Signal, ValueLike
from amaranth.lib import data
from amaranth.lib.wiring import In, Out, Signature
from amaranth.utils import bits_for, exact_log2

from .config import TAP_BANKS, WORD_BYTES, NpuConfig
from .delay import delayed
from .latency import HOST_READ_CYCLES
from .packets import MEMORY_SHIFT

__all__ = [
    "ActivationReadPort", "ActivationWritePort", "BeatPort", "BurstRequest", "HostPort",
    "HostRequest", "KernelWritePort", "WeightWritePort", "answer_host", "byte_lanes",
    "host_request",
]


def byte_lanes(config: NpuConfig) -> data.ArrayLayout:
    """The bytes that the activation memory moves in a cycle."""
    return data.ArrayLayout(8, config.activation_port)


class ActivationReadPort(Signature):
    """A reader's view: ask for the bytes from `address` on; have them `READ_CYCLES` cycles after
    `ready`. Readers ask from registers: the memory's address is a long way from there.

    The first byte comes in lane `lane` of ``data``; the others follow it, from the last lane to
    lane 0.
    """

    def __init__(self, config: NpuConfig) -> None:
        super().__init__(
            {
                "valid": Out(1),
                "ready": In(1),
                "address": Out(config.activation_address_bits),
                "lane": Out(config.activation_lane_bits),
                "data": In(byte_lanes(config)),
            }
        )


class ActivationWritePort(Signature):
    """A writer's view: the first `count` lanes go to the bytes from `address` on, together.

    A `count` of zero writes nothing.
    """

    def __init__(self, config: NpuConfig) -> None:
        super().__init__(
            {
                "address": Out(config.activation_address_bits),
                "count": Out(bits_for(config.activation_port)),
                "data": Out(byte_lanes(config)),
            }
        )


class KernelWritePort(Signature):
    """A writer's view of the depthwise kernels: a tap at once, `lanes` channels.

    ``address`` counts the taps of both banks.
    """

    def __init__(self, config: NpuConfig) -> None:
        super().__init__(
            {
                "enable": Out(1),
                "address": Out(bits_for(TAP_BANKS * config.taps - 1)),
                "data": Out(data.ArrayLayout(8, config.lanes)),
            }
        )


class BurstRequest(data.StructLayout):
    """Consecutive beats of external memory, from number `beat` on; addresses are of 32 bits."""

    def __init__(self, config: NpuConfig) -> None:
        super().__init__(
            {
                "beat": 32 - config.beat_bits,
                "beats_less_one": exact_log2(config.burst_beats),
            }
        )


class BeatPort(Signature):
    """The reader's view of what comes from external memory: a beat, which is always taken.

    ``error``: the memory refused it, and ``data`` means nothing.
    """

    def __init__(self, config: NpuConfig) -> None:
        super().__init__(
            {"valid": Out(1), "error": Out(1), "data": Out(8 * config.external_port)}
        )


class WeightWritePort(Signature):
    """A writer's view of the weight memory: a beat of the external port, by its number."""

    def __init__(self, config: NpuConfig) -> None:
        super().__init__(
            {
                "enable": Out(1),
                "beat": Out(config.weight_beat_bits),
                "data": Out(8 * config.external_port),
            }
        )


class HostPort(Signature):
    """The front door's view of one memory, a word of 32 bits at a time.

    ``offset`` counts words. A read's `read_data` is there `HOST_READ_CYCLES` cycles after `read`
    at the latest, and until the next read's is.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "offset": Out(MEMORY_SHIFT - 2),
                "write": Out(1),
                "write_data": Out(8 * WORD_BYTES),
                "read": Out(1),
                "read_data": In(8 * WORD_BYTES),
            }
        )


class HostRequest(NamedTuple):
    """What a `HostPort` asks to be written, and the word of what it asks to read."""

    offset: Signal
    write: Signal
    write_data: Signal


def host_request(m: Module, host: Any, config: NpuConfig) -> HostRequest:
    """What a `HostPort` asks, a cycle later: the front door is far from most memories.

    What is on its way is written, even where a reset comes. On a large die each memory has
    registers of its own.
    """
    return HostRequest(*(
        delayed(
            m, f"host_{name}", getattr(host, name), 1, reset_less=True, keep=config.macros > 1
        )
        for name in HostRequest._fields
    ))


def answer_host(m: Module, host: Any, word: ValueLike, after: int) -> None:
    """Keep what a `HostPort` has read: `word` as it is `after` cycles after `read`."""
    assert after < HOST_READ_CYCLES, "the word comes too late for the front door"
    with m.If(delayed(m, "host_word_arrives", host.read, after)):
        m.d.sync += host.read_data.eq(word)
