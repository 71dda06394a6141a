# SPDX-License-Identifier: Apache-2.0
# amaranth: UnusedElaboratable=no
"""The runner tells proofs from what only looks like one."""

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from amaranth.hdl import Module, Signal
from amaranth.sim import Simulator

from cimple.hdl.errors import CimpleError
from cimple.hdl.macro.config import MacroConfig
from cimple.verif.formal.array_proof import gray_position
from cimple.verif.formal.proof import Probe, Proof
from cimple.verif.formal.properties import PROPERTIES, SMALL, Property, excluded
from cimple.verif.formal.run import prove
from cimple.verif.formal.tools import Tools, find_tools

pytestmark = pytest.mark.xdist_group("yosys")

CONFIG = SMALL["bitcell"]


class Counter(Proof):
    """A counter to three that a bit starts; what is claimed of it is up to the test."""

    go: Signal

    def __init__(self, probe: str = "", limit: int = 3, reached: int = 3) -> None:
        self.limit, self.reached = limit, reached
        super().__init__({"go": 1}, {"count": Probe(probe, 3)} if probe else None)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.inner = inner = Module()
        count = Signal(3)
        unrelated = Signal(3)
        with inner.If(self.go & (count < 3)):
            inner.d.sync += count.eq(count + 1)
        # Stays zero; but an induction that begins at six, where it may stay too, ends at seven.
        with inner.If(self.go & (unrelated == 6)):
            inner.d.sync += unrelated.eq(7)
        claimed = count
        if self.probes:
            # What Yosys makes another name for the probe is the same signal still.
            claimed = self.probe("count") & 7
            self.claim(m, "shown", claimed == count)
        self.claim(m, "small", claimed <= self.limit)
        self.claim(m, "other", unrelated != 7)
        self.reach(m, "top", count == self.reached)
        return m


def property_of(build: Callable[[MacroConfig], Proof], **changes: object) -> Property:
    fields = Property("x", "x", "x", build, lambda c: 4, lambda c: 6, ("bitcell",))
    return replace(fields, **changes)


def outcome(
    tools: Tools, build: Callable[[MacroConfig], Proof], **changes: object
) -> tuple[str, tuple[str, ...]]:
    verdict = prove(property_of(build, **changes), CONFIG, tools, timeout=60)
    assert verdict.proven == (verdict.outcome == "proven")
    return verdict.outcome, verdict.claims


def test_a_broken_claim_is_named(tools: Tools) -> None:
    assert outcome(tools, lambda c: Counter(limit=2)) == ("failed", ("small",))


def test_an_induction_that_does_not_close_is_no_proof(tools: Tools) -> None:
    assert outcome(tools, lambda c: Counter())[0] == "unknown"
    assert outcome(tools, lambda c: Counter(), method="bounded") == ("proven", ())


def test_what_cannot_be_reached_is_no_proof(tools: Tools) -> None:
    found = outcome(tools, lambda c: Counter(reached=5), method="bounded")
    assert found == ("empty", ("top",))


def test_a_probe_shows_what_is_inside(tools: Tools) -> None:
    build = {limit: (lambda c, limit=limit: Counter("inner.count", limit)) for limit in (2, 3)}
    assert outcome(tools, build[3], method="bounded") == ("proven", ())
    assert outcome(tools, build[2], method="bounded") == ("failed", ("small",))


def test_a_probe_of_nothing_is_an_error(tools: Tools) -> None:
    with pytest.raises(CimpleError, match=r"SymbiYosys ended with an error: .*inner\.gone"):
        outcome(tools, lambda c: Counter("inner.gone"))


def test_a_proof_that_takes_too_long_is_given_up(tools: Tools) -> None:
    verdict = prove(PROPERTIES[0], CONFIG, tools, timeout=0.01)
    assert verdict.outcome == "timeout"


def processes_in(directory: Path) -> list[str]:
    """The processes whose working directory is inside a directory."""
    found = []
    for place in Path("/proc").glob("[0-9]*/cwd"):
        with contextlib.suppress(OSError):
            if place.readlink().is_relative_to(directory):
                found.append(place.parent.name)
    return found


def test_solvers_end_when_a_proof_is_given_up(tools: Tools, tmp_path: Path) -> None:
    product = next(each for each in PROPERTIES if each.name == "product")
    endless = replace(product, depth=lambda config: 200)
    busy = threading.Event()

    def watch() -> None:
        while not processes_in(tmp_path / "proof"):
            time.sleep(0.1)
        busy.set()

    threading.Thread(target=watch, daemon=True).start()
    verdict = prove(endless, SMALL["product_bitcell"], tools, timeout=5, keep=tmp_path)
    assert verdict.outcome == "timeout"
    assert busy.is_set(), "nothing was running when it was given up"
    deadline = time.monotonic() + 10
    while processes_in(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert processes_in(tmp_path) == []


def test_missing_tools_are_named(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sysconfig.get_path", lambda name: str(tmp_path))
    with pytest.raises(CimpleError, match=r"proofs need yowasp-sby and .* and z3, which cannot be "
                                          r"found: pip install 'cimple\[formal\]'"):
        find_tools()


@pytest.mark.parametrize("property_", PROPERTIES, ids=lambda each: each.name)
def test_sizes_are_within_the_limits(property_: Property) -> None:
    assert property_.sizes
    for size in (*property_.sizes, *property_.longer):
        assert excluded(property_, SMALL[size]) == ""


def test_what_is_beyond_a_solver_is_said() -> None:
    product = next(each for each in PROPERTIES if each.name == "product")
    assert excluded(product, CONFIG) == "beyond a solver: rows is 3, and up to 2 is practical"


@pytest.mark.parametrize(
    ("name", "size", "reason"),
    [
        ("fill", "rom", "the weights of a rom are not written"),
        ("turns", "rom", "the weights of a rom are not written"),
        ("tree", "near", "a tree of one leaf is a wire"),
        ("join", "bitcell", "a cycle has one plane with bits_per_cycle: 1"),
        ("fusion", "lookup", "columns cannot be fused with fusion: 1"),
        ("vectors", "bitcell", "each vector is an output with accumulations: 1"),
    ],
)
def test_what_a_macro_does_not_have_is_said(name: str, size: str, reason: str) -> None:
    property_ = next(each for each in PROPERTIES if each.name == name)
    assert excluded(property_, SMALL[size]) == f"nothing to prove: {reason}"


def test_gray_position_undoes_a_gray_code() -> None:
    code = Signal(4)
    seen = []

    async def bench(ctx):
        for count in range(16):
            ctx.set(code, count ^ (count >> 1))
            seen.append(ctx.get(gray_position(code)))

    simulator = Simulator(Module())
    simulator.add_testbench(bench)
    simulator.run()
    assert seen == list(range(16))
