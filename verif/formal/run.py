# SPDX-License-Identifier: Apache-2.0
"""Runs proofs: from a property and a configuration to a verdict."""

import re
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from ...hdl.errors import CimpleError
from ...hdl.macro.config import MacroConfig
from .proof import Probe, Proof
from .properties import Property
from .tools import Tools

__all__ = ["Verdict", "prove", "write_job"]

_rtlil: Any = import_module("amaranth.back.rtlil")

_TOP = "top"
#: Exit codes of SymbiYosys.
_PASS, _FAIL, _UNKNOWN = 0, 2, 4

#: A claim's message is made its name, so that the solver's report names it.
_NAMED = re.compile(r'cell \$check \S+\n(\s+)parameter \\FORMAT "([^"]+)"')
_FAILED = re.compile(r"Assert failed in \w+: claim\.(\S+)")
_UNREACHED = re.compile(r"Unreached cover statement at \w+: claim\.(\S+)")

Outcome = Literal["proven", "failed", "unknown", "empty", "timeout"]


@dataclass(frozen=True)
class Verdict:
    """How a proof ended."""

    outcome: Outcome
    """``proven``; ``failed``: there is a run that breaks a claim; ``unknown``: the induction does
    not close; ``empty``: the claims hold, but what they are about cannot be reached; ``timeout``.
    """
    claims: tuple[str, ...]
    """Those that are broken, or that could not be shown or reached."""
    seconds: float
    said: str
    """What the tools said."""

    @property
    def proven(self) -> bool:
        """All claims hold, and none is empty."""
        return self.outcome == "proven"


def prove(
    property_: Property, config: MacroConfig, tools: Tools, *, timeout: float = 600,
    cover: bool = True, keep: Path | None = None,
) -> Verdict:
    """Prove a property of a configuration.

    Parameters
    ----------
    property_ : Property
    config : MacroConfig
    tools : Tools
    timeout : float
        Seconds for each of the two runs: the proof, and reaching what it is about.
    cover : bool
        Also see that the claims are not empty.
    keep : Path, optional
        Directory for the job and the traces; without it they are removed.

    Raises
    ------
    CimpleError
        The tools end with an error of their own.
    """
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="cimple-") as scratch:
        directory = keep or Path(scratch)
        directory.mkdir(parents=True, exist_ok=True)
        write_job(property_, config, directory, traces=keep is not None)
        outcome, claims, said = _run(tools, "proof", directory, timeout)
        if outcome == "proven" and cover:
            reached, unreached, more = _run(tools, "cover", directory, timeout)
            said += more
            if reached != "proven":
                outcome, claims = ("empty" if reached == "failed" else reached), unreached
    return Verdict(outcome, claims, time.monotonic() - began, said)


def write_job(
    property_: Property, config: MacroConfig, directory: Path, *, traces: bool = True
) -> None:
    """Write the netlist and the job files `proof.sby` and `cover.sby`.

    Where nobody will see the `traces` they are left out, as writing one takes longer than a proof.
    """
    proof = property_.build(config)
    netlist = _rtlil.convert(proof, name=_TOP, emit_src=False)
    (directory / "design.il").write_text(_name_claims(netlist), encoding="utf-8")
    mode = "prove" if property_.method == "induction" else "bmc"
    jobs: dict[str, dict[str, object]] = {
        "proof": {"mode": mode, "depth": property_.depth(config)},
        "cover": {"mode": "cover", "depth": property_.cover(config)},
    }
    for name, options in jobs.items():
        options["vcd"] = "on" if traces else "off"
        (directory / f"{name}.sby").write_text(_job(proof, options), encoding="utf-8")


def _job(proof: Proof, options: Mapping[str, object]) -> str:
    lines = ["[options]", *(f"{name} {value}" for name, value in options.items())]
    lines += ["[engines]", "smtbmc --unroll z3 -- --noincr", "[script]", "read_rtlil design.il"]
    lines += [f"hierarchy -top {_TOP}", "proc", "flatten", f"cd {_TOP}"]
    for port, probe in proof.probes.items():
        lines += _connect(port, probe)
    lines += ["cd ..", f"prep -top {_TOP}", "[files]", "design.il"]
    return "\n".join(lines) + "\n"


def _connect(port: str, probe: Probe) -> list[str]:
    """Make an input show a signal inside the design, which must be there.

    Nothing drives it any more; `-nounset` because `connect` would else take it for the driver of
    nets that are another name for it.
    """
    inside = f"w:{probe.path}"
    return [f"select -assert-count 1 {inside}", f"delete -port w:{port}",
            f"connect -nounset -set {port} {probe.path}"]


def _name_claims(netlist: str) -> str:
    return _NAMED.sub(r'cell $check \\claim.\2\n\1parameter \\FORMAT ""', netlist)


def _run(
    tools: Tools, job: str, directory: Path, timeout: float
) -> tuple[Outcome, tuple[str, ...], str]:
    try:
        code, said = tools.run(f"{job}.sby", directory, timeout)
    except subprocess.TimeoutExpired:
        return "timeout", (), f"{job}: not finished after {timeout:g} seconds\n"
    failed = tuple(dict.fromkeys(_FAILED.findall(said)))
    if code == _PASS:
        return "proven", (), said
    if job == "cover" and code == _FAIL:
        return "failed", tuple(dict.fromkeys(_UNREACHED.findall(said))), said
    if code in (_FAIL, _UNKNOWN):
        return "failed" if code == _FAIL else "unknown", failed, said
    errors = [line for line in said.splitlines() if "ERROR" in line] or said.splitlines()[-3:]
    raise CimpleError(f"SymbiYosys ended with an error: {' '.join(errors)}")
