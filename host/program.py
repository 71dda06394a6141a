# SPDX-License-Identifier: Apache-2.0
"""The program file, `.cim`: all that an NPU is loaded with, and how a host uses it.

A ZIP archive, uncompressed, whose times are fixed, so that equal contents are equal bytes:

- `manifest.json`: see `manifest.Manifest`; it holds the digest of each other member;
- `program.bin`: descriptors;
- `weights.bin`, `parameters.bin`: contents of these memories;
- `external.bin`, only where weights are fetched from external memory: its contents.

A changed byte is noticed: by the archive's checksum in the manifest, by the digests in the rest.
"""

import hashlib
import io
import json
import os
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from ..hdl.errors import CimpleError, ConfigError
from ..hdl.npu.config import WORD_BYTES, NpuConfig
from ..hdl.npu.isa import WORDS
from ..hdl.npu.packets import Memory, memory_bytes
from .manifest import FORMAT, VERSION, Dequantise, Manifest, Part, Port, Quantise
from .operators import apply_steps

__all__ = ["EXTERNAL", "PARTS", "ProgramFile", "ProgramFileError"]

#: Members besides the manifest, and the memory that each fills from its start.
PARTS = {
    "program.bin": Memory.PROGRAM,
    "weights.bin": Memory.WEIGHTS,
    "parameters.bin": Memory.PARAMETERS,
}
#: The member for external memory, from address 0 on, and what the manifest calls that memory.
EXTERNAL = ("external.bin", "EXTERNAL")
_MANIFEST = "manifest.json"
_CURE = "compile the network again"

#: What an archive takes for a member besides its data and twice its name, and for its end.
_HEADER_BYTES = 30 + 46
_END_BYTES = 22

#: What reading a damaged archive raises.
_DAMAGED = (
    zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError, KeyError,
    OverflowError, zlib.error,
)


class ProgramFileError(CimpleError):
    """A program file that cannot be read or written, is damaged, or is of another version."""


@dataclass(frozen=True)
class ProgramFile:
    """A program file's contents."""

    manifest: Manifest
    config: NpuConfig
    parts: dict[str, bytes]

    @classmethod
    def load(cls, path: str | Path) -> "ProgramFile":
        """Read a program file and check all of it. Raises ProgramFileError."""
        try:
            data = Path(path).read_bytes()
        except OSError as error:
            raise ProgramFileError(f"{path}: {error.strerror or error}") from None
        try:
            return cls.from_bytes(data)
        except ProgramFileError as error:
            raise ProgramFileError(f"{path}: {error}") from None

    @classmethod
    def from_bytes(cls, data: bytes) -> "ProgramFile":
        """The program file with these bytes. Raises ProgramFileError."""
        members = _members(data)
        manifest = _parse_manifest(members.pop(_MANIFEST))
        if set(members) - {EXTERNAL[0]} != set(PARTS) or set(manifest.parts) != set(members):
            raise ProgramFileError(f"members must be {', '.join([_MANIFEST, *PARTS])}; {_CURE}")
        for name, part in manifest.parts.items():
            if hashlib.sha256(members[name]).hexdigest() != part.sha256:
                raise ProgramFileError(f"{name} is damaged: its digest differs; {_CURE}")
        try:
            config = NpuConfig.from_mapping(manifest.npu, source=f"{_MANIFEST}: npu")
        except ConfigError as error:
            raise ProgramFileError(f"{error}; {_CURE}") from None
        if config.digest() != manifest.npu_digest:
            raise ProgramFileError(f"digest of the NPU's configuration differs; {_CURE}")
        _check_places(manifest, config, members)
        return cls(manifest, config, members)

    def to_bytes(self) -> bytes:
        """The file: equal contents give equal bytes."""
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
            members = {_MANIFEST: self.manifest.to_json().encode(), **self.parts}
            for name, data in members.items():
                info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
                info.external_attr = 0o644 << 16
                info.create_system = 3
                archive.writestr(info, data)
        return buffer.getvalue()

    def save(self, path: str | Path) -> None:
        """Write the file, whole or not at all. Raises ProgramFileError."""
        path = Path(path)
        fresh = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                fresh.write_bytes(self.to_bytes())
                fresh.replace(path)
            finally:
                fresh.unlink(missing_ok=True)
        except OSError as error:
            raise ProgramFileError(
                f"{path}: cannot be written: {error.strerror or error}"
            ) from None


