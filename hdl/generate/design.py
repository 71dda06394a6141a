# SPDX-License-Identifier: Apache-2.0
"""`generate` turns a configuration into a `Design`; `write` puts its files into a directory."""

import contextlib
import gc
import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amaranth.lib import wiring

from ..checks import Finding, findings_of
from ..config import Config
from ..errors import CimpleError
from ..kinds import kind_of
from ..link.config import Protocol, WrapperConfig
from ..npu.config import NpuConfig
from ..stamp import ModuleLibrary
from ..version import version
from .c_header import c_header
from .core import core_text
from .inventory import inventory
from .manifest import manifest
from .names import check_name
from .verilog import emit_rtlil, emit_verilog
from .wrapping import check_wrapper, wrap

__all__ = ["Design", "generate", "write"]

#: New objects after which Python looks for unreachable ones while a design is made.
_COLLECTION_THRESHOLD = 100_000

_WAIVERS = Path(__file__).resolve().parent.parent / "lint.vlt"


@dataclass(frozen=True)
class Design:
    """All that is generated from one configuration."""

    name: str
    """Name of the top-level module and stem of every file."""
    verilog: str
    """One self-contained file, Verilog-2005."""
    manifest: dict[str, Any]
    """Parameters, ports, timing, modules and digests, as plain data."""
    waivers: str
    """Verilator's waiver file, for this file alone."""
    core: str
    """FuseSoC's description of the core, CAPI2."""
    header: str | None = None
    """C header of the registers, where the design has registers."""

    @property
    def files(self) -> dict[str, str]:
        """Text by file name, the Verilog first."""
        files = {
            f"{self.name}.v": self.verilog,
            f"{self.name}.json": json.dumps(self.manifest, indent=2) + "\n",
            f"{self.name}.core": self.core,
            f"{self.name}.vlt": self.waivers,
        }
        return files if self.header is None else {**files, f"{self.name}.h": self.header}


def generate(
    config: Config, wrapper: WrapperConfig | None = None, *, checked: bool = True
) -> Design:
    """The design of a configuration: a `MacroConfig` or an `NpuConfig`, the latter in a wrapper.

    A pure function: nothing is read but the configuration and the wrapper, nothing written, and
    equal ones give equal bytes in any directory and process. `checked` refuses a design that
    breaks a design rule. With a wrapper the design's name ends in its protocol.

    Raises:
        ConfigError: the name is a reserved word of Verilog, or a macro is to have a wrapper.
        RuntimeError: the design breaks a design rule, which is a fault of Cimple.
    """
    wrapper = wrapper or WrapperConfig()
    check_wrapper(config, wrapper)
    kind = kind_of(config)
    check_name(config.to_mapping()["name"])
    name = wrapper.top_name(config.to_mapping()["name"])
    component = _component(config, wrapper)
    findings: list[Finding] = []

    def inspect(part: wiring.Component, fragment: Any) -> None:
        if checked:
            findings.extend(findings_of(part, fragment))

    library = ModuleLibrary(name, inspect)
    with _rare_collection():
        rtlil = emit_rtlil(component, name, library)
    if findings:
        # The waiver file promises that these rules are kept.
        listed = "; ".join(str(finding) for finding in dict.fromkeys(findings))
        raise RuntimeError(f"{name} breaks design rules: {listed}")
    parts = [_header(config, wrapper), emit_verilog(rtlil, name), *library.verilog.values()]
    verilog = "".join(parts)
    return Design(
        name=name,
        verilog=verilog,
        manifest=manifest(config, wrapper, component, verilog, inventory(rtlil, name)),
        waivers=_waivers(name),
        core=core_text(name, kind),
        header=c_header() if wrapper.protocol is Protocol.AXI_LITE else None,
    )


def _component(config: Config, wrapper: WrapperConfig) -> wiring.Component:
    if isinstance(config, NpuConfig) and wrapper.protocol is not Protocol.NONE:
        return wrap(config, wrapper)
    return kind_of(config).build(config)


def write(design: Design, directory: str | Path) -> list[Path]:
    """Write the files of a design; make the directory where it is missing.

    Every file is complete before the first replaces an older one, so that a full disk or an
    interruption leaves the older files.

    Raises:
        CimpleError: the directory or a file cannot be written.
    """
    directory = Path(directory)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with _complete_files(directory, design.files) as pairs:
            for finished, target in pairs:
                os.replace(finished, target)
    except OSError as error:
        place = error.filename2 or error.filename or directory
        raise CimpleError(
            f"{place}: cannot be written: {error.strerror}; choose another directory"
        ) from None
    return [directory / name for name in design.files]


@contextlib.contextmanager
def _complete_files(directory: Path, files: dict[str, str]) -> Iterator[list[tuple[Path, Path]]]:
    """Each file in a directory of its own beside its target, which is removed at the end."""
    with tempfile.TemporaryDirectory(prefix=".cimple-", dir=directory) as scratch:
        pairs = []
        for name, text in files.items():
            finished = Path(scratch) / name
            finished.write_text(text, encoding="utf-8", newline="\n")
            pairs.append((finished, directory / name))
        yield pairs


@contextlib.contextmanager
def _rare_collection() -> Iterator[None]:
    """Let Python look for unreachable objects less often, which takes a quarter of the time.

    Millions of small objects are made and nearly all of them live until the end.
    """
    usual = gc.get_threshold()
    gc.set_threshold(max(usual[0], _COLLECTION_THRESHOLD) if usual[0] else 0, *usual[1:])
    try:
        yield
    finally:
        gc.set_threshold(*usual)


def _header(config: Config, wrapper: WrapperConfig) -> str:
    name = wrapper.top_name(config.to_mapping()["name"])
    around = {
        Protocol.NONE: "",
        Protocol.AXI_STREAM: ", behind AXI4-Stream",
        Protocol.AXI_LITE: f", behind AXI4-Lite with FIFOs of {wrapper.fifo_depth} words",
        Protocol.UART: f", behind a UART of {wrapper.baud} baud at {wrapper.clock_hz} Hz",
    }
    return (
        f"// {name}: {kind_of(config).description}{around[wrapper.protocol]}\n"
        f"// cimple {version()}, configuration sha256 {config.digest()}\n"
    )


def _waivers(name: str) -> str:
    """The waiver file, narrowed to one Verilog file."""
    return _WAIVERS.read_text(encoding="utf-8").replace('-file "*"', f'-file "*{name}.v"')
