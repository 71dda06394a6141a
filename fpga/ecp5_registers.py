# SPDX-License-Identifier: Apache-2.0
"""Moves registers of netlists for the ECP5 into the blocks at whose ports they are.

DSP blocks have registers at their inputs and outputs, block RAMs at their outputs. Yosys leaves all
of them unused, and nextpnr places the flip-flops that follow wherever there is room: each one costs
a way across the die.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from .bit_readers import count_readers

__all__ = ["absorb_registers"]

#: Parameters of a DSP block's register; the clock, its enable and its reset are number 0.
_DSP_REGISTER = {"CLK": "CLK0", "CE": "CE0", "RST": "RST0"}


def absorb_registers(netlist: dict[str, Any]) -> int:
    """Replace flip-flops by the registers of DSP blocks and block RAMs.

    A group of them goes where all bits of a port do: each of its flip-flops has the block's clock,
    neither enable nor reset, and no other source, or no other reader.

    Parameters
    ----------
    netlist : dict
        What Yosys's `write_json` wrote; changed in place.

    Returns
    -------
    int
        Flip-flops that are gone.
    """
    return sum(_Module(module).absorb() for module in netlist["modules"].values())


class _Module:
    """A module of a netlist, with the readers and flip-flops of its bits."""

    def __init__(self, module: dict[str, Any]) -> None:
        self.cells = module["cells"]
        self.readers = count_readers(module)
        #: Plain flip-flops by the bit that they take, and by the bit that they drive.
        self.taking: dict[int | str, str] = {}
        self.driving: dict[int | str, str] = {}
        for name, cell in self.cells.items():
            if _is_plain(cell):
                self.taking[cell["connections"]["DI"][0]] = name
                self.driving[cell["connections"]["Q"][0]] = name

    def absorb(self) -> int:
        """All groups that can go; how many flip-flops."""
        before = len(self.cells)
        blocks = {kind: self._cells_of(kind) for kind in ("DP16KD", "MULT18X18D")}
        for cell in blocks["DP16KD"]:
            self._absorb_read_data(cell)
        for cell in blocks["MULT18X18D"]:
            self._absorb_product(cell)
        self._absorb_operands(blocks["MULT18X18D"])
        return before - len(self.cells)

    def _cells_of(self, kind: str) -> list[dict[str, Any]]:
        return [cell for cell in self.cells.values() if cell["type"] == kind]

    def _absorb_read_data(self, cell: dict[str, Any]) -> None:
        """The output registers of a block RAM: of each port, or of both where they are one."""
        width = int(cell["parameters"]["DATA_WIDTH_B"], 2)
        for ports in ["AB"] if width == 36 else ["A", "B"]:
            outputs = [f"DO{port}{bit}" for port in ports for bit in range(18)]
            if self._absorb_outputs(cell, outputs, f"CLK{ports[-1]}"):
                for port in ports:
                    cell["parameters"][f"REGMODE_{port}"] = "OUTREG"

    def _absorb_product(self, cell: dict[str, Any]) -> None:
        """The output registers of a DSP block."""
        clock = self._absorb_outputs(cell, [f"P{bit}" for bit in range(36)])
        if clock is not None:
            _clock_dsp(cell, clock, ["OUTPUT"])

    def _absorb_outputs(
        self, cell: dict[str, Any], outputs: Iterable[str], clock_port: str | None = None
    ) -> int | None:
        """Let a cell drive what the flip-flops behind its outputs drove; their clock, if it can."""
        ports = cell["connections"]
        used = [port for port in outputs if self.readers[ports.get(port, ["x"])[0]]]
        followers = [self.taking.get(ports[port][0]) for port in used]
        if not followers or None in followers or any(self.readers[ports[p][0]] > 1 for p in used):
            return None
        clocks = {self.cells[name]["connections"]["CLK"][0] for name in followers}
        if clock_port:
            clocks.update(ports[clock_port])
        if len(clocks) > 1:
            return None
        for port, name in zip(used, followers, strict=True):
            register = self.cells.pop(name)["connections"]
            del self.taking[ports[port][0]], self.driving[register["Q"][0]]
            ports[port] = register["Q"]
        return clocks.pop()

    def _absorb_operands(self, cells: list[dict[str, Any]]) -> None:
        """The input registers of DSP blocks, of both operands.

        A flip-flop may stand before several blocks, and goes only if all of them have it.
        """
        able = [(cell, self._operand_registers(cell)) for cell in cells]
        able = [(cell, names) for cell, names in able if names]
        while True:
            taken = Counter(name for _, names in able for name in names)
            shared = {
                name for name, count in taken.items()
                if self.readers[self.cells[name]["connections"]["Q"][0]] > count
            }  # fmt: skip
            left = [(cell, names) for cell, names in able if shared.isdisjoint(names)]
            if len(left) == len(able):
                break
            able = left
        for cell, names in able:
            ports = cell["connections"]
            for port in _OPERANDS:
                name = self.driving.get(ports[port][0])
                if name is not None:
                    ports[port] = self.cells[name]["connections"]["DI"]
            _clock_dsp(cell, self.cells[names[0]]["connections"]["CLK"][0], ["INPUTA", "INPUTB"])
        for name in taken:
            del self.cells[name]

    def _operand_registers(self, cell: dict[str, Any]) -> list[str]:
        """The flip-flops before a DSP block, one for each bit; none if other things are."""
        bits = [cell["connections"][port][0] for port in _OPERANDS]
        bits = [bit for bit in bits if bit != "0"]
        names = [self.driving[bit] for bit in bits if bit in self.driving]
        clocks = {self.cells[name]["connections"]["CLK"][0] for name in names}
        clocks.update(cell["connections"].get("CLK0", []))
        return names if len(names) == len(bits) and len(clocks) == 1 else []


_OPERANDS = [f"{operand}{bit}" for operand in "AB" for bit in range(18)]


def _is_plain(cell: Mapping[str, Any]) -> bool:
    """A flip-flop on the rising edge, with no enable and no reset, that begins as 0."""
    if cell["type"] != "TRELLIS_FF":
        return False
    parameters, ports = cell["parameters"], cell["connections"]
    return (
        parameters["CEMUX"].strip() == "1"
        and parameters["CLKMUX"] == "CLK"
        and parameters["REGSET"] == "RESET"
        and ports["LSR"] == ["0"]
    )


def _clock_dsp(cell: dict[str, Any], clock: int | None, registers: Iterable[str]) -> None:
    """Turn registers of a DSP block on."""
    for port, bit in (("CLK0", clock), ("CE0", "1"), ("RST0", "0")):
        cell["connections"][port] = [bit]
        cell["port_directions"][port] = "input"
    for register in registers:
        for of, number in _DSP_REGISTER.items():
            cell["parameters"][f"REG_{register}_{of}"] = number
