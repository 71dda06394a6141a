# SPDX-License-Identifier: Apache-2.0
"""Outputs of the macro: the rules of streams, nothing lost, nothing twice, nothing stuck."""

from collections.abc import Mapping
from typing import Any

from amaranth.hdl import Const, Module, Mux, Signal, Value

from ...hdl.macro.config import MacroConfig
from .macro_proof import MacroProof, buffer_probes, tag_probes
from .proof import Probe

__all__ = ["Delivery", "OutputRules"]


class _Outputs(MacroProof):
    """A macro with a look at what its outputs come from."""

    def __init__(self, config: MacroConfig, probes: Mapping[str, Probe] | None = None) -> None:
        super().__init__(config, {**tag_probes(config), **buffer_probes(config), **(probes or {})})

    @property
    def waits(self) -> Value:
        """An offer waits in the buffer, and what is in the columns' registers stands behind it."""
        if self.config.output_buffer == 1:
            return Const(0, 1)
        return ~self.serialiser.enable & ~self.probe("flows")

    @property
    def behind(self) -> Value:
        """What stands behind it: an output, a row read back."""
        return self.probe("behind") if self.config.output_buffer > 1 else Const(0, 2)

    def claim_offers(self, m: Module) -> None:
        """One offer is made at a time, and what comes behind it is one or the other too."""
        self.claim(m, "one_offer", ~(self.macro.o.valid & self.macro.read_data.valid))
        self.claim(m, "one_follows", self.behind != 3)
        self.claim_kept(m)
        if self.config.output_buffer > 1:
            stages = list(tag_probes(self.config))
            complete: Any = self.tag(stages[-1]) if stages else self.serialiser.tag
            offers = self.macro.o.valid | self.macro.read_data.valid
            stalls = complete.valid & complete.last & offers
            # After a reset in a stall nothing is offered, and all go on with the next cycle.
            self.claim(m, "flows_as_known_before",
                       self.probe("flows") == Mux(self.serialiser.enable, ~stalls, ~offers))


class OutputRules(_Outputs):
    """`o` and `read_data` hold what they offer until it is taken, however long that may be."""

    def elaborate(self, platform: object) -> Module:
        m = Module()
        self.open(m)
        rules = self.rules
        for name in ("o", "read_data"):
            self.claim(m, f"{name}_holds_until_taken", rules[name].kept)
        # What the induction needs.
        self.claim_offers(m)
        self.claim_complete(m)

        waited = {name: Signal(name=f"{name}_waited") for name in ("o", "read_data")}
        for name, flag in waited.items():
            with m.If(rules[name].held & rules[name].transfer):
                m.d.sync += flag.eq(1)
        self.reach(m, "both_have_waited", waited["o"] & waited["read_data"])
        return m


class Delivery(_Outputs):
    """One output for each accumulation, one row for each request, within the latency.

    Two counters hold what has been accepted and not been delivered. They equal what is on its way
    through the array, which is the invariant of the induction; so they never run below zero
    (something twice), and something on its way reaches the outputs (nothing lost).
    """

    def __init__(self, config: MacroConfig) -> None:
        inside = {name: Probe(f"macro.serialiser.{name}", 1) for name in ("within", "reading")}
        super().__init__(config, inside)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        self.open(m)
        macro = self.macro
        closes = macro.i.payload.last if self.config.accumulations > 1 else 1
        outputs = self._owed(m, "o", self.rules["i"].transfer & closes)
        rows = self._owed(m, "read_data", self.rules["read_request"].transfer)

        stages = [self.serialiser.tag, *(self.tag(name) for name in tag_probes(self.config))]
        ends = [tag.valid & tag.last for tag in stages]
        outputs_inside = [
            end & tag.closes & ~tag.reads for end, tag in zip(ends, stages, strict=True)
        ]
        rows_inside = [end & tag.reads for end, tag in zip(ends, stages, strict=True)]
        # What the induction needs: a vector that has begun stays, no row is read within it, and one
        # offer is made at a time.
        self.claim(m, "vector_stays", ~self.probe("within") | self.rules["i"].held)
        self.claim(m, "no_row_within_a_vector", ~(self.probe("reading") & self.probe("within")))
        self.claim_complete(m)
        self.claim_offers(m)
        self.claim(m, "what_waits_is_offered",
                   ~self.waits | macro.o.valid | macro.read_data.valid)
        outputs_inside += [macro.o.valid, self.waits & self.behind[0]]
        rows_inside += [
            self.probe("reading"), macro.read_data.valid, self.waits & self.behind[1]
        ]
        self.claim(m, "outputs_owed_are_inside", outputs == sum(outputs_inside))
        self.claim(m, "rows_owed_are_inside", rows == sum(rows_inside))
        self.claim(m, "no_output_twice", ~macro.o.valid | (outputs != 0))
        self.claim(m, "no_row_twice", ~macro.read_data.valid | (rows != 0))
        self._claim_progress(m, (outputs != 0) | (rows != 0))
        self.reach(m, "full", outputs + rows == min(3, len(stages)))
        return m

    def _owed(self, m: Module, stream: str, accepted: Value) -> Signal:
        """Accepted and not delivered yet."""
        owed = Signal(range(self.config.read_latency + 5), name=f"owed_{stream}")
        m.d.sync += owed.eq(owed + accepted - self.rules[stream].transfer)
        return owed

    def _claim_progress(self, m: Module, owing: Value) -> None:
        """What is owed is offered in time: `read_latency` less the cycle that accepts it."""
        most = self.config.read_latency - 1
        patience = Signal(range(most + 2))
        offered = self.macro.o.valid | self.macro.read_data.valid
        with m.If(owing & ~offered):
            m.d.sync += patience.eq(patience + 1)
        with m.Else():
            m.d.sync += patience.eq(0)
        self.claim(m, "offered_in_time", ~(owing & ~offered) | (patience < most))
