# SPDX-License-Identifier: Apache-2.0
"""What the stimuli of a macro's bench must contain, derived from its configuration."""

from collections.abc import Iterator
from typing import Any

from ...hdl.macro.config import MacroConfig

__all__ = ["events_of_read", "events_of_vector", "events_of_write", "wanted_events"]

Payload = dict[str, Any]


def events_of_write(config: MacroConfig, payload: Payload) -> list[str]:
    """What one written row group contributes."""
    group = payload["group"]
    events = [f"write: bank {_bank(config, payload)}"]
    if group in (0, config.groups - 1):
        events.append(f"write: group {group}")
    elif group >= config.groups:
        events.append("write: group beyond the last")
    limit = 1 << config.weight_bits - 1
    present = {weight for row in payload["weights"] for weight in row}
    return events + [f"write: weight {weight}" for weight in {-limit, limit - 1} & present]


def events_of_vector(config: MacroConfig, payload: Payload) -> list[str]:
    """What one vector contributes."""
    planes = payload["top_plane"] + 1
    sign = "signed" if payload["signed"] else "unsigned"
    precision = f"{planes} bits" if planes <= config.input_bits else "more planes than bits"
    bounds = f"first {payload['first']}, last {payload['last']}"
    bank = f"vector: bank {_bank(config, payload)}"
    return [f"vector: {precision}, {sign}", f"vector: {bounds}", bank]


def events_of_read(config: MacroConfig, payload: Payload) -> list[str]:
    """What one read request contributes."""
    events = [f"read: bank {_bank(config, payload)}"]
    return events + (["read: row beyond the last"] if payload["row"] >= config.rows else [])


def wanted_events(config: MacroConfig) -> Iterator[str]:
    """All that must have happened at the end of a simulation."""
    limit = 1 << config.weight_bits - 1
    yield from (f"write: weight {weight}" for weight in (-limit, limit - 1))
    yield from (f"write: group {group}" for group in {0, config.groups - 1})
    for bank in range(config.banks):
        yield from (f"{kind}: bank {bank}" for kind in ("write", "vector", "read"))
    for sign in ("signed", "unsigned"):
        yield from (f"vector: {bits} bits, {sign}" for bits in range(1, config.input_bits + 1))
        if config.input_bits < 1 << config.plane_bits:
            yield f"vector: more planes than bits, {sign}"
    yield from (f"vector: first {first}, last {last}" for first in (0, 1) for last in (0, 1))
    if config.groups < 1 << config.group_bits:
        yield "write: group beyond the last"
    if config.rows < 1 << config.row_bits:
        yield "read: row beyond the last"
    for stream in ("w", "i", "o", "read_request", "read_data"):
        yield f"wait: {stream}"


def _bank(config: MacroConfig, payload: Payload) -> int:
    return payload["bank"] if config.banks > 1 else 0
