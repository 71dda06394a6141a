# SPDX-License-Identifier: Apache-2.0
"""Memories that the host writes word by word and the engines read: weights, parameters, program."""

from typing import Any

from amaranth.hdl import Array, Cat, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from .block_memory import block_memory
from .config import WORD_BYTES, NpuConfig
from .deep_memory import DeepMemory
from .delay import delayed
from .isa import WORDS
from .latency import PARAMETER_CYCLES, PROGRAM_CYCLES, WEIGHT_CYCLES
from .ports import HostPort, WeightWritePort, answer_host, host_request

__all__ = ["ParameterMemory", "ProgramMemory", "WeightMemory"]


#: Slices of a lane of the weight memory, where the die is large: block RAMs of one lie together.
_SLICES = 4


class WeightMemory(wiring.Component):
    """Words of `weight_port` bytes for the weight loader, of 32 bits for the host.

    With an external port the fetch engine writes beats of it; the host does not write then, as a
    program is running.

    Its block RAMs lie all over the die, so registers stand before and behind them; the lanes of a
    word are memories of their own, each with its own registers for addresses, and with several
    macros each quarter of a lane has its own.

    Latency: `WEIGHT_CYCLES` cycles from `address` to `data`.

    Members
    -------
    address : In(...)
        Word to read.
    data : Out(8 * config.weight_port)
    host : In(HostPort)
        While it reads, `data` is not the loader's.
    fetch : In(WeightWritePort(config))
        Only with an external port.
    """

    address: Signal
    data: Signal
    host: Any
    fetch: Any

    def __init__(self, config: NpuConfig) -> None:
        self.config = config
        members: dict[str, Any] = {
            "address": In(config.weight_word_bits),
            "data": Out(8 * config.weight_port),
            "host": In(HostPort()),
        }
        if config.external_port:
            members["fetch"] = In(WeightWritePort(config))
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        lanes = self.config.weight_port // WORD_BYTES
        lane_bits = exact_log2(lanes)
        slices = _SLICES if self.config.macros > 1 else 1
        host_word = self.host.offset[lane_bits:][: self.config.weight_word_bits]
        lane = self.host.offset[:lane_bits]
        read_address = Mux(self.host.read, host_word, self.address)
        # The request is registered, and the memory takes two cycles.
        found_after = 3
        wait = WEIGHT_CYCLES - found_after
        # What is on its way is written, even where a reset comes.
        address = Signal(self.config.weight_word_bits)
        enable = Signal(lanes)
        word = Signal(8 * self.config.weight_port)
        m.d.comb += [
            address.eq(host_word),
            word.eq(Cat(self.host.write_data for _ in range(lanes))),
            enable.eq(self.host.write << lane),
        ]
        if self.config.external_port:
            self._fetch(m, address, word, enable)
        found = []
        for index in range(lanes):
            words = DeepMemory(self.config.weight_words, slices)
            m.submodules[f"lane{index}"] = words
            for name, value in {
                "read_address": read_address,
                "write_address": address,
                "write_data": word[32 * index :][:32],
                "write_enable": enable[index],
            }.items():
                taken = getattr(words, name)
                # On a large die the data of each lane, too.
                apart = lanes > 1 and (name.endswith("address") or slices > 1)
                for place, each in enumerate(taken if isinstance(taken, list) else [taken]):
                    own = f"lane{index}_{name}{place}_"
                    m.d.comb += each.eq(delayed(m, own, value, 1, reset_less=True, keep=apart))
            found.append(words.read_data)
        m.d.comb += self.data.eq(delayed(m, "kept", Cat(found), wait, reset_less=True))
        choices = Array(self.data.word_select(index, 32) for index in range(lanes))
        lane_found = delayed(m, "lane", lane, WEIGHT_CYCLES, reset_less=True)
        answer_host(m, self.host, choices[lane_found], WEIGHT_CYCLES)
        return m

    def _fetch(self, m: Module, address: Signal, word: Signal, enable: Signal) -> None:
        """A beat has its lanes in a word, at a place that its number tells."""
        lanes = self.config.external_port // WORD_BYTES
        beats = self.config.weight_port // self.config.external_port
        beat_bits = exact_log2(beats)
        with m.If(self.fetch.enable):
            m.d.comb += [
                address.eq(self.fetch.beat[beat_bits:]),
                word.eq(Cat(self.fetch.data for _ in range(beats))),
                enable.eq(
                    Cat(
                        (self.fetch.beat[:beat_bits] == beat).replicate(lanes)
                        for beat in range(beats)
                    )
                ),
            ]


