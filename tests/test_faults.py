# SPDX-License-Identifier: Apache-2.0
"""Planted faults: the benches fail on every one, and pass without."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from cimple.fpga.netlist import netlist
from cimple.fpga.yosys import find_yosys
from cimple.hdl.link.config import WrapperConfig
from cimple.hdl.load import load_config
from cimple.verif.bench.build import build_bench
from cimple.verif.bench.run import run_bench
from cimple.verif.bench.simulators import find_simulator
from cimple.verif.bench.verify import BENCHES, bench_of, variables_of
from tests.planted import ROOT, imports_from, plant

LIST = yaml.safe_load((ROOT / "tests/faults.yaml").read_text())


def label(fault: dict[str, str]) -> str:
    words = re.sub(r"\W+", "-", fault["what"])
    return f"{Path(fault['file']).stem}-{words}"


def wrapper_for(config: str) -> dict[str, Any]:
    """The wrapper of a configuration, as plain data."""
    return LIST["wrappers"].get(config, {})


def verilog_with(fault: dict[str, Any] | None, path: Path, tree: Path, config: str) -> str:
    """Of the configuration in the file `path`, generated from a copy of the sources in `tree`."""
    plant(tree, fault, "tests/faults.yaml")
    with imports_from(tree):
        from cimple.hdl.generate import generate
        from cimple.hdl.link.config import WrapperConfig
        from cimple.hdl.load import load_config

        wrapper = WrapperConfig.from_mapping(wrapper_for(config), source=config)
        # Unchecked: it is the bench that shall find the fault, not a design rule.
        return generate(load_config(path), wrapper, checked=False).verilog


def outcome_with(
    fault: dict[str, Any] | None, config_name: str, only: str | None, scratch: Path
) -> Any:
    """The bench's run on Verilog generated from a copy of the sources with the fault.

    With a fault it ends at the first case that fails.
    """
    path = scratch / "design.yaml"
    path.write_text(yaml.safe_dump(LIST["configs"][config_name]))
    config = load_config(path)
    wrapper = WrapperConfig.from_mapping(wrapper_for(config_name), source=config_name)
    top, simulator = wrapper.top_name(config.to_mapping()["name"]), find_simulator("icarus")
    verilog, family = verilog_with(fault, path, scratch, config_name), family_for(config_name)
    if family:
        verilog = netlist(verilog, top, family, find_yosys())
    seed = fault.get("seed", 1) if fault else 1
    build = build_bench(verilog, top, simulator)
    return run_bench(
        build, top, simulator, bench_of(config, wrapper), config, seed=seed, timeout=120,
        only=only, first_failure=fault is not None, variables=variables_of(wrapper),
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


@pytest.mark.parametrize("kind", [*BENCHES, "link"])
def test_every_block_has_a_fault(kind: str) -> None:
    blocks = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "hdl" / kind).rglob("*.py") if path.name != "__init__.py"
    }
    assert blocks - {fault["file"] for fault in LIST["faults"]} == set()


def test_a_text_that_is_gone_is_named(tmp_path: Path) -> None:
    fault = {"what": "x", "file": "hdl/macro/macro.py", "find": "no such text", "replace": ""}
    with pytest.raises(AssertionError, match="the list: 'x': 'no such text' is 0 times"):
        plant(tmp_path, fault, "the list")
