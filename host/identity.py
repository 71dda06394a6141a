# SPDX-License-Identifier: Apache-2.0
"""Whether a device is the NPU that a program was compiled for."""

from collections.abc import Sequence

from ..hdl.npu.config import NpuConfig
from ..hdl.npu.packets import identity
from .devices.device import DeviceError

__all__ = ["check_identity"]

#: What the identity tells besides: index, lowest bit, width, name of the field.
_GEOMETRY = (
    (1, 0, 32, "instruction set version"),
    (6, 0, 16, "macro.rows"),
    (6, 16, 16, "macro.columns"),
    (7, 0, 32, "activation_bytes"),
    (8, 0, 32, "weight_bytes"),
    (9, 0, 32, "channels"),
    (10, 0, 32, "descriptors"),
    (11, 0, 8, "lanes"),
    (11, 8, 8, "activation_port"),
    (11, 16, 8, "weight_port"),
    (11, 24, 8, "stamps"),
    (12, 0, 24, "partial_sum_words"),
    (12, 24, 8, "external_port"),
    (13, 0, 8, "macros"),
    (13, 8, 8, "requantisers"),
    (13, 16, 16, "taps"),
)


def check_identity(words: Sequence[int], config: NpuConfig, device: str) -> None:
    """Raise DeviceError unless a device's identity is that of `config`, naming what differs."""
    expected = identity(config)
    if list(words) == expected:
        return
    differences = []
    for index, low, bits, name in _GEOMETRY:
        wanted, found = (
            word >> low & ((1 << bits) - 1) for word in (expected[index], words[index])
        )
        if wanted != found:
            differences.append(f"{name} {found}, not {wanted}")
    told = "; it has " + ", ".join(differences) if differences else (
        "; it differs in a field that it does not tell"
    )
    raise DeviceError(
        f"{device}: the program is for another NPU{told}; compile the network for this one, or "
        "generate the NPU again"
    )
