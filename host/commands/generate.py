# SPDX-License-Identifier: Apache-2.0
"""`cimple generate`: a configuration in, Verilog and what belongs to it out."""

from pathlib import Path
from typing import Annotated

import typer

from ...hdl.config import Config
from ...hdl.errors import ConfigError
from ...hdl.generate import generate as generate_design
from ...hdl.generate import write
from ...hdl.kinds import KINDS, kind_of
from ...hdl.link.config import DEFAULT_BAUD, DEFAULT_BUFFER, DEFAULT_CLOCK, DEFAULT_DEPTH, Protocol
from ...hdl.load import load_config, make_config
from .fields import given_fields, with_field_options
from .wrapping import (
    BaudOption,
    BufferOption,
    ClockOption,
    DepthOption,
    WrapperOption,
    wrapper_of,
)

__all__ = ["generate"]


@with_field_options
def generate(
    config: Annotated[
        str | None,
        typer.Argument(help="YAML file, or the name of a preset (`cimple presets` lists them)."),
    ] = None,
    *,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Directory to write to.", metavar="DIR")
    ] = Path("out"),
    kind: Annotated[
        str | None,
        typer.Option(
            help=f"Kind to build from options alone: {', '.join(KINDS)}.", show_default=False
        ),
    ] = None,
    wrapper: WrapperOption = Protocol.NONE.value,
    fifo_depth: DepthOption = DEFAULT_DEPTH,
    clock_hz: ClockOption = DEFAULT_CLOCK,
    baud: BaudOption = DEFAULT_BAUD,
    buffer_words: BufferOption = DEFAULT_BUFFER,
    **fields: str | None,
) -> None:
    """Write Verilog, a JSON manifest, a FuseSoC core file and Verilator's waivers.

    The options below change single fields of CONFIG; with --kind they stand for all of it. A field
    of a nested mapping is named with a dot: --macro.rows 36.
    """
    chosen = _configuration(config, kind, fields)
    around = wrapper_of(wrapper, fifo_depth, clock_hz, baud, buffer_words)
    design = generate_design(chosen, around)
    paths = write(design, output)
    typer.echo(f"{design.name}: {kind_of(chosen).description}")
    for path in paths:
        typer.echo(f"  {path} ({_size(path)})")


def _configuration(source: str | None, kind: str | None, options: dict[str, str | None]) -> Config:
    fields = given_fields(options)
    if source is None and kind is None:
        raise ConfigError(
            "nothing to generate: give a YAML file, a preset (cimple presets lists them), or "
            f"--kind {'|'.join(KINDS)} with options for its fields"
        )
    if source is None:
        return make_config(kind or "", fields)
    chosen = load_config(source, fields)
    if kind not in (None, kind_of(chosen).name):
        raise ConfigError(f"{source}: is of kind {kind_of(chosen).name}, not {kind}; omit --kind")
    return chosen


def _size(path: Path) -> str:
    size = path.stat().st_size
    return f"{size} bytes" if size < 10_000 else f"{size / 1000:.0f} kB"
