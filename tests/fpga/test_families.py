# SPDX-License-Identifier: Apache-2.0
"""The table of families, and which of them a configuration belongs to."""

import enum

import pytest

from cimple.fpga.families import FAMILIES, family_of
from cimple.fpga.resources import measure
from cimple.fpga.yosys import find_yosys
from cimple.hdl.errors import CimpleError
from cimple.hdl.load import load_config
from cimple.hdl.macro.config import Cell, MacroConfig


class Target(enum.Enum):
    GENERIC = "generic"
    ICE40 = "ice40"


def with_target(target: Target) -> MacroConfig:
    """A macro of the cells of a family, whatever fields macros have."""
    config = load_config("tiny_4x1").model_copy()
    object.__setattr__(config, "target", target)
    assert isinstance(config, MacroConfig)
    return config


def test_cells_are_counted_in_one_column_each():
    ecp5 = {"LUT4": 3, "CCU2C": 5, "DP16KD": 1, "PDPW16KD": 2, "PFUMX": 9, "TRELLIS_FF": 7}
    assert FAMILIES["ecp5"].count(ecp5) == {
        "LUT4": 3, "CCU2C": 5, "DPR16X4": 0, "FF": 7, "DP16KD": 3, "MULT18X18D": 0,
    }  # fmt: skip
    ice40 = {"SB_DFF": 1, "SB_DFFESR": 2, "SB_CARRY": 8, "SB_RAM40_4KNR": 4, "SB_LUT4": 6}
    assert FAMILIES["ice40"].count(ice40) == {
        "SB_LUT4": 6, "SB_DFF": 3, "SB_RAM40_4K": 4, "SB_SPRAM256KA": 0, "SB_MAC16": 0,
    }  # fmt: skip
    gowin = {"LUT1": 1, "LUT4": 2, "MUX2_LUT5": 9, "DFFCE": 4, "SDPX9B": 5, "SP": 1, "ALU": 3}
    assert FAMILIES["gowin"].count(gowin) == {
        "LUT": 3, "ALU": 3, "RAM16SDP4": 0, "DFF": 4, "BSRAM": 6, "MULT": 0,
    }  # fmt: skip


def test_the_family_follows_the_cells():
    assert family_of(load_config("tiny_4x1")).name == "ecp5"
    assert family_of(load_config("npu_tiny"), "gowin").name == "gowin"
    assert family_of(with_target(Target.GENERIC), "gowin").name == "gowin"
    assert family_of(with_target(Target.ICE40)).name == "ice40"
    with pytest.raises(CimpleError, match="target: ice40 makes a design of cells that ecp5"):
        family_of(with_target(Target.ICE40), "ecp5")


@pytest.mark.xdist_group("yosys")
def test_copies_of_registers_survive_synthesis():
    config = MacroConfig(rows=8, columns=24, weight_bits=1, input_bits=1, cell=Cell.BITCELL)
    shared, copied = (
        measure(config.replace(broadcast_registers=each), find_yosys()).ff
        for each in (0, 1)
    )
    # Eight blocks of a column share an operand.
    assert copied >= shared + 3 * config.rows


@pytest.mark.xdist_group("yosys")
@pytest.mark.parametrize("family", FAMILIES)
def test_the_smallest_macro_is_counted_in_every_family(family):
    config = load_config("tiny_4x1")
    assert isinstance(config, MacroConfig)
    found = measure(config, find_yosys(), family)
    # Tables are in RAM, inputs and sums in flip-flops; so are the rows that wait for a fill, eight
    # words of four bits, where there is no LUT-RAM.
    assert config.output_bits < found.ff < (160 if family == "ice40" else 120)
    assert 50 < found.sites < 300
    tables = {"ecp5": "DPR16X4", "ice40": "SB_RAM40_4K", "gowin": "RAM16SDP4"}
    assert found.cells[tables[family]] == {"ecp5": 3, "ice40": 1, "gowin": 3}[family]
    assert found.dsps == 0
    assert found.binary_operations == 16
