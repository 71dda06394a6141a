# SPDX-License-Identifier: Apache-2.0
"""Makes a board's bitstream: Verilog, constraints, netlist, placement, bitstream, and a report."""

import json
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..hdl.errors import CimpleError
from ..hdl.link.config import Protocol, WrapperConfig
from ..hdl.npu.config import NpuConfig
from ..host.self_test import make_self_test
from .boards import Board
from .core import BoardCore, core_verilog
from .families import NO_EFFORT
from .flows import FLOWS, Flow
from .nextpnr import Nextpnr, find_nextpnr
from .programs import find_tool
from .resources import Resources
from .synthesis import synthesise
from .top import BoardTop, clock_of
from .yosys import Yosys, find_yosys

__all__ = [
    "Bitstream", "BoardReport", "Sources", "Tools", "board_sources", "build", "find_tools",
    "synthesise_board",
]

#: Told what is being done.
Say = Callable[[str], None]

#: Module of all between the pads.
_CORE = "core"


@dataclass(frozen=True)
class Tools:
    """The programs that a flow needs."""

    yosys: Yosys
    nextpnr: Nextpnr
    packer: str


def find_tools(flow: Flow, say: Say = lambda message: None) -> Tools:
    """The programs of a flow. Raises CimpleError where one is missing."""
    packer = find_tool(flow.packer)
    return Tools(find_yosys(say), find_nextpnr(flow.router, say), packer)


@dataclass(frozen=True)
class Sources:
    """What is synthesised for a board."""

    core: str
    """Verilog of module `core`: all between the pads."""
    top: str
    """RTLIL of module `top`: pads, clock, reset and an instance of `core`."""
    constraints: str
    """Which pin is where."""
    clock_hz: float
    """Frequency of the core's clock."""


