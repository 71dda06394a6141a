# SPDX-License-Identifier: Apache-2.0
# amaranth: UnusedElaboratable=no
"""The bench of the port to external memory: its own cases on shapes with corners of their own.

Of the cases that it shares with every NPU's bench two are run. CIMPLE_TEST_SEED chooses
other stimuli.
"""

import os
from typing import Any

import pytest

from cimple.hdl.generate import generate
from cimple.hdl.npu.config import NpuConfig
from cimple.verif.bench.build import build_bench
from cimple.verif.bench.run import run_bench
from cimple.verif.bench.simulators import find_simulator
from cimple.verif.bench.verify import bench_of

SEED = int(os.environ.get("CIMPLE_TEST_SEED", "1"))

SMALL: dict[str, Any] = {
    "macro": {"rows": 5, "columns": 3, "banks": 2}, "activation_bytes": 512, "activation_port": 4,
    "lanes": 2, "channels": 24, "partial_sum_words": 24, "descriptors": 64, "stamps": 16,
}
SHAPES = {
    # Two beats make a word; more bursts than may be under way.
    "narrow beats": SMALL | {"weight_bytes": 8192, "weight_port": 8, "external_port": 4},
    # A page of 4 KiB is shorter than the longest burst.
    "wide beats": SMALL | {
        "weight_bytes": 8192, "weight_port": 32, "external_port": 32, "queue_depth": 1,
    },
}
OWN = "fetches|refused_reads|resets_while_fetching|external_coverage"


@pytest.mark.parametrize(
    ("name", "simulator", "cases", "count"),
    [
        ("narrow beats", "icarus", OWN, 11),
        ("wide beats", "verilator", OWN + "|programs/stalls=light|bad_descriptors", 13),
    ],
)
def test_external(name: str, simulator: str, cases: str, count: int) -> None:
    config = NpuConfig.from_mapping(SHAPES[name], source=name)
    design, found = generate(config), find_simulator(simulator)
    build = build_bench(design.verilog, design.name, found)
    run = run_bench(
        build, design.name, found, bench_of(config), config, seed=SEED, timeout=240, only=cases
    )
    ran = [case for case in run.cases if case.outcome != "skipped"]
    assert {case.outcome for case in ran} == {"passed"}, [
        (case.name, case.message) for case in ran if case.outcome != "passed"
    ]
    assert len(ran) == count
