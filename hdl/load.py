# SPDX-License-Identifier: Apache-2.0
"""Configurations by file or by preset name.

A file holds one mapping under the name of its kind:

    macro:
      name: edge_64x16
      rows: 64
      columns: 16
"""

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .config import Config
from .config_messages import show
from .errors import ConfigError
from .kinds import KINDS
from .yaml_text import read_yaml

__all__ = ["load_config", "make_config", "preset_files"]

# The presets lie beside this package, in the source tree and in an installation alike.
_PRESETS = Path(__file__).resolve().parent.parent / "ip"


def preset_files() -> dict[str, Path]:
    """The file of every preset by its name, macros first, in alphabetical order."""
    return {file.stem: file for kind in KINDS for file in sorted((_PRESETS / kind).glob("*.yaml"))}


def load_config(source: str | Path, changes: Mapping[str, Any] | None = None) -> Config:
    """The configuration in a YAML file, or that of a preset.

    Parameters
    ----------
    source : str or Path
        A preset's name, or else a path.
    changes : mapping, optional
        Fields that replace those of the file; `macro.rows` is a field of the nested `macro`.

    Raises
    ------
    ConfigError
        There is no such file or preset, or it holds no configuration.
    """
    path = _find(source)
    document = read_yaml(path)
    keys = list(document) if isinstance(document, Mapping) else []
    if len(keys) != 1 or keys[0] not in KINDS:
        expected = " or ".join(f"'{kind}:'" for kind in KINDS)
        held = ", ".join(repr(str(key)) for key in keys[:6]) or show(document)
        raise ConfigError(
            f"{path}: must hold {expected} and nothing else at the top, with the fields indented "
            f"below it, not {held}"
        )
    kind = KINDS[keys[0]]
    place = f"{path}: {kind.name}" + (f" with {', '.join(changes)} changed" if changes else "")
    fields = _changed(document[kind.name], changes or {})
    return kind.config_class().from_mapping(fields, source=place)


def make_config(kind: str, fields: Mapping[str, Any]) -> Config:
    """The configuration of a kind from fields given one by one, with dots as in `load_config`.

    Raises
    ------
    ConfigError
        There is no such kind, or a field is missing or wrong.
    """
    if kind not in KINDS:
        raise ConfigError(f"kind must be one of {', '.join(KINDS)}, not {kind!r}")
    return KINDS[kind].config_class().from_mapping(_changed({}, fields), source=kind)


def _changed(fields: Any, changes: Mapping[str, Any]) -> Any:
    """`fields` with some replaced; what is no mapping is left for the configuration to refuse."""
    if not isinstance(fields, Mapping):
        return fields
    result = dict(fields)
    for place, value in changes.items():
        name, _, rest = place.partition(".")
        result[name] = _changed(result.get(name, {}), {rest: value}) if rest else value
    return result


def _find(source: str | Path) -> Path:
    """The file that `source` means."""
    presets = preset_files()
    path = Path(source)
    if str(source) in presets:
        return presets[str(source)]
    if path.suffix in (".yaml", ".yml") or path.name != str(source) or path.exists():
        return path
    near = difflib.get_close_matches(path.name, presets, n=3)
    hint = f"did you mean {' or '.join(near)}?" if near else f"presets are: {', '.join(presets)}"
    raise ConfigError(f"{source}: no such file or preset; {hint}")
