# SPDX-License-Identifier: Apache-2.0
"""Mutants of a design: copies with one small change each, made by Yosys's `mutate`.

A mutant inverts one bit of one cell's port, always or depending on another bit of the port, or ties
it to a constant. A bench that is worth something fails on every mutant but those that are the same
circuit.
"""

import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .yosys import Yosys

__all__ = ["MutationBase", "Mutation", "block_of"]

#: Word-level cells, the hierarchy kept; registers with their enables and resets.
_PREPARE = "hierarchy -top {top}; proc; opt; wreduce; opt_clean; attrmap -remove src"

_OPTION = re.compile(r"-(\w+) (\S+)")


@dataclass(frozen=True)
class Mutation:
    """One change."""

    block: str
    """Which block of the design it is in; see `block_of`."""
    options: str
    """Options of Yosys's `mutate`, which describe it fully."""

    @property
    def label(self) -> str:
        """What is changed, for people: module, cell, port and bit."""
        found = dict(_OPTION.findall(self.options))
        wire = f", {found['wire']}[{found.get('wirebit', 0)}]" if "wire" in found else ""
        place = f"{found['module']} {found['cell']}.{found['port']}[{found['portbit']}]"
        control = f" by bit {found['ctrlbit']}" if "ctrlbit" in found else ""
        return f"{found['mode']}{control} {place}{wire}"


def block_of(module: str, top: str) -> str:
    """The block that a module of a design is an instance of: `tree` for `top_columns4_tree2_0`."""
    if module == top:
        return "top level"
    return re.sub(r"[\d_]+$", "", module.removeprefix(f"{top}_")).split("_")[-1]


class MutationBase:
    """A design in the form that is mutated.

    Parameters
    ----------
    verilog : str
    top : str
        Its top-level module.
    yosys : Yosys

    Raises
    ------
    CimpleError
        Yosys does not read the design.
    """

    def __init__(self, verilog: str, top: str, yosys: Yosys) -> None:
        self.top = top
        self.yosys = yosys
        self.blocks: dict[str, list[str]] = {}
        for module in re.findall(r"^module (\w+)", verilog, re.MULTILINE):
            self.blocks.setdefault(block_of(module, top), []).append(module)
        prepare = _PREPARE.format(top=top)
        script = f"read_verilog design.v; {prepare}; write_rtlil base.il"
        self.rtlil = self.run(script, {"design.v": verilog}, ["base.il"])[0]

    def draw(self, count: int, seed: int) -> list[Mutation]:
        """About `count` mutations, equally many of each block, sampled by Yosys."""
        each = -(-count // len(self.blocks))
        lists = {block: f"list{index}.txt" for index, block in enumerate(self.blocks)}
        commands = [
            f"mutate -list {each} -seed {seed} -o {name} {_selection(self.blocks[block])}"
            for block, name in lists.items()
        ]
        # What memories hold at first is no circuit: it has to stay constant.
        script = "\n".join(["read_rtlil base.il", "select -set fixed t:$meminit*", *commands])
        texts = self.run(script, {"base.il": self.rtlil}, list(lists.values()))
        return [
            Mutation(block, line.removeprefix("mutate "))
            for block, text in zip(lists, texts, strict=True)
            for line in text.splitlines()
        ]

    def verilog(self, mutations: Sequence[Mutation | None]) -> list[str]:
        """The mutants as Verilog; None is the control, a mutant without a change."""
        commands = ["read_rtlil base.il", "design -save base"]
        names = [f"mutant{index}.v" for index in range(len(mutations))]
        for mutation, name in zip(mutations, names, strict=True):
            change = [f"mutate {mutation.options}"] if mutation else []
            commands += ["design -load base", *change, f"write_verilog -noattr {name}"]
        return self.run("\n".join(commands), {"base.il": self.rtlil}, names)

    def run(
        self,
        script: str,
        files: dict[str, str],
        results: list[str],
        timeout: float | None = None,
    ) -> list[str]:
        """Run a script beside some files, and read what it has written; see `Yosys.run`."""
        with tempfile.TemporaryDirectory(prefix="cimple-") as scratch:
            work = Path(scratch)
            for name, text in (files | {"script.ys": script}).items():
                (work / name).write_text(text, encoding="utf-8")
            self.yosys.run("script script.ys", work, timeout)
            return [(work / name).read_text(encoding="utf-8") for name in results]


def _selection(modules: Sequence[str]) -> str:
    return " ".join(f"{module} @fixed %d" for module in modules)
