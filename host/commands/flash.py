# SPDX-License-Identifier: Apache-2.0
"""`cimple flash`: hands a board's bitstream to openFPGALoader."""

import shutil
import subprocess
from pathlib import Path
from typing import Annotated

import typer

from ...fpga.boards import BITSTREAMS, find_board
from ...fpga.flows import FLOWS
from ...hdl.errors import CimpleError

__all__ = ["flash"]

_LOADER = "openFPGALoader"


def flash(
    board: Annotated[str, typer.Option(help="Board (`cimple boards`).")],
    *,
    bitstream: Annotated[
        Path | None,
        typer.Option(
            help="Bitstream to load. Default: what `cimple build` wrote into build/boards.",
            metavar="FILE", show_default=False,
        ),
    ] = None,
    permanent: Annotated[
        bool,
        typer.Option("--permanent", help="Into the board's flash memory, which it starts from."),
    ] = False,
) -> None:
    """Load a bitstream into a board, with openFPGALoader, until its power goes.

    The light blinks while the self-test runs, for milliseconds, and is steady once it has passed;
    the serial port says so too.
    """
    chosen = find_board(board)
    file = bitstream or BITSTREAMS / f"{chosen.name}{FLOWS[chosen.flow].ending}"
    if not file.is_file():
        raise CimpleError(
            f"{file}: no such file; make it: cimple build --board {chosen.name}"
            if bitstream is None else f"{file}: no such file"
        )
    command = [_find_loader(), *chosen.loader, *["-f"] * permanent, str(file)]
    typer.echo(" ".join(command))
    code = subprocess.run(command, check=False).returncode
    if code:
        raise CimpleError(
            f"{_LOADER} ended with exit code {code}, see above; is the {chosen.title} plugged in, "
            "and may you use its USB device (openFPGALoader's udev rules)?"
        )
    typer.echo(f"{chosen.name}: loaded; a steady light says that the self-test has passed")


def _find_loader() -> str:
    found = shutil.which(_LOADER)
    if found is None:
        raise CimpleError(
            f"{_LOADER} is not on the PATH; install it (Debian and Ubuntu: apt install "
            f"openfpgaloader; macOS: brew install openfpgaloader), then flash again"
        )
    return found
