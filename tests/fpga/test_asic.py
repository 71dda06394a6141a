# SPDX-License-Identifier: Apache-2.0
"""Estimates for silicon: transistors, and area and delay in the cells of a library."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from cimple.fpga.asic import AsicEstimate, CellArea, asic_config, estimate
from cimple.fpga.asic_record import (
    estimate_table,
    merge_estimates,
    read_estimates,
    to_estimate_record,
)
from cimple.fpga.yosys import Yosys, find_yosys
from cimple.hdl.errors import CimpleError
from cimple.hdl.load import load_config
from cimple.hdl.macro.config import MacroConfig
from cimple.host import cli

EXAMPLES = Path(__file__).parents[2] / "examples" / "asic"

HEAD = """\
library (few) {
  delay_model : table_lookup; time_unit : "1ns"; capacitive_load_unit (1, pf);
  lu_table_template (two) {
    variable_1 : input_net_transition; variable_2 : total_output_net_capacitance;
    index_1 ("0, 1"); index_2 ("0, 1");
  }
"""
REGISTERS = """\
  cell (DFF) { area : 6; ff (IQ, IQN) { next_state : "D"; clocked_on : "CK"; }
    pin (CK) { direction : input; clock : true; capacitance : 0.001; }
    pin (D) { direction : input; capacitance : 0.001; }
    pin (Q) { direction : output; function : "IQ"; } }
"""


def gate(name: str, area: int, pins: str, function: str, ns: float, timed: bool = True) -> str:
    """A cell whose delay does not depend on its load."""
    inputs = "".join(
        f"    pin ({pin}) {{ direction : input; capacitance : 0.001; }}\n" for pin in pins
    )
    tables = "".join(
        f'{kind} (two) {{ values ("{delay}, {delay}", "{delay}, {delay}"); }} '
        for kind, delay in (
            ("cell_rise", ns), ("cell_fall", ns), ("rise_transition", 0.01),
            ("fall_transition", 0.01),
        )
    )  # fmt: skip
    sense = "negative_unate" if function.startswith("!") else "positive_unate"
    timing = "".join(
        f'timing () {{ related_pin : "{pin}"; timing_sense : {sense}; {tables} }} ' for pin in pins
    )
    output = f'direction : output; function : "{function}"; {timing if timed else ""}'
    return f"  cell ({name}) {{ area : {area};\n{inputs}    pin (Y) {{ {output} }} }}\n"


def library(scale: float = 1, registers: str = REGISTERS) -> str:
    """A library of four gates and a flip-flop; `scale` multiplies the delays."""
    gates = (
        gate("INV", 1, "A", "!A", 0.02 * scale),
        gate("BUF", 2, "A", "A", 0.03 * scale),
        gate("NAND2", 2, "AB", "!(A&B)", 0.03 * scale),
        gate("NOR2", 2, "AB", "!(A|B)", 0.04 * scale),
    )
    return HEAD + "".join(gates) + registers + "}\n"


@pytest.fixture
def tiny() -> MacroConfig:
    return asic_config(load_config("tiny_4x1"))


@pytest.fixture
def yosys() -> Yosys:
    return find_yosys()


@pytest.mark.xdist_group("yosys")
def test_transistors_of_the_smallest_macro(tiny, yosys):
    found = estimate(tiny, yosys)
    assert found.weight_bits == found.binary_operations == 4 * 1 * 4
    # The table alone is 16 words of 6 bits.
    assert found.flip_flops > 96
    assert found.latches == 0
    assert 10 < found.levels < 60
    # Gates have two (NOT) or four transistors each.
    in_gates = found.transistors - 16 * found.flip_flops
    assert 2 * found.gates < in_gates < 4 * found.gates
    assert found.transistors_per_weight_bit == pytest.approx(found.transistors / 16)
    assert found.cells is None


@pytest.mark.xdist_group("yosys")
def test_area_and_delay_in_a_library(tiny, yosys, tmp_path):
    fast, slow = tmp_path / "fast.lib", tmp_path / "slow.lib"
    fast.write_text(library())
    slow.write_text(library(scale=2))
    found = estimate(tiny, yosys, fast)
    assert found.cells
    assert found.cells.library == "fast.lib"
    # Flip-flops of area 6, and at least as many gates of area 1 or 2.
    assert found.cells.area > 6 * found.flip_flops + found.gates / 2
    levels = found.cells.delay_ps / 40
    assert 5 < levels < 60
    slower = estimate(tiny, yosys, slow).cells
    assert slower
    assert slower.delay_ps == pytest.approx(2 * found.cells.delay_ps, rel=0.2)


@pytest.mark.xdist_group("yosys")
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nonsense", r"bad\.lib: .*yosys ended with an error"),
        (library(registers=""), r"bad\.lib: .*D flip-flops are not supported"),
    ],
)
def test_a_library_that_cannot_be_used_is_refused(text, message, tiny, yosys, tmp_path):
    bad = tmp_path / "bad.lib"
    bad.write_text(text)
    with pytest.raises(CimpleError, match=message):
        estimate(tiny, yosys, bad)


SOME = AsicEstimate(
    name="a", weight_bits=64, binary_operations=32, transistors=3200, flip_flops=100, latches=10,
    gates=400, levels=12, yosys="0.70", cells=CellArea("x.lib", 640.0, 512.4),
)  # fmt: skip


def test_a_record_is_read_back(tmp_path):
    path = tmp_path / "asic_estimate.json"
    rows = [SOME, replace(SOME, cells=None)]
    path.write_text(json.dumps(to_estimate_record(rows)))
    assert read_estimates(path) == rows
    path.write_text('{"results": [{"name": "a"}]}')
    with pytest.raises(CimpleError, match="is no record of estimates"):
        read_estimates(path)


def test_rows_are_renewed_by_design_and_library():
    plain, better = replace(SOME, cells=None), replace(SOME, transistors=3000)
    assert merge_estimates([SOME, plain], [better]) == [better, plain]


def test_the_page_holds_every_row():
    page = estimate_table([SOME, replace(SOME, cells=None)])
    counts = "| a | 3200 | 100 | 10 | 400 | 12 | 50.0 | 100.0 |"
    assert [line for line in page.splitlines() if line.startswith("| a ")] == [
        f"{counts} x.lib | 640 | 10.00 / 20.00 | 512 | 0.70 |",
        f"{counts}  |  |  |  | 0.70 |",
    ]


def test_the_command_writes_the_record(monkeypatch, tmp_path):
    given: list[Path | None] = []

    def estimated(config, yosys, liberty):
        given.append(liberty)
        return replace(SOME, name=config.name)

    place = "cimple.host.commands.resources_asic."
    monkeypatch.setattr(f"{place}find_yosys", lambda: Yosys("yosys", "0.70"))
    monkeypatch.setattr(f"{place}estimate", estimated)
    cells = tmp_path / "x.lib"
    cells.write_text("")
    words = ["tiny_4x1", "edge_16x4", "--asic", "--liberty", str(cells), "-o", str(tmp_path)]
    with pytest.raises(SystemExit) as stop:
        cli.main(["resources", *words])
    assert not stop.value.code
    assert given == [cells, cells]
    names = [row.name for row in read_estimates(tmp_path / "asic_estimate.json")]
    assert names == ["tiny_4x1", "edge_16x4"]
    assert "| edge_16x4 | 3200 |" in (tmp_path / "asic_estimate.md").read_text()


def test_the_examples_compare_storages_and_trees_alone():
    found = [asic_config(load_config(str(path))) for path in sorted(EXAMPLES.glob("*.yaml"))]
    assert len({(config.storage, config.tree) for config in found}) == len(found) == 4
    # As many registers in the tree, so that neither kind is charged for more of them.
    assert len({config.tree_registers for config in found}) == 1
    kept = {"name", "storage", "tree", "pipeline"}
    same = [{key: value for key, value in config.to_mapping().items() if key not in kept}
            for config in found]
    assert same.count(same[0]) == 4
