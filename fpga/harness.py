# SPDX-License-Identifier: Apache-2.0
"""A top level with three pins around a design whose ports are wider than any package.

Every input comes from a register of its own, filled from one long shift register; every output
goes to a register of its own, folded into one pin by a second shift register with an XOR gate a
bit. So each output bit counts, no path of the harness has more than one LUT, and all paths of the
design start and end in registers: of the design, or next to it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["harness", "harness_name"]

# The registers before the design hold the inverse: else synthesis would find that each holds what
# its neighbour in the shift register holds, and merge the two.
_MODULE = """\
module {top} (input clk, input scan_in, output scan_out);
  reg [{last_input}:0] scan;
  reg [{last_input}:0] given;
  wire [{last_output}:0] result;
  reg [{last_output}:0] captured;
  reg [{last_output}:0] folded;
  always @(posedge clk) begin
    scan <= {{scan, scan_in}};
    given <= ~scan;
    captured <= result;
    folded <= captured ^ {{folded, 1'b0}};
  end
  assign scan_out = folded[{last_output}];
  {name} dut (
{connections}
  );
endmodule
"""


def harness_name(name: str) -> str:
    """The harness's module name for a design of module `name`."""
    return f"{name}_in_harness"


def harness(name: str, ports: Sequence[Mapping[str, Any]]) -> str:
    """Verilog of the harness: module `harness_name(name)` with `clk`, `scan_in` and `scan_out`.

    Parameters
    ----------
    name : str
        Module of the design.
    ports : sequence of mapping
        Its ports as its manifest lists them: `name`, `direction` and `width`. One is `clk`, and
        there is at least one other input and one output.
    """
    inputs = [port for port in ports if port["direction"] == "input" and port["name"] != "clk"]
    outputs = [port for port in ports if port["direction"] == "output"]
    connections = [".clk(clk)", *_slices(inputs, "given"), *_slices(outputs, "result")]
    return _MODULE.format(
        top=harness_name(name),
        name=name,
        last_input=sum(port["width"] for port in inputs) - 1,
        last_output=sum(port["width"] for port in outputs) - 1,
        connections=",\n".join(f"    {connection}" for connection in connections),
    )


def _slices(ports: Sequence[Mapping[str, Any]], vector: str) -> list[str]:
    """Connections of ports to consecutive slices of a vector."""
    connections, low = [], 0
    for port in ports:
        high = low + port["width"] - 1
        connections.append(f".{port['name']}({vector}[{high}:{low}])")
        low = high + 1
    return connections
