# SPDX-License-Identifier: Apache-2.0
"""What nextpnr prints: steps, errors, and what it says of a placement."""

import pytest

from cimple.fpga.nextpnr_log import Estimate, read_estimate, reason_in, step_in


@pytest.mark.parametrize(
    ("line", "step"),
    [
        ("Info:     at iteration #7, type ALL: wirelen solved = 1", "placing, iteration 7"),
        ("Info: iter=310 steplen=2.03 a=158.0", "placing, iteration 310"),
        ("Info:     iter=12 wires=1368 overused=4 overuse=5 archfail=NA", "routing, iteration 12"),
        ("Info: Packing carries...", "packing"),
        ("Info: Program finished normally.", None),
    ],
)
def test_the_step_that_a_line_tells(line: str, step: str | None) -> None:
    assert step_in(line) == step


def test_errors_are_the_reason_and_else_the_last_lines() -> None:
    assert reason_in("Info: a\nERROR: no BEL left\nERROR: twice\n") == "no BEL left twice"
    assert reason_in("a\nb\n\nc\nd\n") == "b c d"


#: With the lines of its placer, and of its estimate before and after routing.
LOG = """\
Info:     at iteration #7, type ALL: wirelen solved = 100, spread = 130, legal = 140
Info:   at iteration #1: temp = 0.000000, timing cost = 1651, wirelen = 506853
Info:   at iteration #10: temp = 0.000000, timing cost = 1287, wirelen = 473476
Info: Max frequency for clock '$glbnet$clk$TRELLIS_IO_IN': 56.10 MHz (PASS at 12.00 MHz)
Warning: Max frequency for clock 'clk': 49.70 MHz (FAIL at 50.00 MHz)
"""


def test_an_estimate_is_that_of_the_last_lines() -> None:
    assert read_estimate(LOG) == Estimate(wire=473_476, fmax=49.7)
    assert read_estimate(LOG).to_mapping() == {"wire": 473_476, "fmax": 49.7}


@pytest.mark.parametrize("log", ["", LOG.partition("Info: Max")[0], LOG[LOG.index("Info: Max"):]])
def test_what_holds_no_placement_with_a_clock_is_refused(log: str) -> None:
    with pytest.raises(ValueError, match="it holds no placement with a clock"):
        read_estimate(log)
