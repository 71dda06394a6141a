# SPDX-License-Identifier: Apache-2.0
"""Verifies a configuration: generates it, and runs its bench under every simulator and seed.

Needs no checkout: the benches are modules of the installed package.
"""

import json
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from ...hdl.config import Config
from ...hdl.errors import CimpleError
from ...hdl.generate import Design, generate
from ...hdl.generate.wrapping import check_wrapper
from ...hdl.kinds import kind_of
from ...hdl.link.config import Protocol, WrapperConfig
from ...hdl.npu.config import NpuConfig
from .build import build_bench
from .junit import Suite, write_junit
from .protocol import WRAPPER_VARIABLE
from .run import BenchCase, BenchRun, run_bench
from .simulators import Simulator, find_simulator

__all__ = [
    "BENCHES", "WRAPPER_BENCHES", "Netlister", "Step", "VerifyResult", "VerifyRun", "bench_of",
    "variables_of", "verify",
]

#: The bench of each kind of configuration: a module beside this one.
BENCHES = {"macro": "macro_bench", "npu": "npu_bench"}

#: The benches that have more cases for an NPU with a port to external memory.
EXTERNAL_BENCHES = {
    "npu_bench": "external_npu_bench", "axi_lite_bench": "external_axi_lite_bench"
}

#: The bench of an NPU in each wrapper.
WRAPPER_BENCHES = {
    Protocol.AXI_STREAM: "axi_stream_bench", Protocol.AXI_LITE: "axi_lite_bench",
    Protocol.UART: "uart_bench",
}


@dataclass(frozen=True)
class Netlister:
    """Puts a netlist in the place of the generated Verilog."""

    family: str
    """What the netlist is for, as `ecp5`."""
    synthesise: Callable[[str, str], str]
    """From Verilog and the name of its top level to a netlist with all models of its cells."""


@dataclass(frozen=True)
class Step:
    """Something that begins or ends, for a progress display."""

    simulator: str
    """Name of the simulator; the family while a netlist is made."""
    seed: int | None
    """None while the simulation is built, which serves all seeds."""
    case: BenchCase
    """What began (`started`) or ended; building counts as a case named `build`."""


@dataclass(frozen=True)
class VerifyRun:
    """One simulation: one simulator, one seed."""

    simulator: Simulator
    seed: int
    run: BenchRun


@dataclass(frozen=True)
class VerifyResult:
    """The verdict and all that it stands on."""

    name: str
    """Name of the design."""
    module: str
    """Name of the bench module."""
    digest: str
    """Digest of the configuration."""
    runs: tuple[VerifyRun, ...]
    netlist: str | None = None
    """The family of the netlist that ran; None where the generated Verilog did."""

    @property
    def passed(self) -> bool:
        """Whether every case of every simulation passed, and there were some."""
        return bool(self.runs) and all(run.run.passed for run in self.runs)

    def suites(self) -> list[Suite]:
        """The simulations as JUnit test suites."""
        design = f"{self.name}.{self.netlist}" if self.netlist else self.name
        synthesis = {"netlist": self.netlist} if self.netlist else {}
        return [
            Suite(
                name=f"{design}.{each.simulator.name}.seed{each.seed}",
                module=self.module,
                properties={
                    "design": self.name,
                    "configuration_sha256": self.digest,
                    "simulator": f"{each.simulator.name} {each.simulator.version}",
                    "seed": str(each.seed),
                    **synthesis,
                },
                run=each.run,
            )
            for each in self.runs
        ]


