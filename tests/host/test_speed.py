# SPDX-License-Identifier: Apache-2.0
# amaranth: UnusedElaboratable=no
"""`cimple speed` and `cimple scale`: the records, what they say, bad input."""

import json

import pytest

from cimple.fpga.yosys import Yosys
from cimple.host import cli
from cimple.host.commands import scale as scale_command
from cimple.host.commands import speed as speed_command
from cimple.host.records import read_results
from cimple.host.scale import scale_page
from cimple.host.speed import speed_page
from cimple.verif.bench.speed import Speed


def command(*words: str) -> int:
    with pytest.raises(SystemExit) as stop:
        cli.main([*words])
    return int(stop.value.code or 0)


@pytest.fixture
def measured(monkeypatch) -> list[tuple]:
    """No simulation; what was asked for."""
    asked = []

    def measure(config, *, vectors, pause, runs, progress):
        asked.append((config.name, vectors, pause, runs))
        progress("run 1")
        return Speed(vectors, pause, (3e6, 1e6, 2e6), (1e6, 5e5, 1.6e6), 0.00214)

    monkeypatch.setattr(speed_command, "measure_speed", measure)
    return asked


def test_speed_keeps_what_is_not_measured_anew(measured, tmp_path, capsys):
    place = ("-o", str(tmp_path / "new"))
    assert command("speed", "tiny_4x1", *place) == 0
    assert command("speed", "edge_16x4", "--vectors", "7", "--pause", "300", *place) == 0
    assert measured == [("tiny_4x1", 20, 10_000, 5), ("edge_16x4", 7, 300, 5)]
    record = read_results(tmp_path / "new/simulation_speed.json")
    assert list(record) == ["tiny_4x1", "edge_16x4"]
    found = record["edge_16x4"]
    assert (found["cpp_cycles_per_second"], found["cocotb_cycles_per_second"]) == (2e6, 1e6)
    assert (found["ratio"], found["vector_milliseconds"], found["pause"]) == (2.0, 2.14, 300)
    page = (tmp_path / "new/simulation_speed.md").read_text()
    assert page == speed_page(record)
    assert "| edge_16x4 | 2000 | 1000 | 2.00 | 2.1 | 3 of 7 x 300 | Verilator " in page
    said = capsys.readouterr().out
    assert "edge_16x4: 2,000,000 cycles/s from C++, 1,000,000 under cocotb, 2.0 times" in said


def test_speed_is_for_macros_and_nothing_is_measured_before_all_is_read(measured, capsys):
    assert command("speed", "tiny_4x1", "npu_tiny") == 2
    assert command("speed", "tiny_4x1", "no_such_thing") == 2
    assert measured == []
    assert "npu_tiny: speed is measured for macros" in capsys.readouterr().err


def test_scale_measures_and_keeps(monkeypatch, tmp_path):
    scripts = []
    monkeypatch.setattr(Yosys, "run", lambda yosys, script, directory: scripts.append(script))
    monkeypatch.setattr(scale_command, "find_yosys", lambda: Yosys("yosys", "0.70"))
    place = ("--runs", "2", "-o", str(tmp_path))
    assert command("scale", "--generate", "3x2,3x6", "--synthesise", "", *place) == 0
    assert scripts == []
    one = ("--cells", "bitcell", "--generate", "", "--synthesise", "3x1")
    assert command("scale", *one, *place) == 0
    assert [script.partition(";")[2].strip() for script in scripts] == [
        *["synth_ecp5 -top scale_bitcell_3x1"] * 2,
        *["synth_ecp5 -top scale_bitcell_3x1 -noflatten"] * 2,
    ]
    record = json.loads((tmp_path / "generation_speed.json").read_text())["results"]
    assert set(record) == {
        *(f"generate {cell}, {size}" for cell in ("bitcell", "lookup") for size in ("3x2", "3x6")),
        "generate bitcell, 3x1",
        "synthesise bitcell, 3x1, whole",
        "synthesise bitcell, 3x1, by module",
    }
    small, large = (record[f"generate bitcell, 3x{columns}"] for columns in (2, 6))
    assert small["modules"] == large["modules"] < small["instances"] < large["instances"]
    assert 1000 < small["verilog_bytes"] < large["verilog_bytes"] < 2 * small["verilog_bytes"]
    # Yosys, which writes the Verilog, is a program of its own.
    assert small["seconds"] > 0.1
    assert small["processor_seconds"] > 0.1
    page = (tmp_path / "generation_speed.md").read_text()
    assert page == scale_page(record)
    assert page.index("| bitcell | 3x1 | ") < page.index("| bitcell | 3x6 | ")
    assert "| bitcell | 3x1 | by module | 0.70 | 0.00 | 0.00 | 2 | " in page


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--generate", "4x"), "--generate: a size is rows x columns, as in 72x16, not '4x'"),
        (("--synthesise", "big"), "--synthesise: a size is rows x columns, as in 72x16, not 'big'"),
        (("--cells", "sram"), "--cells must be some of bitcell, lookup"),
        (("--generate", "0x5"), "size 0x5: rows: must be at least 1"),
    ],
)
def test_scale_refuses(words, complaint, capsys):
    assert command("scale", *words) == 2
    assert complaint in capsys.readouterr().err
