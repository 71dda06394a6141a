# SPDX-License-Identifier: Apache-2.0
"""The NPU's parameters and everything that follows from them: memory shapes, rates, identity."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, get_args

from amaranth.utils import bits_for, exact_log2
from pydantic import Field, model_validator

from ..config import Config
from ..macro.config import Cell, MacroConfig
from .isa import WORDS, Opcode, Queue

__all__ = ["TAP_BANKS", "WORD_BYTES", "NpuConfig"]

#: Bytes of a packet's word: what the host reads and writes at once.
WORD_BYTES = 4
#: Banks of depthwise kernels: one is loaded while the other computes.
TAP_BANKS = 2

#: Cells that the macro of an NPU may have: those whose weights are written and met plane by plane.
CELLS = (Cell.BITCELL, Cell.LOOKUP)
#: Fields of the macro that an NPU leaves no choice: int8 times int8, a plane a cycle.
MACRO_FIELDS = {
    "weight_bits": 8, "input_bits": 8, "accumulations": 1, "fusion": 1, "bits_per_cycle": 1,
}


#: Bytes that units of the vector engine work on at once.
_Lanes = Literal[1, 2, 4, 8, 16]


class NpuConfig(Config):
    """A neural processing unit around compute-in-memory macros.

    The macro is a part of it: its `name` is not used, inputs are unsigned bytes (``x ^ 0x80`` of
    int8), sums over several passes are kept by the vector engine, and planes that
    `skip_zero_planes` lets it skip are found by the window feeder.
    """

    name: Annotated[
        str, Field(pattern=r"^[a-z][a-z0-9_]{0,47}$", description="name of the Verilog module")
    ] = "cim_npu"
    macro: Annotated[MacroConfig, Field(description="the macro of the matrix engine")]
    macros: Annotated[
        Literal[1, 2, 4, 8], Field(description="macros of the matrix engine, all alike")
    ] = 1
    activation_bytes: Annotated[
        int, Field(ge=256, le=1 << 20, description="size of the activation memory in bytes")
    ] = 16384
    activation_port: Annotated[
        Literal[4, 8, 16, 32],
        Field(description="bytes a cycle read from and written to the activation memory"),
    ] = 8
    weight_bytes: Annotated[
        int, Field(ge=256, le=1 << 24, description="size of the weight memory in bytes")
    ] = 32768
    weight_port: Annotated[
        Literal[4, 8, 16, 32], Field(description="bytes a cycle read from the weight memory")
    ] = 8
    external_port: Annotated[
        Literal[0, 4, 8, 16, 32],
        Field(description="bytes a beat of the AXI4 port for weights in external memory; 0: none"),
    ] = 0
    channels: Annotated[
        int, Field(ge=8, le=16384, description="channels whose requantisation is kept on chip")
    ] = 128
    lanes: Annotated[
        _Lanes, Field(description="channels of a tap multiplied and added in a cycle")
    ] = 4
    requantisers: Annotated[
        _Lanes,
        Field(description="outputs requantised in a cycle; as many as `lanes` if not given"),
    ] = 4
    partial_sum_words: Annotated[
        int,
        Field(
            ge=16, le=65536,
            description="words of `requantisers` partial sums kept between passes",
        ),
    ] = 256
    taps: Annotated[
        Literal[16, 32, 64, 128, 256],
        Field(description="taps that a depthwise kernel may have; two banks of so many are kept"),
    ] = 16
    descriptors: Annotated[
        int, Field(ge=16, le=65536, description="descriptors the program memory holds")
    ] = 128
    queue_depth: Annotated[
        int, Field(ge=1, le=16, description="descriptors waiting in front of each engine")
    ] = 2
    stamps: Annotated[
        Literal[16, 32, 64, 128], Field(description="time stamps that a run can leave behind")
    ] = 32

    @model_validator(mode="before")
    @classmethod
    def _requantise_all_lanes(cls, fields: Any) -> Any:
        # Wrong lanes are reported once.
        if isinstance(fields, Mapping) and fields.get("lanes") in get_args(_Lanes):
            return {"requantisers": fields["lanes"], **fields}
        return fields

    @model_validator(mode="after")
    def _check_fit(self) -> "NpuConfig":
        if self.macro.cell not in CELLS:
            cells = " or ".join(cell.value for cell in CELLS)
            raise ValueError(
                f"macro.cell must be {cells} in an NPU, not {self.macro.cell.value}"
            )
        for field, needed in MACRO_FIELDS.items():
            value = getattr(self.macro, field)
            if value != needed:
                raise ValueError(f"macro.{field} must be {needed} in an NPU, not {value}")
        if self.lanes > self.activation_port:
            raise ValueError(
                f"lanes must be at most activation_port ({self.activation_port}), as the "
                f"channels of a tap are read at once, not {self.lanes}"
            )
        if self.requantisers > self.lanes:
            raise ValueError(
                f"requantisers must be at most lanes ({self.lanes}), as sums come from so many, "
                f"not {self.requantisers}"
            )
        if self.external_port > self.weight_port:
            raise ValueError(
                f"external_port must be at most weight_port ({self.weight_port}), as a beat is "
                f"written to the weight memory at once, not {self.external_port}"
            )
        if self.macros > 1 and self.macro.columns % self.requantisers:
            raise ValueError(
                f"requantisers must divide macro.columns ({self.macro.columns}) where there are "
                f"several macros, not {self.requantisers}"
            )
        if self.channels < 2 * self.requantisers:
            raise ValueError(
                f"channels must be at least twice requantisers ({2 * self.requantisers}), "
                f"as an addition takes so many, not {self.channels}"
            )
        for field, value, unit in (
            ("activation_bytes", self.activation_bytes, self.activation_port),
            ("weight_bytes", self.weight_bytes, self.weight_port),
            ("channels", self.channels, self.requantisers),
        ):
            if value % unit:
                raise ValueError(f"{field} must be a multiple of {unit}, not {value}")
        return self

    def _digested(self) -> dict[str, Any]:
        """An NPU without an external port is the one that it was before there were such ports."""
        fields = self.to_mapping()
        if not self.external_port:
            del fields["external_port"]
        return fields

    # External memory ----------------------------------------------------------------------------

    @property
    def queues(self) -> tuple[Queue, ...]:
        """The queues of the engines that it has."""
        return tuple(q for q in Queue if q is not Queue.FETCH or self.external_port)

    @property
    def opcodes(self) -> tuple[Opcode, ...]:
        """The opcodes that it knows; any other ends a program."""
        return tuple(opcode for opcode in Opcode if opcode.queue in (None, *self.queues))

    @property
    def beat_bits(self) -> int:
        """Low bits of an external address: the byte within a beat of the port."""
        return exact_log2(self.external_port)

    @property
    def weight_beat_bits(self) -> int:
        """Width of a beat's number in the weight memory."""
        return bits_for(self.weight_bytes // self.external_port - 1)

    @property
    def burst_beats(self) -> int:
        """Bursts end at multiples of so many beats: AXI's most, and no page of 4 KiB is left."""
        return min(256, 4096 // self.external_port)

    # Memories -----------------------------------------------------------------------------------

    @property
    def activation_address_bits(self) -> int:
        """Width of a byte address in the activation memory."""
        return bits_for(self.activation_bytes - 1)

    @property
    def activation_lane_bits(self) -> int:
        """Low bits of an activation address: the byte within the port."""
        return exact_log2(self.activation_port)

    @property
    def weight_words(self) -> int:
        """Words of `weight_port` bytes in the weight memory."""
        return self.weight_bytes // self.weight_port

    @property
    def row_words(self) -> int:
        """Words of the weight memory that one row of weights takes: a byte a weight, whole words.
        """
        return -(-self.macro.columns * self.macro.weight_bits // (8 * self.weight_port))

    @property
    def group_words(self) -> int:
        """Words of the weight memory that one row group takes, row after row."""
        return self.macro.rows_per_group * self.row_words

    @property
    def group_bytes(self) -> int:
        """Bytes of the weight memory that one row group takes."""
        return self.group_words * self.weight_port

    @property
    def tap_words(self) -> int:
        """Words of the weight memory that one tap of `lanes` depthwise kernels takes."""
        return -(-self.lanes // self.weight_port)

    @property
    def tap_bytes(self) -> int:
        """Bytes of the weight memory that one tap of `lanes` depthwise kernels takes."""
        return self.tap_words * self.weight_port

    @property
    def load_interval(self) -> int:
        """Cycles from one row group to the next while weights are loaded into a bank at rest.

        The memory gives a word a cycle. Where the rows of a group cannot be taken while a table is
        filled, all but the first two, which are read meanwhile, are read after it.
        """
        macro, after_fill = self.macro, 0
        if macro.has_fill and not macro.stages_two_groups:
            after_fill = max(0, macro.rows_per_group - 2) * (self.row_words - 1)
        return max(self.group_words, macro.write_interval + after_fill)

    @property
    def channel_words(self) -> int:
        """Words of `requantisers` channels in the parameter memory."""
        return self.channels // self.requantisers

    @property
    def weight_word_bits(self) -> int:
        """Width of a word's number in the weight memory."""
        return bits_for(self.weight_words - 1)

    @property
    def channel_word_bits(self) -> int:
        """Width of a word's number in the parameter memory."""
        return bits_for(self.channel_words - 1)

    @property
    def partial_sum_bits(self) -> int:
        """Width of a word's number in the memory of partial sums."""
        return bits_for(self.partial_sum_words - 1)

    @property
    def program_word_bits(self) -> int:
        """Width of a word's number in the program memory."""
        return bits_for(WORDS * self.descriptors - 1)

    @property
    def descriptor_bits(self) -> int:
        """Width of a descriptor's number."""
        return bits_for(self.descriptors - 1)

    @property
    def fetch_bits(self) -> int:
        """Width of the number of the descriptor to fetch, which may be one beyond the last."""
        return bits_for(self.descriptors)

    @property
    def stamp_bits(self) -> int:
        """Width of a time stamp's number."""
        return exact_log2(self.stamps)

    @property
    def pool_lanes(self) -> int:
        """Channels of a tap that a max pool takes in a cycle: not all that a wide port has."""
        return min(self.activation_port, max(self.lanes, 16))

    # Several macros ------------------------------------------------------------------------------

    @property
    def array(self) -> MacroConfig:
        """The macro as it is built: which planes to skip it is told by the window feeder."""
        return self.macro.replace(skip_zero_planes=False)

    @property
    def columns(self) -> int:
        """Outputs of all macros."""
        return self.macros * self.macro.columns

    @property
    def most_split(self) -> int:
        """Highest `split` of a descriptor: each macro has a window of its own."""
        return exact_log2(self.macros)

    def macros_of(self, window: int, split: int) -> Sequence[int]:
        """The macros that have a window, of those that are computed at once."""
        count = self.macros >> split
        return range(window * count, (window + 1) * count)

    @property
    def beats(self) -> int:
        """Cycles that all outputs of a round of windows take through the requantisers."""
        return -(-self.columns // self.requantisers)

    # Sums of windows ----------------------------------------------------------------------------

    @property
    def sum_beats(self) -> int:
        """Cycles that the sums of all lanes take through the requantisers."""
        return self.lanes // self.requantisers
