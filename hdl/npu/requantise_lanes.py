# SPDX-License-Identifier: Apache-2.0
"""Requantisation lanes: sums from any unit to results in the activation memory, beat by beat."""

from collections.abc import Mapping
from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from .config import NpuConfig
from .delay import delayed
from .isa import Opcode, layout
from .latency import (
    BIAS_AFTER,
    MULTIPLIER_AFTER,
    PARAMETER_CYCLES,
    REQUANTISE_CYCLES,
    SHIFT_AFTER,
)
from .ports import ActivationWritePort
from .requantiser import Requantiser
from .word_memories import PARAMETER_BITS

__all__ = ["RequantiseLanes", "beat_layout", "sums_layout"]


def beat_layout(config: NpuConfig) -> data.StructLayout:
    """What belongs to a sum of each lane: results to write, where, and with which parameters."""
    return data.StructLayout(
        {
            "valid": 1,
            "last": 1,
            "count": range(config.requantisers + 1),
            "parameters": config.channel_word_bits,
            "address": config.activation_address_bits,
        }
    )


def sums_layout(config: NpuConfig) -> data.ArrayLayout:
    """A sum for each lane."""
    return data.ArrayLayout(signed(32), config.requantisers)


class RequantiseLanes(wiring.Component):
    """A `Requantiser` a lane; parameters are read as the beat comes to need them.

    The pipeline never stalls. A beat whose `count` is 0 writes nothing: its scaled sums are there
    for whoever sent it.

    Throughput: a beat a cycle. Latency: `REQUANTISE_CYCLES` cycles from a beat to `scaled`, 1
    more to `write` and `done`.

    Members
    -------
    descriptor : In(layout(Opcode.REQUANTISE))
        Or any that scales: their fields lie in the same places.
    beat : In(beat_layout(config))
    sums : In(sums_layout(config))
    bias_address .. shift
        As in `ParameterMemory`.
    scaled : Out(sums_layout(config))
        The sums, scaled and rounded to 32 bits, before zero point and clamp; not for ONNX's rule.
    write : Out(ActivationWritePort)
    done : Out(1)
        The results of the last beat are in memory after this cycle.
    """

    descriptor: data.View
    beat: Any
    sums: data.View
    bias_address: Signal
    multiplier_address: Signal
    shift_address: Signal
    bias: data.View
    multiplier: data.View
    shift: data.View
    scaled: data.View
    write: Any
    done: Signal

    def __init__(self, config: NpuConfig) -> None:
        self.config = config
        members: dict[str, Any] = {
            "descriptor": In(layout(Opcode.REQUANTISE)),
            "beat": In(beat_layout(config)),
            "sums": In(sums_layout(config)),
            "scaled": Out(sums_layout(config)),
            "write": Out(ActivationWritePort(config)),
            "done": Out(1),
        }
        for name, bits in PARAMETER_BITS.items():
            members[f"{name}_address"] = Out(config.channel_word_bits)
            members[name] = In(data.ArrayLayout(bits, config.requantisers))
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        beats, valid = [self.beat], self.beat.valid
        for stage in range(1, REQUANTISE_CYCLES + 2):
            beats.append(delayed(m, f"beat{stage}_", beats[-1], 1, reset_less=True))
            valid = delayed(m, f"valid{stage}_", valid, 1)
        for name, latency in (
            ("bias", BIAS_AFTER),
            ("multiplier", MULTIPLIER_AFTER),
            ("shift", SHIFT_AFTER),
        ):
            asks = beats[latency - PARAMETER_CYCLES]
            m.d.comb += getattr(self, f"{name}_address").eq(asks.parameters)
        # A register of what is the same for a whole descriptor, between that and the lanes.
        steady = {
            name: delayed(m, f"own_{name}", getattr(self.descriptor, name), 1, reset_less=True)
            for name in ("rounding", "zero_point", "clamp_low", "clamp_high")
        }
        results = [self._lane(m, lane, steady) for lane in range(self.config.requantisers)]
        final = beats[-1]
        written = Signal(8 * self.config.requantisers)
        m.d.sync += written.eq(Cat(results))
        m.d.comb += [
            self.write.count.eq(Mux(valid, final.count, 0)),
            self.write.address.eq(final.address),
            self.write.data.eq(written),
            self.done.eq(valid & final.last),
        ]
        return m

    def _lane(self, m: Module, lane: int, steady: Mapping[str, Any]) -> Signal:
        m.submodules[f"requantiser{lane}"] = requantiser = Requantiser()
        m.d.comb += [
            requantiser.sum.eq(self.sums[lane]),
            requantiser.bias.eq(self.bias[lane].as_signed()),
            requantiser.multiplier.eq(self.multiplier[lane]),
            requantiser.shift.eq(self.shift[lane]),
            *(getattr(requantiser, name).eq(value) for name, value in steady.items()),
            self.scaled[lane].eq(requantiser.scaled),
        ]
        return requantiser.o
