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

SEED = int(os.environ.get("CIMPLE_TEST_SEED", "1"))

SMALL = {"activation_bytes": 512, "weight_bytes": 512, "descriptors": 32, "stamps": 16}
SHAPES = {
    # Shallow queues, the narrowest ports; a last beat that is full.
    "bitcell": SMALL | {
        "macro": {"rows": 12, "columns": 6, "cell": "bitcell"},
        "activation_port": 4, "weight_port": 4, "lanes": 2, "channels": 16,
        "partial_sum_words": 16, "descriptors": 16, "queue_depth": 1,
    },
    # Two banks and an uneven last row group; a memory that is no power of two.
    "banks": SMALL | {
        "macro": {"rows": 20, "columns": 8, "cell": "lookup", "banks": 2},
        "activation_bytes": 776, "lanes": 4, "channels": 32, "partial_sum_words": 40,
    },
    # More lanes than columns, a port wider than the macro is high, deep queues.
    "wide port": SMALL | {
        "macro": {"rows": 9, "columns": 5, "cell": "lookup", "banks": 4},
        "activation_port": 16, "weight_port": 16, "lanes": 8, "channels": 32,
        "partial_sum_words": 16, "queue_depth": 4,
    },
    # One row, and as many columns as make three beats with one lane.
    "one row": SMALL | {
        "macro": {"rows": 1, "columns": 3, "cell": "bitcell", "banks": 2},
        "activation_bytes": 256, "lanes": 1, "channels": 9, "partial_sum_words": 24,
    },
    # Latches, which take a row half a cycle after its transfer.
    "latches": SMALL | {
        "macro": {"rows": 7, "columns": 9, "cell": "bitcell", "storage": "latch", "banks": 2,
                  "tree": "carry_save"},
        "weight_port": 4, "lanes": 2, "channels": 16, "partial_sum_words": 32,
    },
    # Tables that take far longer to fill than their rows to read.
    "block RAM": SMALL | {
        "macro": {"rows": 9, "columns": 4, "table": "blockram", "banks": 2},
        "lanes": 4, "channels": 16, "partial_sum_words": 32,
    },
}


@pytest.mark.parametrize("simulator", SIMULATORS)
@pytest.mark.parametrize("name", SHAPES)
def test_npu(name: str, simulator: str) -> None:
    config = NpuConfig.from_mapping(SHAPES[name], source=name)
    result = verify(config, [simulator], [SEED], timeout=240)
    (run,) = result.runs
    failed = [f"{case.name}: {case.message}" for case in run.run.cases if case.outcome != "passed"]
    assert not failed, f"seed {SEED}, {name}:\n" + "\n".join(failed)
    assert len(run.run.cases) == 19, "a case was not run"
    assert result.passed
