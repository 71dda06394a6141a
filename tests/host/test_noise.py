# SPDX-License-Identifier: Apache-2.0
"""`cimple noise`: a small run, its record, and a run that fails."""

import json
from pathlib import Path

import pytest

from cimple.host import noise as module
from cimple.host.cli import main
from cimple.host.commands.compile import load_npu
from cimple.host.noise import run_noise
from cimple.verif.bench.run import BenchCase, BenchRun


def test_a_run_and_its_record(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["noise", "npu_tiny", "--events", "40", "--seed", "3", "-o", str(tmp_path)])
    assert ended.value.code == 0
    assert "faults on the line" in capsys.readouterr().out
    found = json.loads((tmp_path / "serial_noise.json").read_text())["results"]
    (record,) = found.values()
    faults = sum(record["to_device"].values()) + sum(record["from_device"].values())
    assert record["events"] == faults >= 40
    assert record["packets_carried_out"] > 0
    assert record["host_counters"]["frames sent again"] > 0
    page = (tmp_path / "serial_noise.md").read_text()
    assert f"| {record['events']:,} |" in page


def test_a_failure_is_no_record(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    failed = BenchRun((BenchCase("noise", "failed", message="2 packets reached the NPU"),), "")
    monkeypatch.setattr(module, "run_bench", lambda *arguments, **options: failed)
    monkeypatch.setattr(module, "build_bench", lambda *arguments: tmp_path)
    assert run_noise(load_npu("npu_tiny"), "verilator", 1, 5).failure
    with pytest.raises(SystemExit) as ended:
        main(["noise", "npu_tiny", "--events", "5", "-o", str(tmp_path)])
    assert ended.value.code == 1
    assert "2 packets reached the NPU" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())
