# SPDX-License-Identifier: Apache-2.0
"""What the stimuli of a macro's bench must contain, derived from its configuration."""

from collections.abc import Iterator
from typing import Any

from ...hdl.macro.config import MacroConfig

__all__ = [
    "events_of_read",
    "events_of_reset",
    "events_of_skipping",
    "events_of_vector",
    "events_of_write",
    "wanted_events",
]

Payload = dict[str, Any]


def events_of_write(config: MacroConfig, payload: Payload) -> list[str]:
    """What one written row group contributes."""
    group = payload["group"]
    events = [f"write: bank {_bank(config, payload)}"]
    if group in (0, config.groups - 1):
        events.append(f"write: group {group}")
    elif group >= config.groups:
        events.append("write: group beyond the last")
    present = {weight for row in payload["weights"] for weight in row}
    return events + [f"write: weight {weight}" for weight in _extremes(config) & present]


def events_of_vector(config: MacroConfig, payload: Payload) -> list[str]:
    """What one vector contributes."""
    planes = payload["top_plane"] + 1
    sign = "signed" if payload["signed"] else "unsigned"
    precision = f"{planes} bits" if planes <= config.input_bits else "more planes than bits"
    return [
        f"vector: {precision}, {sign}",
        f"vector: first {payload['first']}, last {payload['last']}",
        f"vector: bank {_bank(config, payload)}",
        f"vector: fused {payload['fused']}",
    ]


def events_of_skipping(config: MacroConfig, payload: Payload, steps: int) -> list[str]:
    """What a vector that takes so many steps contributes, where zero planes are skipped."""
    every = config.steps(payload["top_plane"] + 1)
    if not config.skip_zero_planes or every == 1:
        return []
    taken = {every: "all steps", 1: "one step of several"}.get(steps, "some of its steps")
    return [f"vector: takes {taken}"]


def events_of_read(config: MacroConfig, payload: Payload) -> list[str]:
    """What one read request contributes."""
    events = [f"read: bank {_bank(config, payload)}"]
    return events + (["read: row beyond the last"] if payload["row"] >= config.rows else [])


def events_of_reset(in_group: bool, in_fill: bool) -> list[str]:
    """What one reset contributes: whether it came between the rows of a group, or in a fill."""
    places = {(False, False): "nothing is written", (True, False): "a group is taken",
              (False, True): "a table is filled", (True, True): "both"}
    return [f"reset while {places[in_group, in_fill]}"]


def wanted_events(config: MacroConfig) -> Iterator[str]:
    """All that must have happened at the end of a simulation."""
    streams = ("i", "o", "read_request", "read_data")
    if config.is_writable:
        streams += ("w",)
        yield from _wanted_writes(config)
    for bank in range(config.banks):
        yield from (f"{kind}: bank {bank}" for kind in ("vector", "read"))
    for sign in ("signed", "unsigned"):
        yield from (f"vector: {bits} bits, {sign}" for bits in range(1, config.input_bits + 1))
        if config.input_bits < 1 << config.plane_bits:
            yield f"vector: more planes than bits, {sign}"
    yield from (f"vector: first {first}, last {last}" for first in (0, 1) for last in (0, 1))
    yield from (f"vector: fused {fused}" for fused in range(config.fusion))
    if config.skip_zero_planes:
        most = config.steps(config.input_bits)
        taken = ("all steps", "one step of several", "some of its steps")
        yield from (f"vector: takes {each}" for each in taken[: {1: 0, 2: 2}.get(most, 3)])
    if config.rows < 1 << config.row_bits:
        yield "read: row beyond the last"
    yield "reset while nothing is written"
    yield from (f"wait: {stream}" for stream in streams)


def _wanted_writes(config: MacroConfig) -> Iterator[str]:
    yield from (f"write: weight {weight}" for weight in _extremes(config))
    yield from (f"write: group {group}" for group in {0, config.groups - 1})
    yield from (f"write: bank {bank}" for bank in range(config.banks))
    if config.groups < 1 << config.group_bits:
        yield "write: group beyond the last"
    yield "reset while a group is taken"
    if config.has_fill:
        yield "reset while a table is filled"
        if config.stages_two_groups:
            yield "reset while both"


def _extremes(config: MacroConfig) -> set[int]:
    limit = 1 << config.weight_bits - 1
    return {-limit, limit - 1}


def _bank(config: MacroConfig, payload: Payload) -> int:
    return payload["bank"] if config.banks > 1 else 0
