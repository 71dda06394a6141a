# SPDX-License-Identifier: Apache-2.0
"""A macro under test joined to its model: every transfer on an input updates the model, every
transfer on an output is compared with what the model said.
"""

from typing import Any

import cocotb

from ...hdl.macro.config import MacroConfig
from ..golden.macro import MacroModel
from .case import bench_config
from .check import InOrderScoreboard, require
from .coverage import Coverage
from .macro_coverage import (
    events_of_read,
    events_of_reset,
    events_of_skipping,
    events_of_vector,
    events_of_write,
)
from .macro_groups import RowGroups
from .macro_stimulus import MacroStimulus
from .stream import Transfer
from .testbench import Testbench

__all__ = ["COVERAGE", "MacroEnvironment"]

Payload = dict[str, Any]

#: What the cases of this simulation have made happen.
COVERAGE = Coverage()

#: The model as the last case left it, if it ended well: the macro still holds the same weights.
_left: list[MacroModel] = []


class MacroEnvironment:
    """Testbench, model, stimuli and scoreboards of one macro.

    Attributes
    ----------
    w : RowGroups or None
        None where weights cannot be written.
    log : dict
        All transfers of each stream since the start of the case; those of `w` are whole row groups.
    """

    def __init__(self, dut: Any) -> None:
        self.config = config = bench_config(MacroConfig)
        self.stimulus = MacroStimulus(config, cocotb.RANDOM_SEED)
        self.model = MacroModel(config)
        self.outputs = InOrderScoreboard("o")
        self.rows_read = InOrderScoreboard("read_data")
        longest = config.write_interval + config.fill_cycles
        longest += config.vector_latency(1 << config.plane_bits)
        self.tb = tb = Testbench(dut, patience=500 + 4 * longest)
        # Writes come first: their effect is that of the transfer, and none may share a cycle with
        # a transfer that uses the same bank.
        self.w = RowGroups(tb, config, self._on_write) if config.is_writable else None
        self.i = tb.add_source("i", config.input_layout, self._on_vector)
        self.read_request = tb.add_source(
            "read_request", config.read_request_layout, self._on_read
        )
        self.o = tb.add_sink("o", config.output_layout, self._on_output)
        self.read_data = tb.add_sink("read_data", config.read_data_layout, self._on_read_data)
        self.log: dict[str, list[Transfer]] = {name: [] for name in ("w", *tb.monitors)}
        self._written: dict[int, int] = {}
        self._skipped = dut.skipped if config.skip_zero_planes else None

    @classmethod
    async def start(cls, dut: Any) -> "MacroEnvironment":
        """An environment after a reset, with all weights known."""
        environment = cls(dut)
        await environment.tb.reset(2)
        if _left:
            # Weights survive a reset, so those of the case before are still there.
            environment.model = _left.pop()
            environment.model.reset()
        else:
            environment.write(*environment.stimulus.all_weights())
            await environment.settle()
        return environment

    @property
    def effort(self) -> float:
        """Share of the usual number of stimuli: large macros simulate slowly."""
        return min(1.0, max(0.15, 256 / self.config.binary_operations))

    def scaled(self, count: int) -> int:
        """That many stimuli, fewer for a large macro."""
        return max(8, round(count * self.effort))

    @property
    def writes_slowly(self) -> bool:
        """Whether a table takes so long to fill that fewer of them have to do."""
        return self.config.fill_cycles > 64

    def steps(self, vector: Payload) -> int:
        """Cycles in which a vector meets the weights."""
        top_plane = vector["top_plane"]
        return self.config.steps(top_plane + 1) - self.model.zero_steps(vector["data"], top_plane)

    def begin_of(self, vector: Transfer) -> int:
        """The cycle in which a vector began, if it was not held up; it began no later in any case.
        """
        return vector.cycle - self.steps(vector.value) + 1

    def write(self, *groups: Payload) -> None:
        """Queue row groups; none where weights cannot be written."""
        if self.w is not None:
            self.w.put(*groups)

    async def drain(self) -> None:
        """Wait until all that is queued was taken and all that is expected has come."""
        sources = self.tb.sources.values()
        boards = (self.outputs, self.rows_read)
        await self.tb.until(
            lambda: all(source.idle for source in sources) and not any(b.pending for b in boards),
            "all queued payloads to be taken and answered",
        )
        if self._skipped is not None:
            counted, expected = int(self._skipped.value), self.model.skipped & 0xFFFF_FFFF
            require(counted == expected, f"{counted} steps were skipped, not {expected}")

    async def settle(self) -> None:
        """As `drain`, and wait until every table is filled."""
        await self.drain()
        await self.tb.step(self.config.fill_cycles)

    async def finish(self, *, outputs: int = 1, rows: int = 0) -> None:
        """End the case: all is answered, nothing comes too much, and enough was checked."""
        await self.settle()
        self.tb.set_stalls("none")
        await self.tb.step(2 * self.config.vector_latency(self.config.input_bits))
        self.outputs.finish(at_least=outputs)
        self.rows_read.finish(at_least=rows)
        for name, monitor in self.tb.monitors.items():
            COVERAGE.hit(*[f"wait: {name}"] if monitor.waited else [])
        _left[:] = [self.model]

    async def reset(self, cycles: int) -> None:
        """Reset in traffic, and write again what that has made undefined.

        Each source is at random part of the reset, or keeps its offer through it. A row on offer
        may be written, in part or whole, during the reset: its group is undefined until it has been
        written from its first row on. So no other source keeps an offer then, nor where a table was
        being filled.
        """
        now, w = self.tb.cycle, self.w
        lost = w.lost(now) if w else []
        COVERAGE.hit(*events_of_reset(bool(w and w.is_begun), bool(w and w.filling(now))))
        # A vector may continue a sum that the reset drops, where sums have several vectors.
        free = ("read_request",) if self.config.accumulations > 1 else ("read_request", "i")
        if w and w.source.offers:
            free = ("w",)
        elif w and w.filling(now):
            free = ()
        kept = {name for name in free if self.stimulus.chance(0.5)}
        await self.tb.reset(cycles, kept=kept)
        self.model.reset()
        self.outputs.clear()
        self.rows_read.clear()
        self._written.clear()
        if w:
            w.restart(lost)
        await self.tb.step()
        await self.drain()

    def _on_write(self, transfer: Transfer) -> None:
        self.log["w"].append(transfer)
        self.model.write(**transfer.value)
        self._written[self._bank(transfer)] = transfer.cycle
        COVERAGE.hit(*events_of_write(self.config, transfer.value))

    def _on_vector(self, transfer: Transfer) -> None:
        self.log["i"].append(transfer)
        self._require_settled(transfer, self.begin_of(transfer))
        COVERAGE.hit(*events_of_vector(self.config, transfer.value))
        COVERAGE.hit(*events_of_skipping(self.config, transfer.value, self.steps(transfer.value)))
        output = self.model.vector(**transfer.value)
        if output is not None:
            self.outputs.expect(output.tolist())

    def _on_read(self, transfer: Transfer) -> None:
        self.log["read_request"].append(transfer)
        self._require_settled(transfer, transfer.cycle)
        COVERAGE.hit(*events_of_read(self.config, transfer.value))
        self.rows_read.expect(self.model.read(**transfer.value).tolist())

    def _on_output(self, transfer: Transfer) -> None:
        self.log["o"].append(transfer)
        self.outputs.observe(transfer.value)

    def _on_read_data(self, transfer: Transfer) -> None:
        self.log["read_data"].append(transfer)
        self.rows_read.observe(transfer.value)

    def _bank(self, transfer: Transfer) -> int:
        return transfer.value["bank"] if self.config.banks > 1 else 0

    def _require_settled(self, user: Transfer, begin: int) -> None:
        """The order of transfers decides what a vector meets, so none begins before a write of its
        bank has come to its end.
        """
        written = self._written.get(self._bank(user))
        if written is not None:
            waited = begin - written
            require(
                waited > self.config.fill_cycles,
                f"bank {self._bank(user)} was in use {waited} cycles after it was written, and "
                f"that takes {self.config.fill_cycles}",
            )
