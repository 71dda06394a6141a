# SPDX-License-Identifier: Apache-2.0
# amaranth: UnusedElaboratable=no
"""The macro's bench on generated Verilog: corner and random shapes, both simulators.

CIMPLE_TEST_SEED chooses other random shapes and other stimuli.
"""

import os
import random

import pytest

from cimple.hdl.macro import Cell, MacroConfig
from cimple.hdl.macro.config import LEGAL_BANKS
from cimple.verif.bench.simulators import SIMULATORS
from cimple.verif.bench.verify import verify

SEED = int(os.environ.get("CIMPLE_TEST_SEED", "1"))

BIT, LUT = Cell.BITCELL, Cell.LOOKUP
CORNERS = [
    # The smallest macro; one row and one output bit a plane.
    {"cell": BIT, "rows": 1, "columns": 1, "weight_bits": 4, "input_bits": 1},
    {"cell": LUT, "rows": 1, "columns": 1, "weight_bits": 4, "input_bits": 1},
    # One table, one block, the widest inputs.
    {"cell": LUT, "rows": 4, "columns": 4, "input_bits": 16},
    # Rows that do not fill the last group, columns that do not fill the last block.
    {"cell": LUT, "rows": 5, "columns": 3, "input_bits": 8},
    {"cell": LUT, "rows": 13, "columns": 5, "input_bits": 5, "banks": 2, "accumulations": 4},
    {"cell": LUT, "rows": 9, "columns": 9, "input_bits": 3, "banks": 4, "weight_bits": 4},
    # A tree with more levels than registers, and one with fewer levels than `pipeline`.
    {"cell": LUT, "rows": 33, "columns": 2, "input_bits": 2, "pipeline": 3, "accumulations": 256},
    {"cell": BIT, "rows": 5, "columns": 4, "input_bits": 16, "banks": 4, "pipeline": 12},
    {"cell": BIT, "rows": 7, "columns": 3, "input_bits": 8, "banks": 2, "accumulations": 3},
    # Most banks; inputs that do not fill the number of the top plane.
    {"cell": BIT, "rows": 6, "columns": 2, "input_bits": 3, "banks": 8, "accumulations": 2},
    {"cell": BIT, "rows": 16, "columns": 8, "input_bits": 8, "weight_bits": 4, "pipeline": 2},
    # One column, and one row.
    {"cell": BIT, "rows": 17, "columns": 1, "input_bits": 7},
    {"cell": LUT, "rows": 1, "columns": 6, "input_bits": 2, "banks": 2},
]


def random_shape(source: random.Random) -> dict:
    cell = source.choice([BIT, LUT])
    return {
        "cell": cell,
        "rows": source.randint(2, 24),
        "columns": source.randint(1, 9),
        "weight_bits": source.choice((4, 8)),
        "input_bits": source.randint(1, 16),
        "banks": source.choice(LEGAL_BANKS[cell]),
        "accumulations": source.choice((1, source.randint(2, 20))),
        "pipeline": source.randint(1, 6),
    }


def shapes() -> list[dict]:
    source = random.Random(SEED)
    return [*CORNERS, *(random_shape(source) for _ in range(3))]


def label(shape: dict) -> str:
    fields = (str(value.value if isinstance(value, Cell) else value) for value in shape.values())
    return "-".join(fields)


@pytest.mark.parametrize("simulator", SIMULATORS)
@pytest.mark.parametrize("shape", shapes(), ids=label)
def test_macro(shape, simulator):
    result = verify(MacroConfig(**shape), [simulator], [SEED], timeout=120)
    (run,) = result.runs
    failed = [f"{case.name}: {case.message}" for case in run.run.cases if case.outcome != "passed"]
    assert not failed, f"seed {SEED}, {shape}:\n" + "\n".join(failed)
    assert len(run.run.cases) == 14, "a case was not run"
    assert result.passed