@dataclass(frozen=True)
class BoardReport:
    """What a bitstream takes of its part, and how fast it may be."""

    board: str
    part: str
    preset: str
    """Name of the NPU."""
    configuration: str
    """SHA-256 of the NPU's configuration."""
    clock_mhz: float
    seed: int
    used: Mapping[str, int]
    """`lut`: LUT4 positions, `ff`, `ram`, `dsp`."""
    available: Mapping[str, int]
    """The same of the part."""
    fmax_mhz: float | None
    """Highest frequency after place and route; None where it does not fit."""
    yosys: str
    nextpnr: str

    @property
    def fits(self) -> bool:
        """Whether it was placed and routed."""
        return self.fmax_mhz is not None

    @property
    def in_time(self) -> bool:
        """Whether it is as fast as its clock."""
        return self.fmax_mhz is not None and self.fmax_mhz >= self.clock_mhz

    def to_mapping(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


@dataclass(frozen=True)
class Bitstream:
    """A bitstream and the report of it; no bitstream where the part is too small."""

    data: bytes
    ending: str
    report: BoardReport


def board_sources(
    board: Board, config: NpuConfig, say: Say = lambda message: None, signature_flip: int = 0
) -> Sources:
    """Generate what is synthesised for a board.

    `signature_flip` changes bits of what the self-test expects, so that it must fail.

    Raises:
        ModuleNotFoundError: the extra `fpga` is not installed.
        CimpleError: the board's clock cannot be made, or its UART's rate not from it.
    """
    platform = board.make_platform()
    clock_hz, pll = clock_of(board, platform.default_clk_frequency)
    wrapper = WrapperConfig(protocol=Protocol.UART, clock_hz=round(clock_hz), baud=board.baud)
    say("self-test: what the golden model answers")
    test = make_self_test(config).flipped(signature_flip)
    say("Verilog")
    core = core_verilog(BoardCore(config, wrapper, test, board.name), _CORE)
    say("pins")
    files = platform.prepare(BoardTop(board, pll, _CORE), "top").files
    texts = {
        name: text.decode() if isinstance(text, bytes) else text for name, text in files.items()
    }
    return Sources(core, texts["top.il"], texts["top" + FLOWS[board.flow].constraints], clock_hz)


def build(
    board: Board, config: NpuConfig, seed: int = 1, say: Say = lambda message: None
) -> Bitstream:
    """A board's bitstream with an NPU.

    Parameters
    ----------
    board : Board
    config : NpuConfig
        That of the board, or another.
    seed : int
        Of the placement.
    say : callable
        Told of each step before it begins, and how far it is.

    Raises
    ------
    CimpleError
        A tool is missing or fails.
    ModuleNotFoundError
        The extra `fpga` is not installed.
    """
    flow = FLOWS[board.flow]
    tools = find_tools(flow, say)
    sources = board_sources(board, config, say)
    with tempfile.TemporaryDirectory(prefix="cimple-") as scratch:
        directory = Path(scratch)
        say("synthesis (a minute or more)")
        counted = synthesise_board(sources, flow, tools.yosys, directory)
        common = {
            "board": board.name, "part": board.part, "preset": config.name,
            "configuration": config.digest(), "clock_mhz": round(sources.clock_hz / 1e6, 3),
            "seed": seed, "yosys": tools.yosys.version, "nextpnr": tools.nextpnr.version,
        }
        there = {"lut": board.luts, "ff": board.ffs}
        used = _counts(counted)
        if flow.packs_first and _fits(used, there):
            # The placer would look for room for ever.
            say("packing")
            packed = _run(board, flow, tools, sources, seed, directory, say, "--pack-only")
            used, there = _utilisation(flow, packed, used, there)
        if not _fits(used, there):
            report = BoardReport(**common, used=used, available=there, fmax_mhz=None)
            return Bitstream(b"", flow.ending, report)
        say("place and route (a few minutes)")
        found = _run(board, flow, tools, sources, seed, directory, say)
        used, there = _utilisation(flow, found, used, there)
        report = BoardReport(
            **common, used=used, available=there, fmax_mhz=round(_fmax(found), 2)
        )
        say("bitstream")
        return Bitstream(_pack(board, flow, tools, directory), flow.ending, report)


def synthesise_board(sources: Sources, flow: Flow, yosys: Yosys, directory: Path) -> Resources:
    """Write the netlist; the cells that it has."""
    files = {"core.v": sources.core, "top.il": sources.top, "top" + flow.constraints:
             sources.constraints}
    synthesise(
        files, "read_verilog core.v; read_rtlil top.il", "top", flow.synthesis, yosys, directory,
        then="tee -q -o stat.json stat -json -top top",
    )
    statistics = json.loads((directory / "stat.json").read_text(encoding="utf-8"))
    cells = flow.family.count(statistics["design"]["num_cells_by_type"])
    return Resources(cells, yosys.version, family=flow.family.name)


def _counts(counted: Resources) -> dict[str, int]:
    return {
        "lut": counted.sites, "ff": counted.ff, "ram": counted.rams, "dsp": counted.dsps,
    }


def _fits(used: Mapping[str, int], there: Mapping[str, int]) -> bool:
    """Whether there is as much as is used, of what is known."""
    return all(used[what] <= count for what, count in there.items())


def _run(
    board: Board, flow: Flow, tools: Tools, sources: Sources, seed: int, directory: Path, say: Say,
    *more: str,
) -> Any:
    """Place and route, or as much of it as the options `more` say; nextpnr's report."""
    options = flow.options(board.make_platform(), sources.clock_hz / 1e6)
    device = flow.family.device
    effort = device.effort_for("npu") if device else NO_EFFORT
    return tools.nextpnr.execute([*options, *more], seed, directory, board.title, say, effort)


def _fmax(found: Any) -> float:
    """Of the core's clock, which is the only one that registers have, or the slowest."""
    clocks = [clock["achieved"] for clock in found.get("fmax", {}).values()]
    if not clocks:
        raise CimpleError("nextpnr's report names no clock; build again with another --seed")
    return min(clocks)


def _utilisation(
    flow: Flow, found: Any, used: Mapping[str, int], there: Mapping[str, int]
) -> tuple[dict[str, int], dict[str, int]]:
    """What of the part is used, and what there is: by nextpnr, and else as it was known before."""
    cells: Mapping[str, Mapping[str, int]] = found["utilization"]
    uses, parts = dict(used), dict(there)
    for what, names in flow.counted.items():
        known = [cells[name] for name in names if name in cells]
        if known:
            uses[what] = sum(cell["used"] for cell in known)
            parts[what] = max(cell["available"] for cell in known)
    return uses, parts


def _pack(board: Board, flow: Flow, tools: Tools, directory: Path) -> bytes:
    name = "top" + flow.ending
    command = [tools.packer, *flow.pack(board.make_platform(), name)]
    result = subprocess.run(
        command, cwd=directory, capture_output=True, text=True, check=False
    )
    if result.returncode:
        said = " ".join((result.stderr or result.stdout).strip().splitlines()[-3:])
        raise CimpleError(f"{tools.packer} ended with an error: {said}")
    return (directory / name).read_bytes()
