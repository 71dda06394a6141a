# SPDX-License-Identifier: Apache-2.0
# amaranth: UnusedElaboratable=no
"""The macro's bench on generated Verilog: corners and random shapes of every cell, twelve in all,
under both simulators. `cimple cover` runs it on each legal value and pair of values.

CIMPLE_TEST_SEED chooses other shapes and other stimuli.
"""

import os
from typing import Any

import pytest

from cimple.hdl.macro import MacroConfig
from cimple.verif.bench.macro_space import one_of_each
from cimple.verif.bench.simulators import SIMULATORS
from cimple.verif.bench.verify import verify
from tests.verif.bench.verdicts import assert_all_passed

SEED = int(os.environ.get("CIMPLE_TEST_SEED", "1"))
#: Shapes beside the corners.
RANDOM_SHAPES = 7

CORNERS: list[dict[str, Any]] = [
    # The smallest macro: one row, one column, one bit of each.
    {"cell": "bitcell", "rows": 1, "columns": 1, "weight_bits": 1, "input_bits": 1},
    # Rows that do not fill the last group, columns that do not fill the last block.
    {"cell": "lookup", "rows": 13, "columns": 5, "input_bits": 5, "banks": 2, "accumulations": 4},
    # A tree with more levels than registers.
    {"cell": "lookup", "rows": 33, "columns": 2, "input_bits": 2, "pipeline": 3,
     "accumulations": 256},
    # Tables of block RAM in turn, and as many planes a cycle and columns fused as there can be.
    {"cell": "lookup", "rows": 17, "columns": 2, "input_bits": 4, "table": "blockram", "banks": 4},
    {"cell": "bitcell", "rows": 5, "columns": 4, "weight_bits": 4, "input_bits": 16,
     "bits_per_cycle": 16, "fusion": 4},
]


def label(config: MacroConfig) -> str:
    fields = config.model_dump(mode="json", exclude_defaults=True)
    return "-".join(str(value) for name, value in fields.items() if name != "weights")


@pytest.mark.parametrize(
    "config",
    [*(MacroConfig(**fields) for fields in CORNERS), *one_of_each(SEED)[:RANDOM_SHAPES]],
    ids=label,
)
def test_macro(config: MacroConfig) -> None:
    result = verify(config, SIMULATORS, [SEED], timeout=120)
    assert_all_passed(result, cases=18)
