# SPDX-License-Identifier: Apache-2.0
# amaranth: UnusedElaboratable=no
"""The NPU's bench on generated Verilog: shapes with corners of their own, both simulators.

CIMPLE_TEST_SEED chooses other stimuli.
"""

import os

import pytest

from cimple.hdl.npu.config import NpuConfig
from cimple.verif.bench.simulators import SIMULATORS
from cimple.verif.bench.verify import verify
from tests.verif.bench.verdicts import assert_all_passed

SEED = int(os.environ.get("CIMPLE_TEST_SEED", "1"))

SMALL = {"activation_bytes": 512, "weight_bytes": 512, "descriptors": 32, "stamps": 16}
SHAPES = {
    # More lanes than columns, a port wider than the macro is high, deep queues; an uneven last row
    # group, and banks enough to have one filled, one computed from and others wait.
    "wide ports": SMALL | {
        "macro": {"rows": 9, "columns": 5, "cell": "lookup", "banks": 4},
        "activation_port": 16, "weight_port": 16, "lanes": 8, "channels": 32,
        "partial_sum_words": 16, "queue_depth": 4,
    },
    # The narrowest ports and shallow queues; one row, in latches, which take it half a cycle after
    # its transfer, and as many columns as make three beats with one lane.
    "one row": SMALL | {
        "macro": {"rows": 1, "columns": 3, "cell": "bitcell", "storage": "latch", "banks": 2},
        "activation_bytes": 256, "activation_port": 4, "weight_port": 4, "lanes": 1, "channels": 9,
        "partial_sum_words": 24, "descriptors": 16, "queue_depth": 1,
    },
    # Macros that share windows, or have one each, and skip planes that are zero in all of them.
    "several macros": SMALL | {
        "macro": {"rows": 5, "columns": 2, "banks": 2, "skip_zero_planes": True}, "macros": 2,
        "activation_port": 8, "weight_port": 4, "lanes": 2, "channels": 48, "partial_sum_words": 40,
    },
    # Tables that take far longer to fill than their rows to read; memories of odd sizes; windows
    # whose sums take longer to leave than some have taps.
    "block RAM": SMALL | {
        "macro": {"rows": 10, "columns": 6, "table": "blockram", "banks": 2},
        "activation_bytes": 776, "lanes": 8, "requantisers": 2, "channels": 32,
        "partial_sum_words": 40,
    },
}


@pytest.mark.parametrize("name", SHAPES)
def test_npu(name: str) -> None:
    config = NpuConfig.from_mapping(SHAPES[name], source=name)
    result = verify(config, SIMULATORS, [SEED], timeout=240)
    assert_all_passed(result, cases=22)
