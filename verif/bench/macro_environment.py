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
from .macro_coverage import events_of_read, events_of_vector, events_of_write
from .macro_stimulus import MacroStimulus
from .stream import Transfer
from .testbench import Testbench

__all__ = ["COVERAGE", "MacroEnvironment"]

#: What the cases of this simulation have made happen.
COVERAGE = Coverage()

#: The model as the last case left it, if it ended well: the macro still holds the same weights.
_left: list[MacroModel] = []


class MacroEnvironment:
    """Testbench, model, stimuli and scoreboards of one macro.

    Attributes
    ----------
    log : dict
        All transfers of each stream since the start of the case.
    """

    def __init__(self, dut: Any) -> None:
        self.config = config = bench_config(MacroConfig)
        self.stimulus = MacroStimulus(config, cocotb.RANDOM_SEED)
        self.model = MacroModel(config)
        self.outputs = InOrderScoreboard("o")
        self.rows_read = InOrderScoreboard("read_data")
        longest = config.write_cycles + config.vector_latency(1 << config.plane_bits)
        self.tb = tb = Testbench(dut, patience=500 + 4 * longest)
        # Writes come first: their effect is that of the transfer, and none may share a cycle with
        # a transfer that uses the same bank.
        self.w = tb.add_source("w", config.write_layout, self._on_write)
        self.i = tb.add_source("i", config.input_layout, self._on_vector)
        self.read_request = tb.add_source(
            "read_request", config.read_request_layout, self._on_read
        )
        self.o = tb.add_sink("o", config.output_layout, self._on_output)
        self.read_data = tb.add_sink("read_data", config.read_data_layout, self._on_read_data)
        self.log: dict[str, list[Transfer]] = {name: [] for name in tb.monitors}

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
            environment.w.put(*environment.stimulus.all_weights())
            await environment.drain()
        return environment

    @property
    def effort(self) -> float:
        """Share of the usual number of stimuli: large macros simulate slowly."""
        return min(1.0, max(0.1, 4096 / self.config.binary_operations))

    def scaled(self, count: int) -> int:
        """That many stimuli, fewer for a large macro."""
        return max(8, round(count * self.effort))

    async def drain(self) -> None:
        """Wait until all that is queued was taken and all that is expected has come."""
        sources = self.tb.sources.values()
        boards = (self.outputs, self.rows_read)
        await self.tb.until(
            lambda: all(source.idle for source in sources) and not any(b.pending for b in boards),
            "all queued payloads to be taken and answered",
        )

    async def finish(self, *, outputs: int = 1, rows: int = 0) -> None:
        """End the case: all is answered, nothing comes too much, and enough was checked."""
        await self.drain()
        self.tb.set_stalls("none")
        await self.tb.step(2 * self.config.vector_latency(self.config.input_bits))
        self.outputs.finish(at_least=outputs)
        self.rows_read.finish(at_least=rows)
        for name, monitor in self.tb.monitors.items():
            COVERAGE.hit(*[f"wait: {name}"] if monitor.waited else [])
        _left[:] = [self.model]

    async def reset(self, cycles: int) -> None:
        """Reset in traffic.

        Each source is at random part of the reset, or keeps its offer through it. A row group that
        is on offer may be written in part, or whole, during the reset: it is undefined until its
        transfer, so `w` makes the offer anew if it does not keep it, and no other source keeps one.
        """
        begun = self.w.queued[:1] if self.w.offers else []
        # A vector may continue a sum that the reset drops, where sums have several vectors.
        others = ("read_request",) if self.config.accumulations > 1 else ("read_request", "i")
        kept = {name for name in (("w",) if begun else others) if self.stimulus.chance(0.5)}
        await self.tb.reset(cycles, kept=kept)
        self.model.reset()
        self.outputs.clear()
        self.rows_read.clear()
        if "w" not in kept:
            self.w.put(*begun)
        await self.drain()

    def _on_write(self, transfer: Transfer) -> None:
        self.log["w"].append(transfer)
        self.model.write(**transfer.value)
        COVERAGE.hit(*events_of_write(self.config, transfer.value))

    def _on_vector(self, transfer: Transfer) -> None:
        self.log["i"].append(transfer)
        self._require_no_write(transfer)
        COVERAGE.hit(*events_of_vector(self.config, transfer.value))
        output = self.model.vector(**transfer.value)
        if output is not None:
            self.outputs.expect(output.tolist())

    def _on_read(self, transfer: Transfer) -> None:
        self.log["read_request"].append(transfer)
        self._require_no_write(transfer)
        COVERAGE.hit(*events_of_read(self.config, transfer.value))
        self.rows_read.expect(self.model.read(**transfer.value).tolist())

    def _on_output(self, transfer: Transfer) -> None:
        self.log["o"].append(transfer)
        self.outputs.observe(transfer.value)

    def _on_read_data(self, transfer: Transfer) -> None:
        self.log["read_data"].append(transfer)
        self.rows_read.observe(transfer.value)

    def _require_no_write(self, user: Transfer) -> None:
        """The order of transfers decides what a vector meets, so there must be one."""
        if not self.log["w"] or self.log["w"][-1].cycle != user.cycle:
            return
        same = self.config.banks == 1 or self.log["w"][-1].value["bank"] == user.value["bank"]
        require(not same, f"bank {user.value['bank']} was written and used in the same cycle")
