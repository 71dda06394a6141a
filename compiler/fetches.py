# SPDX-License-Identifier: Apache-2.0
"""Weights that do not fit into the weight memory: where loads find their sets, what is fetched.

The weight memory is a ring: sets come from external memory one behind the other, in the order of
the loads, and the next one starts from the lowest address where it does not fit below the end. A
set that is still there is not fetched again. A fetch waits for the last load from the place that it
overwrites, so that several sets are there ahead of their loads, as many as fit.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..hdl.npu.config import NpuConfig
from .errors import ModelError
from .layers import Layer
from .schedule import Load, TapSet, WeightSet
from .weights import WeightImage, set_bytes

__all__ = ["Fetch", "Fetches", "in_order", "plan_fetches"]


@dataclass(frozen=True)
class Fetch:
    """Brings the set of one load; loads are known by their number, from 0, as `in_order` has them.

    `after` is the load whose end it waits for, if it must.
    """

    load: int
    source: int
    address: int
    size: int
    after: int | None


@dataclass(frozen=True)
class Fetches:
    """All fetches, in the order of their loads, and the address from which each load reads."""

    fetches: tuple[Fetch, ...]
    addresses: tuple[int, ...]

    def before(self, load: int, ahead: int, made: int) -> Iterator[Fetch]:
        """Those to be in the program before a load, of which `made` are already.

        They are its own, and those of up to `ahead` further loads, as far as they wait for nothing
        but what comes before this one.
        """
        for fetch in self.fetches[made:]:
            is_safe = fetch.after is None or fetch.after < load
            if fetch.load > load and not (is_safe and fetch.load <= load + ahead):
                return
            yield fetch


def in_order(loads: Sequence[Load]) -> list[Load]:
    """Loads in the order of the program: each when the bank becomes free."""
    return sorted(loads, key=lambda load: -1 if load.after is None else load.after)


def plan_fetches(
    layers: Sequence[Layer], loads: Sequence[Load], weights: WeightImage, config: NpuConfig
) -> Fetches:
    """The plan for loads in the order of the program. Raises ModelError for a set that is too big.
    """
    ring = _Ring(config.weight_bytes)
    fetches, addresses, waited = [], [], -1
    for number, load in enumerate(loads):
        count, source = weights.place(load.weights)
        size = set_bytes(load.weights, count, config)
        if size > config.weight_bytes:
            raise ModelError(
                f"{layers[load.weights.layer].label}: weights that are loaded at once need {size} "
                f"bytes, the weight memory has {config.weight_bytes}; raise weight_bytes of the NPU"
            )
        address = ring.address_of(load.weights)
        if address is None:
            address, last = ring.place(load.weights, size)
            fetches.append(Fetch(number, source, address, size, last if last > waited else None))
            waited = max(waited, last)
        ring.use(number, address, size)
        addresses.append(address)
    return Fetches(tuple(fetches), tuple(addresses))


class _Ring:
    """What is in the weight memory while loads go by."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._next = 0
        self._held: dict[WeightSet | TapSet, range] = {}
        #: The loads so far, and what each has read.
        self._loads: list[range] = []

    def address_of(self, weights: WeightSet | TapSet) -> int | None:
        """Where a set is, if it is there."""
        return self._held[weights].start if weights in self._held else None

    def place(self, weights: WeightSet | TapSet, size: int) -> tuple[int, int]:
        """A set's new place, and the last load from there; -1: there is none."""
        start = self._next if self._next + size <= self._size else 0
        place = range(start, start + size)
        self._held = {other: at for other, at in self._held.items() if not _meet(at, place)}
        self._held[weights] = place
        self._next = place.stop
        readers = (number for number, at in enumerate(self._loads) if _meet(at, place))
        return start, max(readers, default=-1)

    def use(self, number: int, address: int, size: int) -> None:
        """A load reads there."""
        assert number == len(self._loads)
        self._loads.append(range(address, address + size))


def _meet(one: range, other: range) -> bool:
    return one.start < other.stop and other.start < one.stop
