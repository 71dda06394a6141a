# SPDX-License-Identifier: Apache-2.0
"""A memory much deeper than a block RAM, of parts that synthesis makes without multiplexers."""

from collections.abc import Iterator, Sequence
from itertools import accumulate

from amaranth.hdl import Const, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from .block_memory import block_memory
from .delay import delayed

__all__ = ["DeepMemory", "part_depths"]

#: Entries of the least deep block RAM; what is less than that is not divided further.
_LEAST_DEPTH = 512


def part_depths(depth: int) -> Iterator[int]:
    """Powers of two, from the largest to the smallest, and a rest of up to 512; `depth` in all."""
    while depth > _LEAST_DEPTH:
        part = 1 << depth.bit_length() - 1
        yield part
        depth -= part
    if depth:
        yield depth


class DeepMemory(wiring.Component):
    """`depth` entries of some words of 32 bits, each written by itself; one reader, one writer.

    Block RAMs that are as deep as they can be, and a bit wide, need no multiplexer behind them, but
    that takes a depth that is a power of two. For others synthesis takes shallow, wide ones: of
    16,896 entries of 128 bits, the last 512 cost an ECP5 3,018 LUT4 and four block RAMs more than
    in two parts.

    Latency: 2 cycles from `read_address` to `read_data`, by way of a register behind each part:
    block RAMs lie all over the die, and take their time. Cost beside the block RAMs: these
    registers, and a multiplexer of two inputs for each bit and part but the first.

    Parameters
    ----------
    words : int
        Words in an entry.
    depth : int
        At least 1.

    Members
    -------
    read_address, write_address : In(bits_for(depth - 1))
    read_data : Out(ArrayLayout(32, words))
    write_data : In(ArrayLayout(32, words))
    write_enable : In(words)
    """

    read_address: Signal
    read_data: data.View
    write_address: Signal
    write_data: data.View
    write_enable: Signal

    def __init__(self, words: int, depth: int) -> None:
        self.words = words
        self.depth = depth
        entry = data.ArrayLayout(32, words)
        super().__init__(
            {
                "read_address": In(bits_for(depth - 1)),
                "read_data": Out(entry),
                "write_address": In(bits_for(depth - 1)),
                "write_data": In(entry),
                "write_enable": In(words),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        entry = data.ArrayLayout(32, self.words)
        depths = list(part_depths(self.depth))
        begins = list(accumulate(depths[:-1], initial=0))
        writes = _parts_reached(self.write_address, begins)
        reads = _parts_reached(self.read_address, begins)
        answer = Value.cast(self.read_data)
        for index, depth in enumerate(depths):
            m.submodules[f"part{index}"] = part = block_memory(entry, depth)
            write, read = part.write_port(granularity=1), part.read_port()
            is_written = writes[index] & ~writes[index + 1]
            m.d.comb += [
                read.addr.eq(self.read_address[: len(read.addr)]),
                write.addr.eq(self.write_address[: len(write.addr)]),
                write.data.eq(self.write_data),
                write.en.eq(Mux(is_written, self.write_enable, 0)),
            ]
            kept = delayed(m, f"kept{index}_", read.data, 1, reset_less=True)
            word = Value.cast(kept)
            if index:
                is_here = delayed(m, f"reads{index}_", reads[index], 2, reset_less=True)
                word = Mux(is_here, word, answer)
            answer = word
        m.d.comb += self.read_data.eq(answer)
        return m


def _parts_reached(address: Value, begins: Sequence[int]) -> list[Value]:
    """Whether an address lies in each part or beyond it; none lies beyond the last."""
    later = [address >= begin for begin in begins[1:]]
    return [Const(1, 1), *later, Const(0, 1)]
