# SPDX-License-Identifier: Apache-2.0
"""The serialiser: every plane of a vector once, the most significant first, with the right tag."""

from typing import Any

from amaranth.hdl import Array, Cat, Module, Mux, Signal, Value
from amaranth.lib import data

from ...hdl.macro.config import MacroConfig
from ...hdl.macro.serialiser import Serialiser
from .proof import Probe, Proof, inputs_of
from .stream_rules import StreamRule

__all__ = ["Planes"]


class Planes(Proof):
    """Planes and rows to read leave the serialiser as their streams offer them.

    What `i` and `read_request` offered in the cycle that filled the plane register is kept beside
    it, with the number that the plane must have; the register is compared with that.
    """

    def __init__(self, config: MacroConfig) -> None:
        self.config = config
        self.dut = Serialiser(config)
        probes = {
            "within": Probe("dut.within", 1),
            "following": Probe("dut.following", config.plane_bits),
            "accumulating": Probe("dut.accumulating", 1),
        }
        super().__init__(inputs_of(self.dut), probes)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.dut = dut = self.dut
        self.free(m, dut)
        vectors, requests = self._watch(m, "i"), self._watch(m, "read_request")
        self.assume(m, vectors.kept)
        self.assume(m, requests.kept)

        plane, between, taken = self._expected_plane(m, vectors, requests)
        self._claim_vector(m, plane, taken)
        self._claim_row(m, taken)
        self._claim_stall(m)
        reads_between = dut.tag.valid & dut.tag.reads & (between | self.probe("accumulating"))
        self.claim(m, "no_read_within_an_accumulation", ~reads_between)
        # What the induction needs.
        self.claim(m, "within_is_between", self.probe("within") == between)
        self.claim(m, "following_plane", ~between | (self.probe("following") == plane - 1))
        self.claim(m, "vector_stays", ~between | (vectors.held & (vectors.before == taken.vector)))

        last = dut.tag.valid & dut.tag.last & ~dut.tag.reads
        self.reach(m, "longest_vector", last & (taken.vector_view.top_plane == self._top))
        self.reach(m, "row", dut.tag.valid & dut.tag.reads & dut.plane_bits.any())
        return m

    @property
    def _top(self) -> int:
        return self.config.input_bits - 1

    def _watch(self, m: Module, name: str) -> StreamRule:
        stream = getattr(self.dut, name)
        payload = Value.cast(stream.payload)
        return StreamRule.of(m, f"rule_{name}", stream.valid, stream.ready, payload)

    def _expected_plane(
        self, m: Module, vectors: StreamRule, requests: StreamRule
    ) -> tuple[Signal, Value, "_Taken"]:
        """The plane that the register must hold, whether more follow, and where it came from."""
        dut = self.dut
        taken = _Taken(self.config)
        between = dut.tag.valid & ~dut.tag.last
        plane = Signal(self.config.plane_bits)
        with m.If(dut.enable):
            m.d.sync += [
                plane.eq(Mux(between, plane - 1, dut.i.payload.top_plane)),
                taken.vector.eq(dut.i.payload.as_value()),
                taken.request.eq(dut.read_request.payload.as_value()),
                taken.began.eq(~between),
                taken.vector_went.eq(vectors.transfer),
                taken.request_went.eq(requests.transfer),
            ]
        return plane, between, taken

    def _claim_vector(self, m: Module, plane: Signal, taken: "_Taken") -> None:
        dut, vector, alone = self.dut, taken.vector_view, self.config.accumulations == 1
        here = dut.tag.valid & ~dut.tag.reads
        bits = Cat(
            Array([*row, *[0] * ((1 << self.config.plane_bits) - self.config.input_bits)])[plane]
            for row in (vector.data[index] for index in range(self.config.rows))
        )
        expected: dict[str, Any] = {
            "first": taken.began,
            "last": plane == 0,
            "negative": taken.began & vector.signed,
            "opens": 1 if alone else vector.first,
            "closes": 1 if alone else vector.last,
        }
        for name, value in expected.items():
            self.claim(m, f"tag_{name}", ~here | (dut.tag[name] == value))
        self.claim(m, "plane_bits", ~here | (dut.plane_bits == bits))
        self.claim(m, "bank", ~here | (dut.bank == self.config.bank_of(vector)))
        self.claim(m, "transfer_with_the_last_plane", taken.vector_went == (here & dut.tag.last))

    def _claim_row(self, m: Module, taken: "_Taken") -> None:
        dut, request = self.dut, taken.request_view
        here = dut.tag.valid & dut.tag.reads
        row = Cat(request.row == index for index in range(self.config.rows))
        alone = dut.tag.first & dut.tag.last & ~dut.tag.negative & dut.tag.opens & dut.tag.closes
        self.claim(m, "row_is_a_vector_of_one_plane", ~here | alone)
        self.claim(m, "row_bits", ~here | (dut.plane_bits == row))
        self.claim(m, "row_bank", ~here | (dut.bank == self.config.bank_of(request)))
        self.claim(m, "row_once_for_a_request", taken.request_went == here)

    def _claim_stall(self, m: Module) -> None:
        dut = self.dut
        register = Cat(dut.plane_bits, dut.bank, dut.tag.as_value())
        before, stalled = Signal.like(register), Signal()
        m.d.sync += [before.eq(register), stalled.eq(~dut.enable)]
        self.claim(m, "nothing_moves_while_held_up", ~stalled | (register == before))


class _Taken:
    """What the streams offered when the plane register was filled, and what was transferred."""

    def __init__(self, config: MacroConfig) -> None:
        self.vector = Signal(config.input_layout.size)
        self.request = Signal(config.read_request_layout.size)
        self.vector_view: Any = data.View(config.input_layout, self.vector)
        self.request_view: Any = data.View(config.read_request_layout, self.request)
        self.began = Signal()
        self.vector_went = Signal()
        self.request_went = Signal()
