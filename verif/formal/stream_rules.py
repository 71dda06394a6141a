# SPDX-License-Identifier: Apache-2.0
"""The rules of a stream, as something to claim of an output and to assume of an input.

Once `valid` is high, `valid` and the payload stay as they are until the transfer. A reset ends the
obligation: in the cycle after it a stream may hold anything. In the cycle of the reset itself the
rule still applies, as registers change at the end of it.
"""

from amaranth.hdl import Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["StreamRule"]


class StreamRule(wiring.Component):
    """Watches one stream.

    Parameters
    ----------
    payload_bits : int

    Members
    -------
    valid, ready, payload : In
        The stream.
    held : Out(1)
        Something was offered in the cycle before and not taken: it must be offered still.
    before : Out(payload_bits)
        The payload of the cycle before.
    kept : Out(1)
        The rule is kept in this cycle.
    transfer : Out(1)
        A transfer happens in this cycle.
    """

    valid: Signal
    ready: Signal
    payload: Signal
    held: Signal
    before: Signal
    kept: Signal
    transfer: Signal

    def __init__(self, payload_bits: int) -> None:
        super().__init__(
            {
                "valid": In(1),
                "ready": In(1),
                "payload": In(payload_bits),
                "held": Out(1),
                "before": Out(payload_bits),
                "kept": Out(1),
                "transfer": Out(1),
            }
        )

    @classmethod
    def of(cls, m: Module, name: str, valid: Value, ready: Value, payload: Value) -> "StreamRule":
        """Watch the stream of these three signals, as submodule `name` of `m`."""
        m.submodules[name] = rule = cls(len(payload))
        m.d.comb += [rule.valid.eq(valid), rule.ready.eq(ready), rule.payload.eq(payload)]
        return rule

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.sync += [self.held.eq(self.valid & ~self.ready), self.before.eq(self.payload)]
        same = self.valid & (self.payload == self.before)
        m.d.comb += [self.kept.eq(~self.held | same), self.transfer.eq(self.valid & self.ready)]
        return m
