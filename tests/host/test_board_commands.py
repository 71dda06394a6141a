# SPDX-License-Identifier: Apache-2.0
"""`cimple boards`, `build` and `flash`, with stand-ins for the tools that take minutes."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from cimple.fpga.boards import BOARDS
from cimple.fpga.build import Bitstream, BoardReport
from cimple.host.boards_record import record_page
from cimple.host.cli import main

REPORT = BoardReport(
    board="ulx3s-25f", part="LFE5U-25F", preset="npu_small", configuration="0", clock_mhz=75.0,
    seed=1, used={"lut": 17000, "ff": 13000, "ram": 20, "dsp": 10},
    available={"lut": 24288, "ff": 24288, "ram": 56, "dsp": 28}, fmax_mhz=81.3, yosys="0.70",
    nextpnr="0.11",
)  # fmt: skip


def cimple(*arguments: object) -> int:
    """Exit code of the command line."""
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    return int(caught.value.code or 0)


@pytest.fixture
def built(monkeypatch):
    """What `build` was called with; it makes `report[0]`."""
    calls, report = [], [REPORT]

    def build(board, config, seed, say):
        calls.append((board, config.name, seed))
        say("placing, iteration 3")
        return Bitstream(b"bits", ".bit", replace(report[0], board=board.name))

    monkeypatch.setattr("cimple.host.commands.build.build", build)
    return calls, report


def test_boards_are_listed(capsys):
    assert cimple("boards") == 0
    lines = capsys.readouterr().out.splitlines()[1:]
    assert [line.split()[0] for line in lines] == list(BOARDS)
    (line,) = (line for line in lines if line.startswith("ulx3s-45f"))
    assert "npu_digits  72 x 16  43,848" in line


def test_a_build_writes_bitstream_and_report(built, tmp_path, capsys):
    assert cimple("build", "--board", "ulx3s-25f", "--seed", 4, "-o", tmp_path) == 0
    out = capsys.readouterr()
    assert (tmp_path / "ulx3s-25f.bit").read_bytes() == b"bits"
    assert json.loads((tmp_path / "ulx3s-25f.json").read_text())["fmax_mhz"] == 81.3
    assert re.search(r"^LUT4 +17,000 +24,288 +70 *$", out.out, re.MULTILINE)
    assert "ulx3s-25f: placing, iteration 3" in out.err
    assert "81.3 MHz, asked 75 MHz" in out.err
    ((board, npu, seed),) = built[0]
    assert (board.name, npu, seed) == ("ulx3s-25f", "npu_small", 4)


def test_another_npu_and_another_clock(built, tmp_path):
    words = ("--npu", "npu_tiny", "--clock", 60, "-o", tmp_path)
    assert cimple("build", "--board", "ulx3s-25f", *words) == 0
    ((board, npu, _),) = built[0]
    assert (board.clock_hz, npu) == (60_000_000, "npu_tiny")


@pytest.mark.parametrize(
    ("fmax", "message"),
    [
        (70.2, "reaches 70.2 MHz in LFE5U-25F, and its clock is 75 MHz; try another --seed, or"),
        (None, "does not fit LFE5U-25F: 17,000 LUT4 of 9,000 and 10 DSP blocks of 5; choose a"),
    ],
)  # fmt: skip
def test_what_is_too_slow_or_too_large_is_an_error(built, tmp_path, capsys, fmax, message):
    (tmp_path / "ulx3s-25f.bit").write_bytes(b"an older one")
    little = REPORT.available if fmax else {"lut": 9000, "ff": 13000, "dsp": 5}
    built[1][0] = replace(REPORT, fmax_mhz=fmax, available=little)
    assert cimple("build", "--board", "ulx3s-25f", "-o", tmp_path) == 1
    assert f"error: ulx3s-25f: npu_small {message}" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["ulx3s-25f.json"]


def test_reports_are_recorded_beside_others(built, tmp_path, monkeypatch):
    monkeypatch.setattr("cimple.host.boards_record.digits_cycles", lambda config: 3000)
    words = ("-o", tmp_path / "out", "--record", tmp_path)
    assert cimple("build", "--board", "ulx3s-85f", *words) == 0
    built[1][0] = replace(REPORT, fmax_mhz=None)
    assert cimple("build", "--board", "ulx3s-25f", *words) == 1
    results = json.loads((tmp_path / "boards.json").read_text())["results"]
    assert list(results) == ["ulx3s-25f", "ulx3s-85f"]
    page = (tmp_path / "boards.md").read_text()
    assert "| 75 | 81.3 | 1 | 3,000 | 25,000 |" in page
    assert "| ulx3s-25f | LFE5U-25F | npu_small | 17,000 of 24,288 |" in page.split("too small")[1]


def test_the_record_page_is_that_of_its_data(root):
    record = root / "docs/results/boards.json"
    if not record.exists():
        pytest.skip("there is no record: cimple build --board NAME --record docs/results")
    results = json.loads(record.read_text())["results"]
    assert (root / "docs/results/boards.md").read_text() == record_page(results)
    assert set(results) <= set(BOARDS)
    for name, row in results.items():
        assert row["preset"] == BOARDS[name].preset
        assert row["configuration"] == BOARDS[name].npu().digest()


def test_an_unknown_board_is_refused(capsys):
    assert cimple("build", "--board", "ulx3s-25") == 2
    assert "no such board; did you mean ulx3s-25f" in capsys.readouterr().err


# Flash ------------------------------------------------------------------------------------------


@pytest.fixture
def loader(tmp_path: Path, monkeypatch):
    """A stand-in for openFPGALoader that writes down its arguments; its exit code is in `code`."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "code").write_text("0")
    script = folder / "openFPGALoader"
    script.write_text(f'#!/bin/sh\necho "$@" > {folder}/words\nexit $(cat {folder}/code)\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.chdir(tmp_path)
    return folder


def test_flash_hands_the_bitstream_over(loader, tmp_path, capsys):
    place = tmp_path / "build/boards/tang-nano-20k.fs"
    place.parent.mkdir(parents=True)
    place.write_bytes(b"bits")
    assert cimple("flash", "--board", "tang-nano-20k") == 0
    words = (loader / "words").read_text().split()
    assert words == ["--board", "tangnano20k", "build/boards/tang-nano-20k.fs"]
    assert "loaded" in capsys.readouterr().out
    other = tmp_path / "x.fs"
    other.write_bytes(b"bits")
    words = ("--bitstream", other, "--permanent")
    assert cimple("flash", "--board", "tang-nano-20k", *words) == 0
    assert (loader / "words").read_text().split()[2:] == ["-f", str(other)]


def test_flash_says_what_is_missing(loader, tmp_path, capsys, monkeypatch):
    assert cimple("flash", "--board", "ulx3s-85f") == 2
    said = capsys.readouterr().err
    assert "build/boards/ulx3s-85f.bit: no such file; make it: cimple build --board ulx3s" in said
    bitstream = tmp_path / "x.bit"
    bitstream.write_bytes(b"bits")
    (loader / "code").write_text("3")
    assert cimple("flash", "--board", "ulx3s-85f", "--bitstream", bitstream) == 2
    assert "openFPGALoader ended with exit code 3, see above; is the" in capsys.readouterr().err
    monkeypatch.setenv("PATH", str(tmp_path))
    assert cimple("flash", "--board", "ulx3s-85f", "--bitstream", bitstream) == 2
    assert "openFPGALoader is not on the PATH; install it" in capsys.readouterr().err
