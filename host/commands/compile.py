# SPDX-License-Identifier: Apache-2.0
"""`cimple compile`: a quantised network in, a program file out."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from ...compiler.compile import compile_network
from ...compiler.report import report_table
from ...hdl.errors import CimpleError
from ...hdl.load import load_config
from ...hdl.npu.config import NpuConfig
from ..assemble import assemble
from ..console import result_console, working

__all__ = ["compile_", "load_npu"]


def load_npu(source: str, changes: Mapping[str, Any] | None = None) -> NpuConfig:
    """The NPU in a YAML file or preset, with fields changed. Raises CimpleError if it is none."""
    config = load_config(source, changes)
    if not isinstance(config, NpuConfig):
        raise CimpleError(f"{source}: is a macro; a network needs an NPU (ip/npu/ holds presets)")
    return config


def compile_(
    network: Annotated[
        Path, typer.Argument(help="Int8 network: ONNX (.onnx), or TFLite (.tflite).")
    ],
    *,
    npu: Annotated[
        str,
        typer.Option(help="The NPU: YAML file or name of a preset (`cimple presets` lists them)."),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="Program file to write.", show_default="NETWORK with .cim"
        ),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(help="JSON file for the report by layer.", show_default=False),
    ] = None,
    keep_all: Annotated[
        bool,
        typer.Option("--keep-all", help="Keep every layer's result, so that all can be read."),
    ] = False,
    all_planes: Annotated[
        bool,
        typer.Option(
            "--all-planes",
            help="Skip no planes that are zero, where the NPU can: as many cycles for any image.",
        ),
    ] = False,
) -> None:
    """Turn a network into a program file for one NPU, and report what each layer takes."""
    with working(network.name) as say:
        compiled = compile_network(
            network, load_npu(npu), keep_all=keep_all, all_planes=all_planes,
            progress=lambda stage: say(f"{network.name}: {stage}"),
        )
    target = output or network.with_suffix(".cim")
    program = assemble(compiled)
    program.save(target)
    if report is not None:
        _write_report(report, json.dumps(compiled.report.to_json(), indent=1) + "\n")
    out = result_console()
    out.print(report_table(compiled.report))
    for name, use in compiled.report.memories.items():
        out.print(f"{name}: {use.used:,} of {use.available:,} ({use.used / use.available:.0%})")
    out.print(f"{target}: {len(program.to_bytes()):,} bytes", soft_wrap=True, markup=False)


def _write_report(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CimpleError(f"{path}: cannot be written: {error.strerror or error}") from None
