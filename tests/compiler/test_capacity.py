# SPDX-License-Identifier: Apache-2.0
"""Networks that do not fit: the error names the memory, what is needed, what there is."""

import re
from pathlib import Path

import pytest

from tests.compiler.faulty import message
from tests.compiler.networks import NetworkBuilder


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"activation_bytes": 256},
         (
             r"the network's images need 264 bytes, the activation memory has 256; raise "
             r"activation_bytes of the NPU, or use smaller images or fewer channels"
         )),
        ({"weight_bytes": 256, "weight_port": 32},
         (
             r"the network's weights need \d+ bytes, the weight memory has 256; raise weight_bytes "
             r"of the NPU, give it an external_port, or use a smaller network"
         )),
        ({"weight_bytes": 256, "weight_port": 32, "external_port": 4, "rows": 20},
         (
             r"node 'conv0' \(Conv\): weights that are loaded at once need \d+ bytes, the weight "
             r"memory has 256; raise weight_bytes of the NPU"
         )),
        ({"channels": 8, "lanes": 2},
         (
             r"the network needs the parameters of 12 channels, the parameter memory has 8; raise "
             r"channels of the NPU"
         )),
        ({"descriptors": 16, "partial_sum_words": 16},
         (
             r"the program needs \d+ descriptors, the NPU has 16; raise descriptors of the NPU, or "
             r"partial_sum_words so that layers are cut less"
         )),
    ],
)
def test_too_large(changes: dict[str, int], expected: str, tmp_path: Path) -> None:
    builder = NetworkBuilder([2, 6, 6]).conv(12, (3, 3), pads=(0, 0, 0, 0))
    path = builder.save(tmp_path / "net.onnx")
    sizes = {"activation_bytes": 1024, "columns": 4, **changes}
    assert re.fullmatch(expected, message(path, **sizes))


def test_row_too_long_for_a_descriptor(tmp_path: Path) -> None:
    path = NetworkBuilder([2, 1, 40000]).conv(1, (1, 1)).save(tmp_path / "net.onnx")
    assert message(path, activation_bytes=1 << 20) == (
        "node 'conv0' (Conv): too large for a descriptor: COMPUTE.row_stride must be between 0 and "
        "65535, not 80000; use smaller images or fewer channels"
    )


def test_windows_that_reach_too_far(tmp_path: Path) -> None:
    builder = NetworkBuilder([60, 1, 4]).conv(1, (1, 1), (1, 1000), (0, 0, 0, 3000))
    assert message(builder.save(tmp_path / "net.onnx"), weight_bytes=1 << 16) == (
        "node 'conv0' (Conv): windows reach more than 131072 bytes or rows from the image's start; "
        "use less padding or smaller images"
    )
