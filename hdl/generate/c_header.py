# SPDX-License-Identifier: Apache-2.0
"""The C header of the registers, for C90 and newer and for C++."""

from collections.abc import Iterator

from ..link.register_map import MAP_VERSION, REGISTERS, Field, Register

__all__ = ["c_header"]

#: What every name begins with.
_PREFIX = "CIMPLE"


def c_header() -> str:
    """Offsets in bytes, and the mask and lowest bit of each field, as macros.

    It is the same for every NPU and every depth of the FIFOs, which software reads in VERSION.
    """
    guard = f"{_PREFIX}_AXI_LITE_H"
    lines = [
        "/* SPDX-License-Identifier: Apache-2.0 */",
        f"/* Registers of a Cimple NPU behind AXI4-Lite, version {MAP_VERSION} of the map. */",
        f"#ifndef {guard}",
        f"#define {guard}",
        "",
        f"#define {_PREFIX}_MAP_VERSION {MAP_VERSION}ul",
    ]
    for register in REGISTERS:
        lines += ["", *_register(register)]
    return "\n".join([*lines, "", f"#endif /* {guard} */", ""])


def _register(register: Register) -> Iterator[str]:
    access = "read" * register.readable, "write" * register.writable
    yield f"/* {', '.join(filter(None, access))}: {register.meaning.replace('`', '')} */"
    yield f"#define {_PREFIX}_{register.name} {register.offset:#04x}ul"
    for field in register.fields:
        yield from _field(f"{_PREFIX}_{register.name}_{field.name}", field)


def _field(name: str, field: Field) -> Iterator[str]:
    yield f"/* {field.meaning.replace('`', '')} */"
    yield f"#define {name}_MASK {field.mask:#010x}ul"
    yield f"#define {name}_SHIFT {field.low}"