class ProgramMemory(wiring.Component):
    """Descriptors, a word of 32 bits at a time.

    Latency: `PROGRAM_CYCLES` cycles from `address` to `data`.

    Members
    -------
    address : In(...)
        Word to read.
    data : Out(32)
    host : In(HostPort)
        While it reads, `data` is not the sequencer's.
    """

    address: Signal
    data: Signal
    host: Any

    def __init__(self, config: NpuConfig) -> None:
        self.config = config
        super().__init__(
            {
                "address": In(config.program_word_bits),
                "data": Out(32),
                "host": In(HostPort()),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.words = words = DeepMemory(WORDS * self.config.descriptors)
        host = host_request(m, self.host, self.config)
        (read_address,), (write_address,) = words.read_address, words.write_address
        host_reads = delayed(m, "host_read", self.host.read, 1, reset_less=True)
        host_word = host.offset[: len(read_address)]
        m.d.comb += [
            read_address.eq(Mux(host_reads, host_word, self.address)),
            self.data.eq(words.read_data),
            write_address.eq(host_word),
            words.write_data.eq(host.write_data),
            words.write_enable.eq(host.write),
        ]
        answer_host(m, self.host, self.data, 1 + PROGRAM_CYCLES)
        return m


#: Width of each parameter of a channel, in the order of its words.
PARAMETER_BITS = {"bias": 32, "multiplier": 31, "shift": 5}


class ParameterMemory(wiring.Component):
    """Bias, multiplier and shift of every channel; `requantisers` neighbouring channels a word.

    The three are separate memories, so that each is read in the cycle in which the requantisation
    needs it, rather than carried along.

    Latency: `PARAMETER_CYCLES` cycles from an address to its values.

    Members
    -------
    bias_address, multiplier_address, shift_address : In(...)
        Word to read: a channel's number divided by `requantisers`.
    bias : Out(ArrayLayout(32, requantisers))
    multiplier : Out(ArrayLayout(31, requantisers))
    shift : Out(ArrayLayout(5, requantisers))
    host : In(HostPort)
        While it reads, the values are not the engine's.
    """

    bias_address: Signal
    multiplier_address: Signal
    shift_address: Signal
    bias: data.View
    multiplier: data.View
    shift: data.View
    host: Any

    def __init__(self, config: NpuConfig) -> None:
        self.config = config
        members: dict[str, Any] = {"host": In(HostPort())}
        for name, bits in PARAMETER_BITS.items():
            members[f"{name}_address"] = In(config.channel_word_bits)
            members[name] = Out(data.ArrayLayout(bits, config.requantisers))
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        lanes = self.config.requantisers
        host = host_request(m, self.host, self.config)
        parameter, lane, host_word = self._place(host)
        # What is read is registered, too, but together with what the engine asks.
        parameter_read, lane_read, word_read = self._place(self.host)
        lane_read = delayed(m, "lane", lane_read, PARAMETER_CYCLES, reset_less=True)
        answers = []
        for index, (name, bits) in enumerate(PARAMETER_BITS.items()):
            words = block_memory(data.ArrayLayout(bits, lanes), self.config.channel_words)
            m.submodules[name] = words
            write, read = words.write_port(granularity=1), words.read_port()
            # By way of a register before the block RAMs, and of one behind them.
            wanted = Mux(self.host.read, word_read, getattr(self, f"{name}_address"))
            asked = delayed(m, f"{name}_asked", wanted, 1, reset_less=True)
            kept = delayed(m, f"{name}_kept", read.data, PARAMETER_CYCLES - 2, reset_less=True)
            m.d.comb += [
                read.addr.eq(asked),
                getattr(self, name).eq(kept),
                write.addr.eq(host_word),
                write.data.eq(Cat(host.write_data[:bits] for _ in range(lanes))),
                write.en.eq((host.write & (parameter == index)) << lane),
            ]
            answer = Array(kept[lane] for lane in range(lanes))[lane_read]
            answers.append(delayed(m, f"{name}_answer", answer, 1, reset_less=True))
        after = PARAMETER_CYCLES + 1
        which = delayed(m, "parameter", parameter_read, after, reset_less=True)
        answer_host(m, self.host, Array([*answers, 0])[which], after)
        return m

    def _place(self, request: Any) -> tuple[Value, Value, Value]:
        """Which parameter a word of the host's is, its lane, and the word that has the lane."""
        offset, lane_bits = request.offset, exact_log2(self.config.requantisers)
        word = offset[2 + lane_bits :][: self.config.channel_word_bits]
        return offset[:2], offset[2:][:lane_bits], word
