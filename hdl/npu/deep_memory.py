# SPDX-License-Identifier: Apache-2.0
"""A memory much deeper than a block RAM, of parts that synthesis makes without multiplexers."""

from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import bits_for

from .block_memory import block_memory
from .config import WORD_BYTES
from .delay import delayed

__all__ = ["DeepMemory", "part_depths"]

#: Entries of the least deep block RAM; what is less than that is not divided further.
_LEAST_DEPTH = 512
_WORD_BITS = 8 * WORD_BYTES


def part_depths(depth: int) -> Iterator[int]:
    """Powers of two, from the largest to the smallest, and a rest of up to 512; `depth` in all."""
    while depth > _LEAST_DEPTH:
        part = 1 << depth.bit_length() - 1
        yield part
        depth -= part
    if depth:
        yield depth


class DeepMemory(wiring.Component):
    """`depth` words of 32 bits; one reader, one writer.

    Block RAMs that are as deep as they can be, and a bit wide, need no multiplexer behind them, but
    that takes a depth that is a power of two. For others synthesis takes shallow, wide ones: of
    16,896 entries of 128 bits, the last 512 cost an ECP5 3,018 LUT4 and four block RAMs more than
    in two parts.

    Latency: 2 cycles from `read_address` to `read_data`, by way of a register behind each part:
    block RAMs lie all over the die, and take their time. Cost beside the block RAMs: these
    registers, and a multiplexer of two inputs for each bit and part but the first.

    Parameters
    ----------
    depth : int
        At least 1.
    slices : int
        Divides 32. So many memories beside each other are a part that has a block RAM for every
        bit, each with addresses of its own: they can come from registers nearby.

    Members
    -------
    read_address, write_address : In(bits_for(depth - 1)), one for each slice
        All the same.
    read_data : Out(32)
    write_data : In(32)
    write_enable : In(1)
    """

    read_address: Any
    read_data: Signal
    write_address: Any
    write_data: Signal
    write_enable: Signal

    def __init__(self, depth: int, slices: int = 1) -> None:
        self.depth = depth
        self.slices = slices
        address = In(bits_for(depth - 1))
        super().__init__(
            {
                "read_address": address.array(slices),
                "read_data": Out(_WORD_BITS),
                "write_address": address.array(slices),
                "write_data": In(_WORD_BITS),
                "write_enable": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        depths = list(part_depths(self.depth))
        begins = list(accumulate(depths[:-1], initial=0))
        writes = _parts_reached(self.write_address[0], begins)
        reads = _parts_reached(self.read_address[0], begins)
        answer: Value = self.read_data
        for index, depth in enumerate(depths):
            is_written = writes[index] & ~writes[index + 1]
            found = self._part(m, index, depth, is_written & self.write_enable)
            word = delayed(m, f"kept{index}_", found, 1, reset_less=True)
            if index:
                is_here = delayed(m, f"reads{index}_", reads[index], 2, reset_less=True)
                word = Mux(is_here, word, answer)
            answer = word
        m.d.comb += self.read_data.eq(answer)
        return m

    def _part(self, m: Module, index: int, depth: int, enable: Value) -> Value:
        """The word that a part reads, of slices where it is deep."""
        slices = self.slices if depth > _LEAST_DEPTH else 1
        bits = _WORD_BITS // slices
        found = []
        for place in range(slices):
            name = f"part{index}_{place}" if slices > 1 else f"part{index}"
            m.submodules[name] = memory = block_memory(bits, depth)
            write, read = memory.write_port(), memory.read_port()
            m.d.comb += [
                read.addr.eq(self.read_address[place][: len(read.addr)]),
                write.addr.eq(self.write_address[place][: len(write.addr)]),
                write.data.eq(self.write_data.word_select(place, bits)),
                write.en.eq(enable),
            ]
            found.append(read.data)
        return Cat(found)


def _parts_reached(address: Value, begins: Sequence[int]) -> list[Value]:
    """Whether an address lies in each part or beyond it; none lies beyond the last."""
    later = [address >= begin for begin in begins[1:]]
    return [Const(1, 1), *later, Const(0, 1)]
