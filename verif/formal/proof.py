# SPDX-License-Identifier: Apache-2.0
"""What all proofs have in common: free inputs, a look inside, claims with names."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from amaranth.hdl import (
    Assert,
    Assume,
    Cover,
    Module,
    Shape,
    ShapeLike,
    Signal,
    Value,
    ValueLike,
)
from amaranth.lib import wiring
from amaranth.lib.wiring import In

__all__ = ["Probe", "Proof", "inputs_of"]


@dataclass(frozen=True)
class Probe:
    """A signal inside the design that an induction needs, by its name in the flattened netlist.

    What a state machine remembers is part of what an induction must assume; the ports do not show
    all of it.
    """

    path: str
    """As ``macro.serialiser.within``."""
    shape: ShapeLike


class Proof(wiring.Component):
    """A design, what its surroundings may do, and what is claimed then.

    This is the top of what the solver sees. It has no outputs, so that logic no claim depends on
    falls away; its inputs, the reset among them, take any value in any cycle. Registers of a proof
    are reset together with the design, unless they are `reset_less`.

    Parameters
    ----------
    inputs : mapping of str to shape
        The free inputs by name.
    probes : mapping of str to Probe
        Signals inside the design by name.

    Members
    -------
    The free inputs, and ``probe_NAME`` for each probe.
    """

    def __init__(
        self, inputs: Mapping[str, ShapeLike], probes: Mapping[str, Probe] | None = None
    ) -> None:
        self.probes = {f"probe_{name}": probe for name, probe in (probes or {}).items()}
        shapes = {name: Shape.cast(shape) for name, shape in inputs.items()}
        ports: dict[str, Any] = {name: In(shape) for name, shape in shapes.items() if shape.width}
        ports |= {name: In(probe.shape) for name, probe in self.probes.items()}
        super().__init__(ports)
        # Of no bits, such as a number of which there is one: the solver's trace has no name for it.
        for name, shape in shapes.items():
            if not shape.width:
                setattr(self, name, Signal(shape))

    def probe(self, name: str) -> Any:
        """What a probe shows."""
        return getattr(self, f"probe_{name}")

    def claim(self, m: Module, name: str, condition: ValueLike) -> None:
        """`condition` is true in every cycle."""
        m.d.comb += Assert(condition, name)

    def assume(self, m: Module, condition: ValueLike) -> None:
        """The surroundings see to it that `condition` is true in every cycle."""
        m.d.comb += Assume(condition, "")

    def reach(self, m: Module, name: str, condition: ValueLike) -> None:
        """Some run makes `condition` true: the claims are not empty."""
        m.d.comb += Cover(condition, name)

    def free(self, m: Module, component: wiring.Component) -> None:
        """Connect the inputs of `component` to the free inputs that `inputs_of` has named."""
        for name, value in _inputs(component):
            m.d.comb += value.eq(getattr(self, name))


def inputs_of(component: wiring.Component) -> dict[str, ShapeLike]:
    """The inputs of a component as free inputs, named as in Verilog."""
    return {name: len(value) for name, value in _inputs(component)}


def _inputs(component: wiring.Component) -> Iterator[tuple[str, Value]]:
    for path, member, port in component.signature.flatten(component):
        value = Value.cast(port)
        if member.flow is In and len(value):
            yield "__".join(str(part) for part in path), value
