# SPDX-License-Identifier: Apache-2.0
"""An NPU with its external memory: runs that fetch weights, and how long they take."""

from itertools import accumulate
from typing import Any

from ...hdl.npu.config import WORD_BYTES
from ...hdl.npu.isa import Descriptor, Opcode
from ...hdl.npu.packets import BUSY, COUNTERS, Memory, Request
from ..timing.external_memory import Recorded
from ..timing.npu import predict
from .check import require
from .external_memory import EXTERNAL_BYTES
from .npu_coverage import events_of_program
from .npu_environment import COVERAGE, NpuEnvironment
from .npu_stimulus import Packet
from .programs import RandomProgram
from .stream import Transfer

__all__ = ["ExternalEnvironment"]


class ExternalEnvironment(NpuEnvironment):
    """Runs programs that fetch, and compares their cycles with the model's.

    How long such a run takes is known once it is over: the cycle model is told what the memory was
    seen to do, and then every counter and time stamp must be as it says.

    Attributes
    ----------
    latest : list of int
        The words of the last answer.
    """

    def __init__(self, dut: Any) -> None:
        super().__init__(dut)
        self.latest: list[int] = []
        self._came: list[int] = []

    def fetching_program(self) -> RandomProgram:
        """A random program whose weights come from external memory, some of them."""
        return self.stimulus.program(max(32, round(150 * self.effort)), EXTERNAL_BYTES)

    async def run(self, descriptors: list[Descriptor], cycles: int) -> None:
        """Run a program alone, and compare its cycles; it surely takes no more than so many."""
        COVERAGE.hit(*events_of_program(descriptors, self.config))
        self.allow(cycles)
        packets, run = self.stimulus.run(descriptors)
        self.send(*packets)
        await self.drain()
        self.memory.forget()
        self.send(run)
        await self.drain()
        recorded = Recorded(list(self.memory.waits), list(self.memory.gaps))
        times = predict(self.config, descriptors, self.model.planes, recorded)
        took = self.latest[1]
        require(took == times.cycles, f"the run took {took} cycles, predicted {times.cycles}")
        self.send(self.stimulus.simple(Request.COUNTERS))
        await self.drain()
        counters, stamps = self.latest[1 : 1 + COUNTERS], self.latest[1 + COUNTERS :]
        for queue, counter in BUSY.items():
            found, busy = counters[counter], times.busy[queue]
            require(found == busy, f"{counter.name} is {found}, predicted {busy}")
        for index, cycle in times.stamps.items():
            require(stamps[index] == cycle, f"stamp {index} is {stamps[index]}, not {cycle}")

    def fetch(self, most: int, least: int = 1) -> Descriptor:
        """A FETCH of so many beats, or as many as there are, from anywhere to anywhere."""
        port, below = self.config.external_port, self.stimulus.below
        most = min(most, self.config.weight_bytes // port, EXTERNAL_BYTES // port)
        least = min(least, most)
        beats = least + below(most - least + 1)
        return Descriptor(Opcode.FETCH, {
            "bytes": port * beats,
            "source": port * below(EXTERNAL_BYTES // port - beats + 1),
            "address": port * below(self.config.weight_bytes // port - beats + 1),
        })

    async def prepare(self, *programs: list[Descriptor]) -> list[Packet]:
        """Write programs; the RUNs that start them."""
        for program in programs:
            COVERAGE.hit(*events_of_program(program, self.config))
        packets, run = self.stimulus.run([each for program in programs for each in program])
        self.send(*packets)
        await self.drain()
        starts = accumulate((len(program) for program in programs[:-1]), initial=run[1])
        return [self.stimulus.simple(Request.RUN, start) for start in starts]

    def read_fetched(self, *fetches: Descriptor) -> None:
        """Read what these have brought."""
        for fetch in fetches:
            words = fetch["bytes"] // WORD_BYTES
            self.send(*self.stimulus.reads(Memory.WEIGHTS, fetch["address"], words))

    def refresh(self) -> None:
        """As for every NPU, but what kernels are loaded from may be unknown too."""
        size = min(self.config.weight_bytes, EXTERNAL_BYTES)
        self.allow(100 * size)
        fetch = Descriptor(Opcode.FETCH, {"bytes": size})
        self.send_descriptors([fetch, Descriptor(Opcode.END, {})])
        super().refresh()

    def send_refused(self, run: Packet, descriptors: list[Descriptor]) -> None:
        """Queue a RUN of which the memory refuses a read: of the last of these FETCHes.

        They are carried out one after the other, beat after beat.
        """
        port = self.config.external_port
        beats = [
            address for fetch in descriptors
            for address in range(fetch["source"], fetch["source"] + fetch["bytes"], port)
        ]
        chosen = descriptors[-1]
        beat = chosen["source"] + port * self.stimulus.below(chosen["bytes"] // port)
        refused = range(beat, beat + port * (1 + self.stimulus.below(3)))
        first = next(address for address in beats if address in refused)
        self.memory.refuse(refused)
        self._send(run, self.model.refuse(run, first))

    def _on_response(self, transfer: Transfer) -> None:
        self._came.append(transfer.value["data"])
        if transfer.value["last"]:
            self.latest, self._came = self._came, []
        super()._on_response(transfer)
