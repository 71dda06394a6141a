# SPDX-License-Identifier: Apache-2.0
"""The AXI4-Lite port: responses hold, each address has one, each write is carried out once."""

from amaranth.hdl import Cat, Module, Signal, Value

from ...hdl.link.axi_lite_port import AxiLitePort, Resp
from .proof import Probe, Proof, inputs_of
from .stream_rules import StreamRule

__all__ = ["AxiLiteRules"]


class AxiLiteRules(Proof):
    """A port whose manager does as it likes, but for keeping to the rules of its own channels.

    Counters hold what has been accepted and not been answered. They equal what is in the port's
    registers, which is the invariant of the induction: so no response comes without a request
    (the counters would run below zero) and none is forgotten.
    """

    def __init__(self) -> None:
        self.port = AxiLitePort()
        probes = {name: Probe(f"port.{name}", 1) for name in ("has_address", "has_data", "whole")}
        super().__init__(inputs_of(self.port), probes)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.port = port = self.port
        self.free(m, port)
        bus, access = port.bus, port.access
        rules = {
            name: StreamRule.of(
                m, name, getattr(bus, f"{name}valid"), getattr(bus, f"{name}ready"), payload
            )
            for name, payload in (
                ("aw", bus.awaddr), ("w", Cat(bus.wdata, bus.wstrb)), ("b", bus.bresp),
                ("ar", bus.araddr), ("r", Cat(bus.rdata, bus.rresp)),
            )
        }
        for name in ("aw", "w", "ar"):
            self.assume(m, rules[name].kept)
        for name in ("b", "r"):
            self.claim(m, f"{name}_holds_until_taken", rules[name].kept)

        has_address, has_data = self.probe("has_address"), self.probe("has_data")
        both = has_address & has_data
        for name, inside in (("aw", has_address + bus.bvalid), ("w", has_data + bus.bvalid)):
            owed = self._owed(m, name, rules[name].transfer, rules["b"].transfer)
            self.claim(m, f"each_{name}_has_a_response", owed == inside)
        owed = self._owed(m, "r", rules["ar"].transfer, rules["r"].transfer)
        self.claim(m, "each_read_has_a_response", owed == bus.rvalid)

        # A write is answered in the cycle after both halves are there, and carried out just then.
        executes = Signal()
        m.d.comb += executes.eq(both & ~bus.bvalid)
        answered, refused, given = Signal(), Signal(), Signal(2)
        m.d.sync += [
            answered.eq(executes),
            refused.eq(~self.probe("whole")),
            given.eq(access.write_resp),
        ]
        self.claim(m, "carried_out_once", access.write == (executes & self.probe("whole")))
        self.claim(m, "answered_in_time", ~answered | bus.bvalid)
        self.claim(m, "half_words_are_refused",
                   ~(answered & refused) | (bus.bresp == Resp.SLVERR))
        self.claim(m, "registers_answer", ~answered | refused | (bus.bresp == given))
        self.claim(m, "reads_once", access.read == rules["ar"].transfer)
        self.reach(m, "both_wait_behind_a_response", both & bus.bvalid & bus.rvalid)
        return m

    def _owed(self, m: Module, name: str, asked: Value, answered: Value) -> Signal:
        owed = Signal(3, name=f"owed_{name}")
        m.d.sync += owed.eq(owed + asked - answered)
        return owed
