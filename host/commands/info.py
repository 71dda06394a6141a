# SPDX-License-Identifier: Apache-2.0
"""`cimple info`: what a program file holds."""

from pathlib import Path
from typing import Annotated

import typer

from ...compiler.report import report_table
from ..console import result_console
from ..manifest import Port
from ..program import ProgramFile

__all__ = ["info"]


def info(program: Annotated[Path, typer.Argument(help="Program file.")]) -> None:
    """Check a program file and describe it: network, NPU, input and output, layers, memories."""
    file = ProgramFile.load(program)
    manifest, config, macro = file.manifest, file.config, file.config.macro
    facts = {
        "network": f"{manifest.model_name} (SHA-256 {manifest.model_sha256[:16]}...)",
        "compiler": f"cimple {manifest.compiler}",
        "NPU": f"{config.name}, {macro.rows} x {macro.columns} {macro.cell.value}, "
               f"{macro.banks} banks (digest {manifest.npu_digest[:16]}...)",
        "input": _port(manifest.input),
        "output": _port(manifest.output),
        "layers kept": "all" if manifest.keep_all else "only the output",
    }
    out = result_console()
    for name, fact in facts.items():
        out.print(f"{name + ':':13}{fact}", soft_wrap=True, markup=False)
    for name, use in manifest.report.memories.items():
        out.print(f"{name + ':':13}{use.used:,} of {use.available:,}")
    out.print(report_table(manifest.report))


def _port(port: Port) -> str:
    shape = ", ".join(["batch", *(str(size) for size in port.shape)])
    tensor = port.tensor
    return (
        f"'{port.name}' {port.dtype} [{shape}]; in memory int8 at {tensor.address:#x}, scale "
        f"{tensor.scale:g}, zero point {tensor.zero_point}"
    )
