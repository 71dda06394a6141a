# SPDX-License-Identifier: Apache-2.0
"""The benches on netlists for FPGA families, and the record of it."""

from dataclasses import asdict, dataclass
from typing import Any

from ..fpga.netlist import NETLISTS, netlist
from ..fpga.yosys import find_yosys
from ..hdl.errors import CimpleError
from ..verif.bench.verify import Netlister, VerifyResult

__all__ = ["GateResult", "gate_page", "netlister_for", "results_of"]


@dataclass(frozen=True)
class GateResult:
    """The bench on one netlist under one simulator."""

    configuration: str
    """SHA-256 of the configuration."""
    yosys: str
    simulator: str
    """Name and version."""
    seed: int
    cases: int
    """Cases of the bench that passed; there is no result where one failed."""
    seconds: float
    """Time of all cases."""


def netlister_for(family: str) -> Netlister:
    """What puts a netlist for `family` in the place of the generated Verilog.

    Raises:
        CimpleError: the family is unknown, or there is no Yosys.
    """
    if family not in NETLISTS:
        raise CimpleError(f"--netlist must be one of {', '.join(NETLISTS)}, not {family!r}")
    yosys = find_yosys()
    return Netlister(family, lambda verilog, top: netlist(verilog, top, family, yosys))


def results_of(preset: str, verdict: VerifyResult) -> dict[str, Any]:
    """What a record keeps of a verdict without failures, by `preset family simulator`."""
    return {
        f"{preset} {verdict.netlist} {each.simulator.name}": asdict(
            GateResult(
                configuration=verdict.digest,
                yosys=find_yosys().version,
                simulator=f"{each.simulator.name} {each.simulator.version}",
                seed=each.seed,
                cases=len(each.run.cases),
                seconds=round(sum(case.seconds for case in each.run.cases), 1),
            )
        )
        for each in verdict.runs
    }


def gate_page(results: dict[str, Any]) -> str:
    """The record as a page of Markdown; `results` as they are in the record."""
    rows = []
    for key, found in sorted(results.items()):
        preset, family, _ = key.split(" ")
        cells = (preset, family, found["simulator"], found["seed"], found["cases"],
                 f"{found['seconds']:.1f}", found["yosys"])
        rows.append(f"| {' | '.join(str(cell) for cell in cells)} |")
    flows = [
        f"| {name} | `{flow.synthesis.format(name='<name>')}` | "
        f"{' '.join(f'`{macro}`' for macro in flow.defines)} | {flow.reason} |"
        for name, flow in NETLISTS.items()
    ]
    return _PAGE.format(rows="\n".join(rows), flows="\n".join(flows))


_PAGE = """\
# Netlists under the bench

Every case of the macro's bench, run on the design after synthesis: netlists of LUTs, carry chains,
memories and flip-flops of an FPGA family, joined with the simulation models of these cells that
Yosys carries. Written by `cimple gates`; a row is there only if all cases passed.

| preset | family | simulator | seed | cases passed | seconds | Yosys |
|---|---|---|---:|---:|---:|---|
{rows}

How the netlists are made, and why not by the family's defaults alone:

| family | commands | macros | reason |
|---|---|---|---|
{flows}
"""