def verify(
    config: Config,
    simulators: Sequence[str],
    seeds: Iterable[int],
    junit: Path | None = None,
    progress: Callable[[Step], None] = lambda step: None,
    *,
    timeout: float = 300.0,
    netlister: Netlister | None = None,
    wrapper: WrapperConfig | None = None,
) -> VerifyResult:
    """Run the bench of `config` under each of the `simulators` with each of the `seeds`.

    Parameters
    ----------
    config : MacroConfig or any other kind with an entry in `BENCHES`
    simulators : sequence of str
        `verilator`, `icarus`.
    seeds : iterable of int
    junit : Path, optional
        Where to write the results as JUnit XML.
    progress : callable
        Called at the start and the end of every build and case.
    timeout : float
        Seconds without a simulated cycle after which a case counts as failed.
    netlister : Netlister, optional
        Has the bench run on a netlist instead of the generated Verilog.
    wrapper : WrapperConfig, optional
        What an NPU is generated in; the bench is that of the wrapper.

    Raises
    ------
    CimpleError
        A simulator is missing, the design cannot be synthesised or built, or `junit` cannot be
        written. Failing cases are no error: they are in the result.
    """
    wrapper = wrapper or WrapperConfig()
    check_wrapper(config, wrapper)
    module = bench_of(config, wrapper)
    found = [find_simulator(name) for name in dict.fromkeys(simulators)]
    seeds = list(seeds)
    if junit is not None:
        # Whether it can be written is better known now than after hours of simulation; and a run
        # that is cut short must not leave a report of success.
        write_junit(junit, [_unfinished(module)])
    design = generate(config, wrapper)
    verilog = _netlist(design, netlister, progress) if netlister else design.verilog
    runs: list[VerifyRun] = []
    for simulator in found:
        build = _build(verilog, design.name, simulator, progress)
        for seed in seeds:
            run = run_bench(
                build, design.name, simulator, module, config, seed=seed, timeout=timeout,
                watch=lambda case, at=(simulator.name, seed): progress(Step(*at, case)),
                variables=variables_of(wrapper),
            )
            runs.append(VerifyRun(simulator, seed, run))
    family = netlister.family if netlister else None
    result = VerifyResult(design.name, module, config.digest(), tuple(runs), family)
    if junit is not None:
        write_junit(junit, result.suites())
    return result


def bench_of(config: Config, wrapper: WrapperConfig | None = None) -> str:
    """Name of the bench module for a configuration, and for an NPU in a wrapper.

    Raises:
        CimpleError: there is no bench for this kind, or it needs a package that is not there.
    """
    kind = kind_of(config).name
    if kind not in BENCHES:
        raise CimpleError(f"there is no bench for the kind {kind!r}; kinds: {', '.join(BENCHES)}")
    bench = BENCHES[kind]
    if wrapper is not None and wrapper.protocol in WRAPPER_BENCHES:
        _require_axi("a wrapper")
        if wrapper.protocol is Protocol.UART and find_spec("cobs") is None:
            raise CimpleError(
                "the bench of the wrapper uart needs the package cobs: pip install 'cimple[serial]'"
            )
        bench = WRAPPER_BENCHES[wrapper.protocol]
    if isinstance(config, NpuConfig) and config.external_port:
        _require_axi("an external port")
        bench = EXTERNAL_BENCHES.get(bench, bench)
    return f"{__package__}.{bench}"


def _require_axi(what: str) -> None:
    if find_spec("cocotbext") is None or find_spec("cocotbext.axi") is None:
        raise CimpleError(
            f"the bench of {what} needs the package cocotbext-axi: pip install 'cimple[axi]'"
        )


def variables_of(wrapper: WrapperConfig) -> dict[str, str]:
    """What `run_bench` has to tell the bench of a wrapper."""
    return {WRAPPER_VARIABLE: json.dumps(wrapper.to_mapping())}


def _unfinished(module: str) -> Suite:
    case = BenchCase("verify", "failed", message="the run was cut short")
    return Suite("unfinished", module, {}, BenchRun((case,), ""))


def _netlist(design: Design, netlister: Netlister, progress: Callable[[Step], None]) -> str:
    started = time.monotonic()
    progress(Step(netlister.family, None, BenchCase("synthesis", "started")))
    netlist = netlister.synthesise(design.verilog, design.name)
    ended = BenchCase("synthesis", "passed", time.monotonic() - started)
    progress(Step(netlister.family, None, ended))
    return netlist


def _build(
    verilog: str, top: str, simulator: Simulator, progress: Callable[[Step], None]
) -> Path:
    started = time.monotonic()
    progress(Step(simulator.name, None, BenchCase("build", "started")))
    build = build_bench(verilog, top, simulator)
    ended = BenchCase("build", "passed", time.monotonic() - started)
    progress(Step(simulator.name, None, ended))
    return build
