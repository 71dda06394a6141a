# SPDX-License-Identifier: Apache-2.0
"""Amaranth's own simulator, for blocks that are small; Icarus, for Verilog that names cells."""

import subprocess
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from amaranth.sim import Simulator

from cimple.fpga.cell_models import models_for, share_directory
from cimple.fpga.netlist import NETLISTS
from cimple.fpga.yosys import find_yosys
from cimple.hdl.errors import CimpleError
from cimple.hdl.stamp import ModuleLibrary, to_rtlil
from cimple.verif.bench.simulators import find_simulator


@pytest.fixture
def simulate():
    """Run an async bench ``bench(ctx)`` on a component; it must reach its end.

    The component has one clock, or none where it is combinational.
    """

    def run(component, bench):
        ended = []

        async def testbench(ctx):
            await bench(ctx)
            ended.append(True)

        simulator = Simulator(component)
        simulator.add_clock(1e-6, if_exists=True)
        simulator.add_testbench(testbench)
        simulator.run()
        assert ended, "the bench was left waiting"

    return run


# Both halves of a module's conditional side by side, with every input.
BENCH = """\
module bench;
  reg [{bits}:0] all;
  integer faults;
{wires}
  wire [{top}:0] cells, plain;
  wire [{top}:0] wanted = {wanted};
  {cells} with_cells({ports}, .o(cells));
  {plain} with_none({ports}, .o(plain));
  initial begin
    faults = 0;
    for (all = 0; !all[{bits}]; all = all + 1) begin
      #1;
      if (cells !== wanted || plain !== wanted) faults = faults + 1;
    end
    $display("%0d", faults);
  end
endmodule
"""

@pytest.fixture
def icarus_faults(tmp_path):
    """Inputs for which a module's cells, or what it says without them, are not what is wanted.

    Called with what makes the component, the family whose cells it names, the widths of its inputs,
    and what the output `o` must be, as an expression of Verilog in the names of the inputs. The
    models of the cells are those of the installed Yosys.
    """

    def count(make: Callable[[], Any], family: str, inputs: Mapping[str, int], wanted: str) -> int:
        try:
            library = share_directory(find_yosys()) / NETLISTS[family].library
        except CimpleError as error:
            pytest.skip(str(error))
        component = make()
        cells, with_cells = _verilog_of(component, "cells")
        plain, without = _verilog_of(make(), "plain")
        assert any(cell in with_cells for cell in ("CCU2C", "LUT4"))
        wires, low = [], 0
        for name, width in inputs.items():
            wires.append(f"  wire [{width - 1}:0] {name} = all[{low + width - 1}:{low}];")
            low += width
        bench = BENCH.format(
            bits=low, top=len(component.o) - 1, wires="\n".join(wires), wanted=wanted,
            cells=cells, plain=plain, ports=", ".join(f".{name}({name})" for name in inputs),
        )
        defines = [f"`define {macro}" for macro in NETLISTS[family].defines]
        parts = [*defines, models_for(with_cells, library), "`define SYNTHESIS", with_cells,
                 "`undef SYNTHESIS", without, bench]
        (tmp_path / "bench.v").write_text("\n".join(parts))
        icarus = find_simulator("icarus")
        build = [str(icarus.executable), "-g2005", "-s", "bench", "-o", "bench", "bench.v"]
        for command in (build, ["vvp", "bench"]):
            result = subprocess.run(
                command, cwd=tmp_path, env=icarus.environment(), capture_output=True, text=True,
                check=False,
            )
            assert result.returncode == 0, result.stdout + result.stderr
        return int(result.stdout)

    return count


def _verilog_of(component: Any, prefix: str) -> tuple[str, str]:
    """The Verilog module that the component becomes: its name and its text."""
    library = ModuleLibrary(prefix)
    to_rtlil(component, "top", library)
    ((name, text),) = library.verilog.items()
    return name, text