def _members(data: bytes) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            infos = archive.infolist()
            if any(info.compress_type != zipfile.ZIP_STORED for info in infos):
                raise ProgramFileError(f"members must not be compressed; {_CURE}")
            members = {info.filename: archive.read(info) for info in infos}
    except _DAMAGED:
        raise ProgramFileError(f"not a program file, or damaged or cut short; {_CURE}") from None
    if _MANIFEST not in members or len(members) != len(infos):
        raise ProgramFileError(f"not a program file: it must hold {_MANIFEST} once; {_CURE}")
    # Readers of archives pass over what stands before or behind them.
    needed = _END_BYTES + sum(_HEADER_BYTES + 2 * len(n) + len(d) for n, d in members.items())
    if len(data) != needed:
        raise ProgramFileError(f"damaged: it has {len(data)} bytes, not {needed}; {_CURE}")
    return members


def _parse_manifest(data: bytes) -> Manifest:
    try:
        plain: Any = json.loads(data)
    except ValueError:
        raise ProgramFileError(f"{_MANIFEST} is not JSON; {_CURE}") from None
    if not isinstance(plain, dict) or plain.get("format") != FORMAT:
        raise ProgramFileError(f"not a program file: {_MANIFEST} does not say {FORMAT!r}")
    if plain.get("version") != VERSION:
        raise ProgramFileError(
            f"version of the program file must be {VERSION}, not {plain.get('version')!r}; compile "
            "the network with this version of cimple, or run it with the one that compiled it"
        )
    try:
        return Manifest.model_validate_json(data)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ProgramFileError(f"{_MANIFEST}: {place}: {first['msg']}; {_CURE}") from None


def _check_places(manifest: Manifest, config: NpuConfig, members: dict[str, bytes]) -> None:
    """Everything must lie in the NPU's memories. Raises ProgramFileError."""
    for name, part in manifest.parts.items():
        if name == EXTERNAL[0]:
            _check_external(part, config, len(members[name]))
            continue
        memory, available = Memory[part.memory], memory_bytes(config, Memory[part.memory])
        if memory is not PARTS[name] or part.size != len(members[name]) or part.offset % WORD_BYTES:
            raise ProgramFileError(f"{name} does not fit its entry in {_MANIFEST}; {_CURE}")
        if part.offset + part.size > available:
            raise ProgramFileError(
                f"{name} ends at {part.offset + part.size}, beyond the {available} bytes of memory "
                f"{memory.name}; {_CURE}"
            )
    if manifest.entry >= len(members["program.bin"]) // (WORD_BYTES * WORDS):
        raise ProgramFileError(f"entry {manifest.entry} is beyond the program; {_CURE}")
    ports = (manifest.input.tensor, manifest.output.tensor)
    for tensor in (*ports, *(layer.result for layer in manifest.layers)):
        if tensor.address % WORD_BYTES or tensor.address + tensor.size > config.activation_bytes:
            raise ProgramFileError(
                f"tensor '{tensor.name}' does not lie in the {config.activation_bytes} bytes of "
                f"the activation memory; {_CURE}"
            )
    for port in (manifest.input, manifest.output):
        if not _steps_fit(port, is_input=port is manifest.input):
            raise ProgramFileError(f"host steps of '{port.name}' do not fit its tensor; {_CURE}")


def _check_external(part: Part, config: NpuConfig, size: int) -> None:
    fits = (part.memory, part.offset, part.size) == (EXTERNAL[1], 0, size)
    if not fits or size % WORD_BYTES:
        raise ProgramFileError(f"{EXTERNAL[0]} does not fit its entry in {_MANIFEST}; {_CURE}")
    if not config.external_port:
        raise ProgramFileError(f"{EXTERNAL[0]}: the NPU has no external port; {_CURE}")


def _steps_fit(port: Port, *, is_input: bool) -> bool:
    """Whether the steps lead from what the user has to the tensor's bytes, or back."""
    outside = np.zeros((1, *port.shape), port.dtype)
    inside = np.zeros((1, port.tensor.size), np.int8)
    given, wanted = (outside, inside) if is_input else (inside, outside)
    scales = any(isinstance(step, Quantise | Dequantise) for step in port.steps)
    if scales != (port.dtype == "float32"):
        return False
    try:
        made = apply_steps(port.steps, given)
    except ValueError:
        return False
    return made.shape == wanted.shape and made.dtype == wanted.dtype
