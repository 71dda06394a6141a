# SPDX-License-Identifier: Apache-2.0
"""Runs of the fuzzer on an NPU's Verilog, and the record of them."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from typing import Any

from ..hdl.npu.config import NpuConfig
from ..verif.bench.simulators import Simulator, find_simulator
from ..verif.fuzz.rounds import ROUND, Round
from ..verif.fuzz.tally import FuzzError, Tally
from .devices.build import Progress
from .devices.words import open_words
from .speed import machine

__all__ = ["FuzzRun", "again", "fuzz_page", "run_fuzz"]


@dataclass(frozen=True)
class FuzzRun:
    """What a run has come to. `failure` ended it, if it is not None."""

    config: NpuConfig
    simulator: Simulator
    seed: int
    #: Packets that were asked for.
    wanted: int
    rounds: int
    tally: Tally
    seconds: float
    failure: FuzzError | None

    def to_record(self) -> dict[str, Any]:
        """What a record keeps."""
        tally = self.tally
        return {
            "configuration": self.config.digest(),
            "simulator": self.simulator.name,
            "simulator_version": self.simulator.version,
            "seed": self.seed,
            "rounds": self.rounds,
            "packets": tally.packets.total(),
            "kinds": dict(sorted(tally.packets.items())),
            "checking_packets": tally.checks,
            "all_packets": tally.sent,
            "answers": dict(sorted(tally.answers.items())),
            "met_by_a_reset": tally.cut,
            "programs": dict(sorted(tally.programs.items())),
            "resets": dict(sorted(tally.resets.items())),
            "words_compared": tally.words,
            "inferences": tally.inferences,
            "cycles": tally.cycles,
            "seconds": round(self.seconds, 1),
            "amaranth": metadata.version("amaranth"),
            **machine(),
        }


def run_fuzz(
    config: NpuConfig, simulator: str, seed: int, packets: int, *, skip: int = 0,
    progress: Callable[[int], None] = lambda packets: None, say: Progress = lambda message: None,
) -> FuzzRun:
    """Send hostile packets to an NPU's Verilog, in rounds, up to the first failure.

    Args:
        config: the NPU.
        simulator: one of `SIMULATORS`.
        seed: what the packets are drawn from.
        packets: how many.
        skip: rounds that are left out.
        progress: told how many packets have been sent since it was called before.
        say: told what takes time before.

    Raises:
        CimpleError: there is no such simulator, or it does not take the design.
    """
    tally, failure, number = Tally(), None, skip
    with open_words(simulator, config, say) as link:
        started = time.perf_counter()
        try:
            while (left := packets - tally.packets.total()) > 0:
                Round(config, link, seed, number, tally).run(min(ROUND, left), progress)
                number += 1
        except FuzzError as error:
            failure = error
        seconds = time.perf_counter() - started
    return FuzzRun(
        config, find_simulator(simulator), seed, packets, number - skip, tally, seconds, failure
    )


def again(run: FuzzRun, source: str) -> str:
    """The command that comes to the failure of a run again; `source` names the NPU.

    The round's end is where it was: the failure may be behind its last packet.
    """
    assert run.failure is not None
    packets = min(ROUND, run.wanted - ROUND * run.rounds)
    return (
        f"cimple fuzz {source} --sim {run.simulator.name} --seed {run.seed} "
        f"--skip {run.failure.round} --packets {packets}"
    )


def fuzz_page(results: dict[str, Any]) -> str:
    """The record as a page of Markdown; `results` as they are in the record."""
    rows = []
    for name, found in sorted(results.items()):
        cells = (
            name, f"{found['packets']:,}", f"{found['checking_packets']:,}", found["inferences"],
            f"{found['words_compared']:,}", f"{found['cycles']:,}", found["seed"],
            found["seconds"], f"{found['simulator']} {found['simulator_version']}",
            f"{found['load']} on {found['cpus']}",
        )  # fmt: skip
        rows.append(f"| {' | '.join(str(cell) for cell in cells)} |")
    sections = "\n".join(_section(name, found) for name, found in sorted(results.items()))
    return _PAGE.format(rows="\n".join(rows), sections=sections)


def _section(name: str, found: dict[str, Any]) -> str:
    return _SECTION.format(
        name=name, all=found["all_packets"], cut=found["met_by_a_reset"],
        answers=_list(found["answers"]), kinds=_list(found["kinds"]),
        programs=_list(found["programs"]), resets=_list(found["resets"]),
    )


def _list(counts: dict[str, int]) -> str:
    rows = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return "\n".join(f"| {name} | {count:,} |" for name, count in rows)


_PAGE = """\
# Hostile packets

Packets that are sound, mutated, malformed or noise, sent to an NPU's generated Verilog: broken in
any place, behind each other without a pause, behind a running program, cut by resets, with random
pauses on both streams. Programs among them have wrong bits, tokens that nobody gives, or no sense
at all, and are ended after a while if they do not end. Written by `cimple fuzz`, and only if

- every packet is answered, once, as the golden model says, unless a reset meets it;
- all memories are what the golden model says after every 64 packets or so, to the bit. Where a
  program is not defined, activations alone may be anything, in places that its results may go to if
  its fields are legal; weights, parameters and program never change but by a WRITE;
- after a reset sequence the next inference, a random program of convolutions, pools and additions
  with its weights, leaves exactly the golden model's results.

| NPU | hostile packets | packets of checks | inferences | words of memories compared | cycles \
| seed | seconds | tool | load on CPUs |
|---|---:|---:|---:|---:|---:|---:|---:|---|---|
{rows}

{sections}"""

_SECTION = """\
## {name}

Of {all:,} packets, those of checks and the RESETs that end programs included, {cut:,} were met by a
reset; the others by their answers:

| answer | packets |
|---|---:|
{answers}

Hostile packets by what was meant:

| kind | packets |
|---|---:|
{kinds}

What became of their programs, and of the programs of the memory's contents; *defined* are those
whose results the golden model knows:

| program, end | programs |
|---|---:|
{programs}

Resets, by pin and by RESET packet; *reset in a packet* is one while a packet's end is yet to come:

| reset | times |
|---|---:|
{resets}
"""
