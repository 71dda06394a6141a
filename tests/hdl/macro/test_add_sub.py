# SPDX-License-Identifier: Apache-2.0
"""Adders that are named as cells of the ECP5: what they compute, exhaustively, in every form."""

import itertools
import subprocess
from typing import Any

import pytest

from cimple.fpga.cell_models import models_for, share_directory
from cimple.fpga.yosys import find_yosys
from cimple.hdl.errors import CimpleError
from cimple.hdl.macro import MacroConfig
from cimple.hdl.macro.add_sub import AddSub
from cimple.hdl.macro.cells.and_adder import AndAdder
from cimple.hdl.macro.config import Target
from cimple.hdl.stamp import ModuleLibrary, to_rtlil
from cimple.verif.bench.simulators import find_simulator

GENERIC = MacroConfig(rows=2, columns=1)
ECP5 = GENERIC.replace(target=Target.ECP5)


def signed(bits):
    return range(-1 << bits - 1, 1 << bits - 1)


@pytest.mark.parametrize("config", [GENERIC, ECP5], ids=lambda config: config.target.value)
@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_sums_and_differences(simulate, config, width):
    dut: Any = AddSub(config, width)
    wrong = []

    async def bench(ctx):
        for a, b, subtract in itertools.product(signed(width), signed(width), (0, 1)):
            for port, value in ((dut.a, a), (dut.b, b), (dut.subtract, subtract)):
                ctx.set(port, value)
            await ctx.delay(1e-9)
            total = a - b if subtract else a + b
            if (ctx.get(dut.o) - total) % (1 << width):
                wrong.append((a, b, subtract))

    simulate(dut, bench)
    assert wrong == []


@pytest.mark.parametrize("width", [1, 2, 3])
def test_two_products(simulate, width):
    dut: Any = AndAdder(width)
    wrong = []

    async def bench(ctx):
        for a, b, x, y in itertools.product(signed(width), signed(width), (0, 1), (0, 1)):
            for port, value in ((dut.a, a), (dut.b, b), (dut.x, x), (dut.y, y)):
                ctx.set(port, value)
            await ctx.delay(1e-9)
            if ctx.get(dut.o) != a * x + b * y:
                wrong.append((a, b, x, y))

    simulate(dut, bench)
    assert wrong == []


# Both halves of the conditional side by side, with every input, against a sum in plain Verilog.
BENCH = """\
module bench;
  reg [{bits}:0] all;
  integer faults;
  wire [{top}:0] a = all[{top}:0];
  wire [{top}:0] b = all[{b_top}:{width}];
  wire x = all[{bits} - 1];
  wire y = all[{bits}];
  wire [{o_top}:0] cells, plain;
  wire signed [{o_top}:0] wanted = {wanted};
  {cells} named(.a(a), .b(b), {ports}, .o(cells));
  {plain} sum(.a(a), .b(b), {ports}, .o(plain));
  initial begin
    faults = 0;
    for (all = 0; all < {{ {bits_and_one} {{1'b1}} }}; all = all + 1) begin
      #1;
      if (cells !== wanted || plain !== wanted) faults = faults + 1;
    end
    #1;
    if (cells !== wanted || plain !== wanted) faults = faults + 1;
    $display("%0d faults", faults);
  end
endmodule
"""


def verilog_of(component, prefix):
    """The Verilog module that the component becomes, and its name."""
    library = ModuleLibrary(prefix)
    to_rtlil(component, "top", library)
    ((name, text),) = library.verilog.items()
    return name, text


def both_halves(tmp_path, component, wanted, ports, width, o_width):
    """What Icarus says of the module with its cells and with its sum; every input is tried."""
    try:
        library = share_directory(find_yosys()) / "ecp5" / "cells_sim.v"
    except CimpleError as error:
        pytest.skip(str(error))
    cells, with_cells = verilog_of(component(), "cells")
    plain, without = verilog_of(component(), "plain")
    assert "CCU2C" in with_cells
    bench = BENCH.format(
        bits=2 * width + 1, bits_and_one=2 * width + 2, top=width - 1, b_top=2 * width - 1,
        width=width, o_top=o_width - 1, wanted=wanted, cells=cells, plain=plain, ports=ports,
    )
    text = "\n".join([
        models_for(with_cells, library), "`define SYNTHESIS", with_cells, "`undef SYNTHESIS",
        without, bench,
    ])
    (tmp_path / "bench.v").write_text(text)
    icarus = find_simulator("icarus")
    run = {"cwd": tmp_path, "capture_output": True, "text": True, "check": True}
    command = [str(icarus.executable), "-g2005", "-s", "bench", "-o", "bench", "bench.v"]
    subprocess.run(command, env=icarus.environment(), **run)
    return subprocess.run(["vvp", "bench"], env=icarus.environment(), **run).stdout.strip()


@pytest.mark.parametrize("width", [1, 2, 3, 4, 5])
def test_carry_cells_of_the_adder_that_subtracts(tmp_path, width):
    said = both_halves(
        tmp_path, lambda: AddSub(ECP5, width), "x ? a - b : a + b", ".subtract(x)", width, width
    )
    assert said == "0 faults"


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_carry_cells_that_multiply_two_rows(tmp_path, width):
    wanted = "(x ? $signed(a) : 0) + (y ? $signed(b) : 0)"
    said = both_halves(
        tmp_path, lambda: AndAdder(width), wanted, ".x(x), .y(y)", width, width + 1
    )
    assert said == "0 faults"


def test_only_the_ecp5_has_them():
    library = ModuleLibrary("plain")
    to_rtlil(AddSub(GENERIC, 4), "top", library)
    assert library.verilog == {}
