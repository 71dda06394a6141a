# SPDX-License-Identifier: Apache-2.0
"""Docstrings come out in the manual as they are meant."""

from manual import extension

from cimple.hdl.macro.config import Cell, MacroConfig
from cimple.hdl.macro.macro import Macro
from cimple.hdl.npu.isa import Descriptor

docstrings = extension("docstrings")


def test_indented_code_of_a_module_is_literal() -> None:
    text = ["Files:", "", "    macro:", "      rows: 1", "", "More:", "", "- a", "", "    b"]
    marked = docstrings.literal_blocks(text)
    assert marked == ["Files:", "", "::", "", *text[2:]]


def test_a_block_that_is_marked_stays_as_it_is() -> None:
    text = ["Structure::", "", "    a -> b"]
    assert docstrings.literal_blocks(text) == text


def test_signatures_say_what_a_reader_can_use() -> None:
    assert docstrings.constructor(MacroConfig) == "(**fields)"
    assert docstrings.constructor(Macro) == "(config)"
    assert docstrings.constructor(Cell) == ""
    assert docstrings.constructor(Descriptor) is None
