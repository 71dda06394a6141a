# SPDX-License-Identifier: Apache-2.0
"""The NPU's memories as bytes, and which of them hold values that can be predicted.

All memories are zero at first and survive a reset. A program that is ended before its END leaves
values behind that depend on time; those bytes are `unknown` until they are written again.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...hdl.npu.config import TAP_BANKS, WORD_BYTES, NpuConfig
from ...hdl.npu.packets import CHANNEL_BYTES, MEMORY_SHIFT, Memory, memory_bytes

__all__ = ["Memories"]

#: Bits that a channel's four words keep: bias, multiplier, shift, nothing.
_PARAMETER_MASKS = np.array([0xFFFFFFFF, 0x7FFFFFFF, 0x1F, 0], np.uint32)
_CHANNEL_WORDS = CHANNEL_BYTES // WORD_BYTES


class Memories:
    """The four memories in the address space, and what no host sees: partial sums and kernels.

    Parameters
    ----------
    config : NpuConfig
    external : bytes
        External memory, from address 0 on, for an NPU that has a port to it.

    Attributes
    ----------
    activations : array of uint8, shape (activation_bytes + 1,)
        One more than there are: the last one stands for whatever a tap outside an image reads as.
    unknown : array of bool, shape (activation_bytes + 1,)
        Activations whose value cannot be predicted.
    weights_unknown : array of bool, shape (weight_bytes,)
        Bytes of the weight memory whose value cannot be predicted.
    external : array of int8
        As given; no program writes it.
    partial, partial_known : arrays of int64 and bool, shape (partial_sum_words * requantisers,)
        Partial sums, word after word, and whether anything has been kept there.
    taps, taps_known : arrays of int8 and bool, shapes (2, taps, lanes) and (2, taps)
        Both banks of depthwise kernels, and which of their taps can be predicted.
    """

    def __init__(self, config: NpuConfig, external: bytes = b"") -> None:
        self.config = config
        self.load_external(external)
        self.weights_unknown = np.zeros(config.weight_bytes, bool)
        self.activations = np.zeros(config.activation_bytes + 1, np.uint8)
        self.unknown = np.zeros(config.activation_bytes + 1, bool)
        self._bytes = {
            memory: np.zeros(memory_bytes(config, memory), np.uint8)
            for memory in (Memory.WEIGHTS, Memory.PARAMETERS, Memory.PROGRAM)
        } | {Memory.ACTIVATIONS: self.activations[:-1]}
        self.partial = np.zeros(config.partial_sum_words * config.requantisers, np.int64)
        self.partial_known = np.zeros(self.partial.shape, bool)
        self.taps = np.zeros((TAP_BANKS, config.taps, config.lanes), np.int8)
        self.taps_known = np.ones(self.taps.shape[:2], bool)

    @property
    def outside(self) -> int:
        """Index in `activations` of the value that stands for taps outside an image."""
        return self.config.activation_bytes

    @property
    def weights(self) -> NDArray[np.int8]:
        """The weight memory, byte by byte."""
        return self._bytes[Memory.WEIGHTS].view(np.int8)

    @property
    def parameters(self) -> NDArray[np.int32]:
        """Bias, multiplier, shift and zero of each channel."""
        return self._bytes[Memory.PARAMETERS].view("<i4").reshape(-1, _CHANNEL_WORDS)

    def descriptor(self, number: int) -> list[int]:
        """The words of a descriptor."""
        words = self._bytes[Memory.PROGRAM].view("<u4").reshape(self.config.descriptors, -1)
        return words[number].tolist()

    def locate(self, address: int, count: int) -> tuple[Memory, int] | None:
        """Memory and byte offset of `count` words, if they are aligned and all in one memory."""
        number, offset = address >> MEMORY_SHIFT, address & ((1 << MEMORY_SHIFT) - 1)
        if number not in set(Memory) or offset % WORD_BYTES:
            return None
        memory = Memory(number)
        if offset + WORD_BYTES * count > memory_bytes(self.config, memory):
            return None
        return memory, offset

    def read(self, memory: Memory, offset: int, count: int) -> list[int]:
        """Words, from a byte offset on."""
        return self._bytes[memory][offset : offset + WORD_BYTES * count].view("<u4").tolist()

    def read_masks(self, memory: Memory, offset: int, count: int) -> list[int]:
        """The bits of each of these words that can be predicted."""
        known = np.full(WORD_BYTES * count, 0xFF, np.uint8)
        unknown = self._unknown_of(memory)
        if unknown is not None:
            known[unknown[offset : offset + known.size]] = 0
        return known.view("<u4").tolist()

    def store(self, addresses: NDArray[np.int64], results: NDArray[np.int8]) -> None:
        """Replace activations by results of an operation."""
        self.activations[addresses] = results.view(np.uint8)
        self.unknown[addresses] = False

    def forget_activations(self) -> None:
        """Stop predicting what programs can write: activations, and weights that are fetched.

        What engines keep to themselves is not predicted either.
        """
        self.unknown[:-1] = True
        self.weights_unknown[:] = bool(self.config.external_port)
        self.partial_known[:] = False
        self.taps_known[:] = False

    def write(self, memory: Memory, offset: int, words: Sequence[int]) -> None:
        """Replace words, from a byte offset on."""
        values = np.array(words, "<u4")
        if memory is Memory.PARAMETERS:
            index = offset // WORD_BYTES + np.arange(values.size)
            values &= _PARAMETER_MASKS[index % _CHANNEL_WORDS]
        span = slice(offset, offset + WORD_BYTES * values.size)
        self._bytes[memory][span] = values.view(np.uint8)
        unknown = self._unknown_of(memory)
        if unknown is not None:
            unknown[span] = False

    def load_external(self, data: bytes) -> None:
        """Replace external memory, from address 0 on."""
        self.external = np.frombuffer(data, np.int8)

    def put_weights(self, address: int, values: NDArray[np.int8]) -> None:
        """Replace bytes of the weight memory."""
        span = slice(address, address + values.size)
        self.weights[span] = values
        self.weights_unknown[span] = False

    def knows_weights(self, place: range) -> bool:
        """Whether these bytes of the weight memory can be predicted."""
        return not self.weights_unknown[place.start : place.stop].any()

    def _unknown_of(self, memory: Memory) -> NDArray[np.bool_] | None:
        """Which bytes of a memory cannot be predicted; None where all can."""
        return {
            Memory.ACTIVATIONS: self.unknown, Memory.WEIGHTS: self.weights_unknown,
        }.get(memory)
