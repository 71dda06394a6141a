# SPDX-License-Identifier: Apache-2.0
"""FuseSoC's description of a generated design (CAPI2)."""

from ..kinds import Kind
from ..version import version
from ..yaml_text import dump_yaml

__all__ = ["core_text"]


def core_text(name: str, kind: Kind) -> str:
    """The `.core` file: the Verilog as a fileset, and a target that lints it."""
    core = {
        "name": f"cimple:{kind.name}:{name}:{version()}",
        "description": f"{name}: {kind.description}",
        "filesets": {
            "rtl": {"files": [f"{name}.v"], "file_type": "verilogSource-2005"},
            "lint": {"files": [f"{name}.vlt"], "file_type": "vlt"},
        },
        "targets": {
            "default": {"filesets": ["rtl"], "toplevel": name},
            "lint": {
                "flow": "lint",
                "flow_options": {"tool": "verilator", "verilator_options": ["-Wall"]},
                "filesets": ["lint", "rtl"],
                "toplevel": name,
            },
        },
    }
    return "CAPI=2:\n" + dump_yaml(core)
