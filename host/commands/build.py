# SPDX-License-Identifier: Apache-2.0
"""`cimple build`: a board's bitstream, and what it takes of the FPGA."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from ...fpga.boards import BITSTREAMS, Board, find_board
from ...fpga.build import Bitstream, BoardReport, build
from ..boards_record import COUNTED, record_boards
from ..console import result_console
from .compile import load_npu
from .resources_files import measuring, say_written

__all__ = ["build_"]

#: Exit code where the part is too small or the clock too fast.
EXIT_NOT_MET = 1


def build_(
    board: Annotated[
        list[str], typer.Option(help="Board (`cimple boards`); may be given several times.")
    ],
    *,
    npu: Annotated[
        str | None,
        typer.Option(help="Another NPU than the board's: YAML file or preset.", show_default=False),
    ] = None,
    clock: Annotated[
        float | None,
        typer.Option(
            min=1, max=400, help="Another clock than the board's, in MHz.", show_default=False
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=1, help="Seed of the placement.")] = 1,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Directory to write to.", metavar="DIR")
    ] = BITSTREAMS,
    record: Annotated[
        Path | None,
        typer.Option(
            help="Directory of boards.json and boards.md, to which the reports are added.",
            metavar="DIR", show_default=False,
        ),
    ] = None,
) -> None:
    """Make the bitstream of a board: an NPU behind a serial link, with a self-test.

    Writes BOARD.bit (.fs for Gowin's parts, .bin for Lattice's iCE40) and BOARD.json, the report.
    An NPU that does not fit the part, or is slower than its clock, is an error with exit code 1;
    no bitstream is written then. Yosys and nextpnr are those on the PATH, else the WebAssembly
    wheels, whose first start takes a minute and whose place and route takes some minutes.
    """
    chosen = [_changed(find_board(name), clock) for name in board]
    config = load_npu(npu) if npu is not None else None
    made = []
    with measuring(len(chosen)) as display:
        for each in chosen:
            made.append(build(each, config or each.npu(), seed, display.steps_of(each.name)))
            display.done(f"{each.name}: {_verdict(made[-1].report)}")
        display.end("done")
    for each in made:
        say_written(_write(each, output))
        _print(each.report)
    if record is not None:
        networks = {each.name: config or each.npu() for each in chosen}
        say_written(record_boards(record, [each.report for each in made], networks))
    failed = [each.report for each in made if not each.report.in_time]
    for report in failed:
        typer.echo(f"error: {_failure(report)}", err=True)
    if failed:
        raise typer.Exit(EXIT_NOT_MET)


def _changed(board: Board, clock: float | None) -> Board:
    return board if clock is None else replace(board, clock_hz=round(clock * 1e6))


def _write(made: Bitstream, directory: Path) -> list[Path]:
    """The report, and the bitstream unless it is of no use, in place of older ones."""
    directory.mkdir(parents=True, exist_ok=True)
    stem = directory / made.report.board
    bitstream, report = stem.with_suffix(made.ending), stem.with_suffix(".json")
    bitstream.unlink(missing_ok=True)
    report.write_text(json.dumps(made.report.to_mapping(), indent=2) + "\n", encoding="utf-8")
    if not made.report.in_time:
        return [report]
    bitstream.write_bytes(made.data)
    return [bitstream, report]


def _print(report: BoardReport) -> None:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column(f"{report.board}: {report.preset} in {report.part}")
    for heading in ("used", "of", "%"):
        table.add_column(heading, justify="right")
    for what, title in COUNTED.items():
        used, there = report.used[what], report.available.get(what)
        share = f"{100 * used / there:.0f}" if there else ""
        table.add_row(title, f"{used:,}", f"{there:,}" if there else "", share)
    result_console().print(table)


def _verdict(report: BoardReport) -> str:
    if report.fmax_mhz is None:
        return f"does not fit: {_size(report)}"
    return f"{report.fmax_mhz:.1f} MHz, asked {report.clock_mhz:g} MHz"


def _failure(report: BoardReport) -> str:
    """What is wrong, and the cure."""
    if report.fmax_mhz is None:
        return (
            f"{report.board}: {report.preset} does not fit {report.part}: {_size(report)}; choose "
            "a smaller NPU (--npu) or another board"
        )
    return (
        f"{report.board}: {report.preset} reaches {report.fmax_mhz:.1f} MHz in {report.part}, "
        f"and its clock is {report.clock_mhz:g} MHz; try another --seed, or a slower --clock"
    )


def _size(report: BoardReport) -> str:
    """What it takes more of than there is, and what there is."""
    return " and ".join(
        f"{report.used[what]:,} {title} of {report.available[what]:,}"
        for what, title in COUNTED.items()
        if report.used[what] > report.available.get(what, report.used[what])
    )
