# SPDX-License-Identifier: Apache-2.0
"""Activation memory: byte-wide banks, so that bytes of any alignment move in one cycle."""

from typing import Any

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In
from amaranth.utils import bits_for, exact_log2

from .block_memory import block_memory
from .config import WORD_BYTES, NpuConfig
from .delay import delayed
from .latency import READ_CYCLES
from .ports import ActivationReadPort, ActivationWritePort, HostPort, answer_host
from .rotate import rotated, wraps

__all__ = ["ActivationMemory"]


class ActivationMemory(wiring.Component):
    """One read and one write a cycle, each of up to `activation_port` consecutive bytes.

    Byte a lies in bank ``a % activation_port``. Consecutive bytes lie in different banks, whatever
    the alignment: the banks before the first byte's are simply read one word further on. So a
    window's run of n bytes costs ``ceil(n / activation_port)`` cycles wherever it begins.

    Readers are served in the order of the ports below when they ask at once. The host may only be
    active while the engines are not.

    Both go through registers first, as all banks' addresses are calculated from one, and through
    another as they reach the banks; bytes that are written turn to their banks meanwhile. So what
    is written can be read 3 cycles later; no token reaches another engine sooner.

    Latency: read data `READ_CYCLES` cycles after `ready`; the host's as in `HostPort`. Cost:
    `activation_port` memories of one byte.

    Parameters
    ----------
    config : NpuConfig

    Members
    -------
    pool, window : In(ActivationReadPort)
        The vector engine's pooling and the window feeder.
    pool_next : In(1)
        `pool` may ask in the next cycle; `window` is not served then.
    pool_write, store_write : In(ActivationWritePort)
        Their results; never in the same cycle, as the vector engine does one descriptor at a time.
    host : In(HostPort)
    """

    pool: Any
    window: Any
    pool_next: Signal
    pool_write: Any
    store_write: Any
    host: Any

    def __init__(self, config: NpuConfig) -> None:
        self.config = config
        super().__init__(
            {
                "pool": In(ActivationReadPort(config)),
                "window": In(ActivationReadPort(config)),
                "pool_next": In(1),
                "pool_write": In(ActivationWritePort(config)),
                "store_write": In(ActivationWritePort(config)),
                "host": In(HostPort()),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        lanes, lane_bits = self.config.activation_port, self.config.activation_lane_bits
        depth = self.config.activation_bytes // lanes
        read_address, first_lane = self._arbitrate_reads(m)
        write_address, to_banks = self._writes(m)
        read_bytes = []
        to_write = self._words(m, "write", write_address)
        to_read = self._words(m, "read", read_address)
        for bank in range(lanes):
            bytes_ = block_memory(8, depth)
            m.submodules[f"bank{bank}"] = bytes_
            write, read = bytes_.write_port(), bytes_.read_port()
            m.d.comb += [
                write.addr.eq(to_write[bank]),
                Cat(write.data, write.en).eq(to_banks[bank]),
                read.addr.eq(to_read[bank]),
            ]
            read_bytes.append(read.data)
        # Block RAM is slow to answer: what follows begins at a register. Lane l gets the byte of
        # bank l + turn.
        kept = [
            delayed(m, f"read_byte{bank}_", byte, 1, reset_less=True)
            for bank, byte in enumerate(read_bytes)
        ]
        turn = (read_address - first_lane)[:lane_bits]
        in_lanes = rotated(m, "read", kept, delayed(m, "turn", turn, 3, reset_less=True))
        answer = delayed(m, "answer", Cat(in_lanes), READ_CYCLES - 5, reset_less=True)
        m.d.comb += [self.pool.data.eq(answer), self.window.data.eq(answer)]
        self._answer_host(m, Cat(kept))
        return m

    def _words(self, m: Module, name: str, address: Signal) -> list[Value]:
        """For each bank, the word in which it holds one of the bytes from `address` on.

        It comes from a register of the bank's own: the banks lie in rows across the die.
        """
        lanes, lane_bits = self.config.activation_port, self.config.activation_lane_bits
        depth = self.config.activation_bytes // lanes
        word = address[lane_bits:]
        # One addition for all banks.
        following = Signal(bits_for(depth - 1), name=f"{name}_next_word")
        m.d.comb += following.eq((word + 1)[: len(following)])
        words = (
            Mux(wraps(address[:lane_bits], bank), following, word)[: len(following)]
            for bank in range(lanes)
        )
        return [
            delayed(m, f"{name}_word{bank}_", here, 1, reset_less=True)
            for bank, here in enumerate(words)
        ]

    def _arbitrate_reads(self, m: Module) -> tuple[Signal, Signal]:
        """What is read, registered: the first byte's address, and the lane that it is to come in.
        """
        address = Signal(self.config.activation_address_bits)
        lane = Signal(self.config.activation_lane_bits)
        # The window feeder waits for this, and is not where the other is.
        pool_asks = Signal()
        m.d.sync += pool_asks.eq(self.pool_next)
        with m.If(self.host.read):
            m.d.sync += address.eq(Cat(Const(0, 2), self.host.offset)[: len(address)])
        with m.Elif(self.pool.valid):
            m.d.sync += [address.eq(self.pool.address), lane.eq(self.pool.lane)]
        with m.Else():
            m.d.sync += [address.eq(self.window.address), lane.eq(self.window.lane)]
        m.d.comb += [
            self.pool.ready.eq(self.pool.valid),
            self.window.ready.eq(self.window.valid & ~pool_asks),
        ]
        return address, lane

    def _writes(self, m: Module) -> tuple[Signal, list[Value]]:
        """What is written: the first byte's address; for each bank a byte, and whether it is any.

        What is on its way is written, even where a reset comes.
        """
        lanes = self.config.activation_port
        address = Signal(self.config.activation_address_bits)
        count = Signal(range(lanes + 1))
        data = Signal(8 * lanes)
        with m.If(self.host.write):
            m.d.comb += [
                address.eq(Cat(Const(0, 2), self.host.offset)[: len(address)]),
                count.eq(WORD_BYTES),
                data.eq(self.host.write_data),
            ]
        with m.Elif(self.store_write.count != 0):
            m.d.comb += [
                address.eq(self.store_write.address),
                count.eq(self.store_write.count),
                data.eq(self.store_write.data),
            ]
        with m.Else():
            m.d.comb += [
                address.eq(self.pool_write.address),
                count.eq(self.pool_write.count),
                data.eq(self.pool_write.data),
            ]
        address, count, data = (
            delayed(m, f"write_{name}", value, 1, reset_less=True)
            for name, value in (("address", address), ("count", count), ("data", data))
        )
        # Bank b gets the lane (b - address).
        in_lanes = [Cat(data.word_select(lane, 8), count > lane) for lane in range(lanes)]
        turn = (-address[: self.config.activation_lane_bits])[: self.config.activation_lane_bits]
        to_banks = [
            delayed(m, f"to_bank{bank}_", byte, 1, reset_less=True)
            for bank, byte in enumerate(rotated(m, "write", in_lanes, turn))
        ]
        return delayed(m, "bank_address", address, 1, reset_less=True), to_banks

    def _answer_host(self, m: Module, word: Value) -> None:
        """The four of the port's bytes that the host has asked for."""
        words = self.config.activation_port // WORD_BYTES
        after = READ_CYCLES - 2
        which = delayed(m, "host_word", self.host.offset[: exact_log2(words)], after)
        choices = Array(word.word_select(index, 32) for index in range(words))
        answer_host(m, self.host, choices[which], after)
