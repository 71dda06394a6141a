# SPDX-License-Identifier: Apache-2.0
"""Planted faults: the benches fail on every one, and pass without."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from cimple.fpga.netlist import netlist
from cimple.fpga.yosys import find_yosys
from cimple.hdl.kinds import KINDS
from cimple.verif.bench.build import build_bench
from cimple.verif.bench.run import run_bench
from cimple.verif.bench.simulators import find_simulator
from cimple.verif.bench.verify import BENCHES, bench_of

ROOT = Path(__file__).resolve().parent.parent
LIST = yaml.safe_load((ROOT / "tests/faults.yaml").read_text())
ROOMS = ("hdl", "verif", "compiler", "host", "fpga", "ip")

#: Run with the copy first on the import path.
GENERATE = """
import sys
from pathlib import Path
import cimple.hdl.generate
from cimple.hdl.load import load_config
assert Path(cimple.hdl.generate.__file__).is_relative_to(sys.argv[1]), "not the copy"
# Unchecked: it is the bench that shall find the fault, not a design rule.
sys.stdout.write(cimple.hdl.generate.generate(load_config(sys.argv[2]), checked=False).verilog)
"""


def label(fault: dict[str, str]) -> str:
    words = re.sub(r"\W+", "-", fault["what"])
    return f"{Path(fault['file']).stem}-{words}"


def plant(tree: Path, fault: dict[str, str] | None) -> None:
    """Make `tree` an import path with `cimple`, of which `hdl` is a copy with the fault in it."""
    package = tree / "cimple"
    package.mkdir()
    # With what Python has compiled: it goes by the times of the sources, which are copied too.
    shutil.copytree(ROOT / "hdl", package / "hdl")
    for room in ROOMS[1:]:
        (package / room).symlink_to(ROOT / room)
    if fault is None:
        return
    source = package / fault["file"]
    text = source.read_text()
    count = text.count(fault["find"])
    assert count == 1, (
        f"tests/faults.yaml: {fault['what']!r}: {fault['find']!r} is {count} times in "
        f"{fault['file']}, not once; adapt the entry to the source"
    )
    source.write_text(text.replace(fault["find"], fault["replace"]))


def outcome_with(
    fault: dict[str, Any] | None, config_name: str, only: str | None, scratch: Path
) -> Any:
    """The bench's run on Verilog generated from a copy of the sources with the fault.

    With a fault it ends at the first case that fails.
    """
    plant(scratch, fault)
    path = scratch / "design.yaml"
    path.write_text(yaml.safe_dump(LIST["configs"][config_name]))
    ((kind, fields),) = LIST["configs"][config_name].items()
    config = KINDS[kind].config_class().from_mapping(fields, source="faults.yaml")
    generated = subprocess.run(
        [sys.executable, "-P", "-c", GENERATE, str(scratch), str(path)],
        env=os.environ | {"PYTHONPATH": str(scratch)}, capture_output=True, text=True, check=False,
    )
    assert generated.returncode == 0, generated.stderr
    top, simulator = config.to_mapping()["name"], find_simulator("icarus")
    verilog, family = generated.stdout, family_for(config_name)
    if family:
        verilog = netlist(verilog, top, family, find_yosys())
    seed = fault.get("seed", 1) if fault else 1
    build = build_bench(verilog, top, simulator)
    return run_bench(
        build, top, simulator, bench_of(config), config, seed=seed, timeout=120, only=only,
        first_failure=fault is not None,
    )


def family_for(config: str) -> str | None:
    """What the faults of a configuration are looked for in the netlist of; all or none of them."""
    (family,) = {fault.get("netlist") for fault in LIST["faults"] if fault["config"] == config}
    return family


def cases_for(config: str) -> str | None:
    """What picks all cases that have a fault of this configuration to find."""
    wanted = {fault.get("cases") for fault in LIST["faults"] if fault["config"] == config}
    return None if None in wanted else "|".join(sorted(wanted))


@pytest.mark.parametrize("config", LIST["configs"])
def test_control_without_a_fault(config: str, tmp_path: Path) -> None:
    run = outcome_with(None, config, cases_for(config), tmp_path)
    assert run.passed, [case for case in run.cases if case.outcome != "passed"]


@pytest.mark.parametrize("fault", LIST["faults"], ids=label)
def test_fault_is_found(fault: dict[str, str], tmp_path: Path) -> None:
    run = outcome_with(fault, fault["config"], fault.get("cases"), tmp_path)
    failed = [case for case in run.cases if case.outcome == "failed"]
    assert failed, f"no case of the bench noticed that {fault['what']}"
    # A bench that could not run has noticed nothing.
    assert all(case.name != "bench" for case in failed), failed


@pytest.mark.parametrize("kind", BENCHES)
def test_every_block_has_a_fault(kind: str) -> None:
    blocks = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "hdl" / kind).rglob("*.py") if path.name != "__init__.py"
    }
    assert blocks - {fault["file"] for fault in LIST["faults"]} == set()


def test_a_text_that_is_gone_is_named(tmp_path: Path) -> None:
    fault = {"what": "x", "file": "hdl/macro/macro.py", "find": "no such text", "replace": ""}
    with pytest.raises(AssertionError, match="'no such text' is 0 times"):
        plant(tmp_path, fault)
