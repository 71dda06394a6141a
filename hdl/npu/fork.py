# SPDX-License-Identifier: Apache-2.0
"""One stream to several macros: each takes the item when it is ready, the source once all have."""

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal, Value

__all__ = ["fork"]


def fork(m: Module, name: str, source: Any, targets: Sequence[Any], wanted: Value) -> None:
    """Offer what `source` offers to those of `targets` whose bit in `wanted` is set.

    Only `valid` and `ready` are connected. Stream rules hold for each target: an item is offered
    until it is taken, and once. `wanted` stays as it is while the source offers an item.
    """
    if len(targets) == 1:
        m.d.comb += [targets[0].valid.eq(source.valid), source.ready.eq(targets[0].ready)]
        return
    # Which targets have taken the item that is offered.
    has = Signal(len(targets), name=f"{name}_has")
    takes = Cat(target.valid & target.ready for target in targets)
    all_have = Signal(name=f"{name}_all_have")
    m.d.comb += [
        *(
            target.valid.eq(source.valid & wanted[index] & ~has[index])
            for index, target in enumerate(targets)
        ),
        all_have.eq((has | takes | ~wanted).all()),
        source.ready.eq(all_have),
    ]
    m.d.sync += has.eq(Mux(source.valid & all_have, 0, has | takes))
