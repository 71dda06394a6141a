# SPDX-License-Identifier: Apache-2.0
"""`cimple demo`: draw a digit in the browser, and see an NPU read it."""

import signal
import webbrowser
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from ...compiler.compile import compile_network
from ...hdl.errors import CimpleError
from ...hdl.link.config import DEFAULT_BAUD
from ..assemble import assemble
from ..console import result_console, working
from ..demo import Classifier
from ..demo_server import DemoServer
from ..devices.table import DEVICES
from ..program import ProgramFile
from ..templates import render
from .compile import load_npu

__all__ = ["demo", "demo_page"]

#: The network of the examples, from the project's folder on.
_DIGITS = Path("examples/digits/digits.onnx")
#: Of the oscillator of a ULX3S.
_CLOCK_MHZ = 25.0


def demo(
    *,
    on: Annotated[
        str,
        typer.Option(
            help=f"Device to begin with: {', '.join(DEVICES)}, or a serial port. The page can "
            "change it."
        ),
    ] = "golden",
    network: Annotated[
        Path | None,
        typer.Option(
            help="Network that reads 8 x 8 digits: ONNX, TFLite, or a program file (.cim).",
            show_default=str(_DIGITS),
        ),
    ] = None,
    npu: Annotated[
        str, typer.Option(help="NPU to compile for: YAML file or preset.")
    ] = "npu_digits",
    baud: Annotated[
        int, typer.Option(min=1, help="Bits a second of a serial port.")
    ] = DEFAULT_BAUD,
    clock: Annotated[
        float,
        typer.Option(min=0.001, max=100_000, help="Clock in MHz, by which the page gives times."),
    ] = _CLOCK_MHZ,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of this computer; 0: any that is free.")
    ] = 8000,
    open_: Annotated[
        bool, typer.Option("--open/--no-open", help="Open the page in the browser.")
    ] = True,
) -> None:
    """Serve a page where one draws a digit and sees an NPU read it, until Ctrl-C.

    The page shows the scores, the cycles, the time of each layer, and which device computed it.
    Only this computer can reach it.
    """
    signal.signal(signal.SIGTERM, _stop)
    with working("") as say:
        program = _program(network, npu, say)
        classifier = Classifier(program, on, baud=baud, progress=say)
    about = {
        "network": program.manifest.model_name, "npu": program.config.name, "clock_mhz": clock,
    }
    try:
        server = DemoServer(port, classifier, demo_page(classifier, about), about)
        out = result_console()
        out.print(f"{server.url}  (Ctrl-C ends it)", soft_wrap=True)
        if open_:
            webbrowser.open(server.url)
        server.serve_forever()
    except KeyboardInterrupt:
        typer.echo("stopped", err=True)
    finally:
        classifier.close()


def demo_page(classifier: Classifier, about: dict[str, Any]) -> str:
    """The page, which brings all it needs with it."""
    program = classifier.program
    macro = program.config.macro
    return render(
        "demo", **about, devices=classifier.devices, device=classifier.first,
        rows=macro.rows, columns=macro.columns, macros=program.config.macros,
        peak_macs=round(program.manifest.report.peak_macs), macs=program.manifest.report.macs,
    )


def _program(network: Path | None, npu: str, say: Any) -> ProgramFile:
    path = network or _digits()
    if path.suffix.lower() == ".cim":
        return ProgramFile.load(path)
    return assemble(compile_network(path, load_npu(npu), progress=say))


def _digits() -> Path:
    """The example's network: in this folder, or in the checkout that this package is."""
    for folder in (Path(), Path(__file__).resolve().parents[2]):
        if (folder / _DIGITS).is_file():
            return folder / _DIGITS
    raise CimpleError(
        f"{_DIGITS}: no such file; run from the project's folder, or give a network with --network"
    )


def _stop(*_: object) -> NoReturn:
    """SIGTERM is taken as Ctrl-C, so that simulations end too."""
    raise KeyboardInterrupt
