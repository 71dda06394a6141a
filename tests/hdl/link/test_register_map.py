# SPDX-License-Identifier: Apache-2.0
"""The register map is sound, and the C header says the same."""

import re
import subprocess
from pathlib import Path

import pytest
from amaranth.hdl import Const

from cimple.hdl.generate.c_header import c_header
from cimple.hdl.link.register_map import ADDRESS_BITS, MAP_VERSION, REGISTERS, STATUS, Register


def test_registers_are_apart_and_in_order():
    offsets = [register.offset for register in REGISTERS]
    assert offsets == [4 * index for index in range(len(REGISTERS))]
    assert offsets[-1] < 1 << ADDRESS_BITS
    assert len({register.name for register in REGISTERS}) == len(REGISTERS)
    assert all(register.readable or register.writable for register in REGISTERS)


@pytest.mark.parametrize("register", REGISTERS, ids=lambda register: register.name)
def test_fields_are_apart_and_in_order(register: Register):
    above = 0
    for field in register.fields:
        assert field.low >= above
        above = field.low + field.bits
        assert above <= 32
        assert field.mask == sum(1 << bit for bit in range(field.low, above))


def test_a_word_is_put_together_and_taken_apart():
    values = {"RESPONSE_AVAILABLE": 1, "RESPONSE_LAST": 0, "COMMAND_SPACE": 5, "RESPONSE_LEVEL": 9}
    word = STATUS.assemble({name: Const(value) for name, value in values.items()})
    assert len(word) == 32
    bits = Const.cast(word).value
    assert bits == 1 | 5 << 8 | 9 << 20
    assert {field.name: field.extract(bits) for field in STATUS.fields} == values


def test_a_value_too_wide_for_its_field_is_noticed():
    with pytest.raises(AssertionError, match="RESPONSE_LAST of STATUS"):
        STATUS.assemble({"RESPONSE_AVAILABLE": 1, "RESPONSE_LAST": 2})


def expected() -> dict[str, int]:
    """Every macro of the header, from the map."""
    macros = {"CIMPLE_MAP_VERSION": MAP_VERSION}
    for register in REGISTERS:
        name = f"CIMPLE_{register.name}"
        macros[name] = register.offset
        for field in register.fields:
            macros[f"{name}_{field.name}_MASK"] = field.mask
            macros[f"{name}_{field.name}_SHIFT"] = field.low
    return macros


@pytest.mark.parametrize("language", ["c", "c++"])
def test_compilers_read_the_header_as_the_map_says(language, tmp_path: Path):
    macros = expected()
    assert set(re.findall(r"#define (\w+) \S", c_header())) == set(macros)
    (tmp_path / "map.h").write_text(c_header())
    lines = "\n".join(f'  printf("%lu\\n", (unsigned long) {name});' for name in macros)
    program = (
        '#include "map.h"\n#include "map.h"\n#include <stdio.h>\n'
        f"int main(void) {{\n{lines}\n  return 0;\n}}\n"
    )
    (tmp_path / "main").write_text(program)
    standard = {"c": "-std=c90", "c++": "-std=c++98"}[language]
    flags = ["-Wall", "-Wextra", "-Werror", "-pedantic", standard, "-x", language]
    command = ["g++" if language == "c++" else "gcc", *flags, "main", "-o", "program"]
    subprocess.run(command, cwd=tmp_path, check=True)
    end = subprocess.run(
        [tmp_path / "program"], check=True, capture_output=True, text=True
    )
    assert list(map(int, end.stdout.split())) == list(macros.values())
