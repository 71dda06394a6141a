# SPDX-License-Identifier: Apache-2.0
"""A golden NPU with a short way to its memories, and configurations to try it with."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cimple.hdl.npu.config import NpuConfig
from cimple.hdl.npu.isa import Descriptor, Opcode
from cimple.hdl.npu.packets import Memory, Request, Response, address, header, parameter_words
from cimple.verif.golden.npu import NpuModel

__all__ = ["CONFIGS", "Machine", "npu"]


def npu(
    rows: int, columns: int, cell: str, banks: int = 1, *, skips: bool = False, **fields: Any
) -> NpuConfig:
    """A small NPU, which may skip planes that are zero."""
    macro = {"rows": rows, "columns": columns, "cell": cell, "banks": banks}
    macro["skip_zero_planes"] = skips
    sizes = {"activation_bytes": 1024, "weight_bytes": 1024, "channels": 32, "descriptors": 64}
    return NpuConfig.from_mapping({"macro": macro} | sizes | fields, source="test")


CONFIGS = {
    "bitcell": npu(12, 6, "bitcell", activation_port=4, weight_port=4, lanes=2, queue_depth=1),
    "lookup": npu(20, 8, "lookup", 2, activation_port=8, partial_sum_words=64),
    "banks": npu(
        9, 5, "lookup", 4, activation_port=16, lanes=16, requantisers=4, partial_sum_words=32,
        channels=48,
    ),
    "macros": npu(
        9, 4, "lookup", 2, macros=4, activation_port=8, lanes=2, partial_sum_words=32
    ),
    "skipping": npu(
        7, 4, "bitcell", 2, skips=True, macros=2, activation_port=8, lanes=2, partial_sum_words=64
    ),
    "one": npu(1, 1, "bitcell", 2, lanes=1, descriptors=32, partial_sum_words=16),
}


class Machine:
    """Reads, writes and runs by packets."""

    def __init__(self, config: NpuConfig, seed: int = 0) -> None:
        self.config = config
        self.model = NpuModel(config, seed)

    def request(self, request: Request, *words: int, count: int = 0) -> Response:
        return Response.parse(self.model.transact([header(request, 5, count), *words]))

    def write(self, memory: Memory, offset: int, values: Any) -> None:
        """Write bytes (or anything that has them) to a whole number of words."""
        raw = np.ascontiguousarray(values).tobytes()
        words = np.frombuffer(raw.ljust(-(-len(raw) // 4) * 4, b"\0"), "<u4").tolist()
        for first in range(0, len(words), 65535):
            some = words[first : first + 65535]
            place = address(memory, offset + 4 * first)
            answer = self.request(Request.WRITE, place, *some, count=len(some))
            assert answer.status == 0, answer

    def read(self, memory: Memory, offset: int, count: int) -> NDArray[np.int8]:
        """Read `count` bytes from a multiple of 4 on."""
        words = -(-count // 4)
        answer = self.request(Request.READ, address(memory, offset), count=words)
        assert answer.status == 0, answer
        return np.array(answer.words, "<u4").view(np.int8)[:count]

    def parameters(self, first: int, channels: Sequence[tuple[int, int, int]]) -> None:
        """Write bias, multiplier and shift of channels."""
        words = [word for channel in channels for word in parameter_words(*channel)]
        self.write(Memory.PARAMETERS, 16 * first, np.array(words, np.uint32))

    def program(self, *descriptors: Descriptor | tuple[Opcode, dict[str, int]]) -> None:
        """Write a program from descriptor 0 on; an END is put behind it."""
        made = [d if isinstance(d, Descriptor) else Descriptor(*d) for d in descriptors]
        made.append(Descriptor(Opcode.END, {}))
        words = [word for descriptor in made for word in descriptor.encode()]
        self.write(Memory.PROGRAM, 0, np.array(words, np.uint32))

    def run(self, *descriptors: Descriptor | tuple[Opcode, dict[str, int]]) -> Response:
        """Write a program, if one is given, and run it."""
        if descriptors:
            self.program(*descriptors)
        return self.request(Request.RUN, 0)
