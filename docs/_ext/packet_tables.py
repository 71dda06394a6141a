# SPDX-License-Identifier: Apache-2.0
"""Packets, status codes, memories and counters as tables, from `cimple.hdl.npu.packets`."""

from collections.abc import Callable, Mapping
from enum import IntEnum

from amaranth.lib import data
from enum_docs import member_docs
from md_pieces import code, escape, table

from cimple.hdl.macro.config import MacroConfig
from cimple.hdl.npu.config import NpuConfig
from cimple.hdl.npu.isa import VERSION
from cimple.hdl.npu.packets import (
    MAGIC,
    Counter,
    Memory,
    Request,
    RequestHeader,
    ResponseHeader,
    Status,
    address,
    identity,
    memory_bytes,
)

__all__ = ["counters", "headers", "identity_words", "memory_map", "requests", "statuses"]

#: Not the same value in two fields, so that a word that names the wrong one is noticed.
EXAMPLE = NpuConfig(
    macro=MacroConfig(rows=72, columns=16), macros=2, taps=32, activation_bytes=16384,
    activation_port=8, weight_bytes=32768, weight_port=16, external_port=4, channels=128, lanes=4,
    requantisers=1,
    partial_sum_words=256, descriptors=512, stamps=64,
)

#: What each word of the answer to IDENTIFY says, and how it comes from a configuration.
_IDENTITY: tuple[tuple[str, Callable[[NpuConfig], int]], ...] = (
    (f"`{MAGIC:#010x}`: the letters CIMP, the first one in the low byte", lambda config: MAGIC),
    ("version of the instruction set", lambda config: VERSION),
    ("digest of the configuration, digits 1 to 8", lambda config: _digits(config, 0)),
    ("digits 9 to 16", lambda config: _digits(config, 8)),
    ("digits 17 to 24", lambda config: _digits(config, 16)),
    ("digits 25 to 32", lambda config: _digits(config, 24)),
    ("`macro.rows`, and `macro.columns` in bits 31:16",
     lambda config: config.macro.rows | config.macro.columns << 16),
    ("`activation_bytes`", lambda config: config.activation_bytes),
    ("`weight_bytes`", lambda config: config.weight_bytes),
    ("`channels`", lambda config: config.channels),
    ("`descriptors`", lambda config: config.descriptors),
    ("`lanes`, `activation_port`, `weight_port`, `stamps`: a byte each, from the lowest",
     lambda config: int.from_bytes(
         (config.lanes, config.activation_port, config.weight_port, config.stamps), "little")),
    ("`partial_sum_words`, and `external_port` in bits 31:24",
     lambda config: config.partial_sum_words | config.external_port << 24),
    ("`macros`, `requantisers` in bits 15:8, and `taps` in bits 31:16",
     lambda config: config.macros | config.requantisers << 8 | config.taps << 16),
)

_SIZES: dict[Memory, tuple[str, Callable[[NpuConfig], int]]] = {
    Memory.ACTIVATIONS: ("activation_bytes", lambda config: config.activation_bytes),
    Memory.WEIGHTS: ("weight_bytes", lambda config: config.weight_bytes),
    Memory.PARAMETERS: ("16 * channels", lambda config: 16 * config.channels),
    Memory.PROGRAM: ("64 * descriptors", lambda config: 64 * config.descriptors),
}


def headers() -> str:
    """The first word of requests and of answers."""
    return (
        "First word of a request:\n\n" + _header(RequestHeader)
        + "\nFirst word of an answer:\n\n" + _header(ResponseHeader)
    )


def _header(cls: type[data.Struct]) -> str:
    docs = member_docs(cls)
    rows = (
        (code(name), f"{field.offset + field.width - 1}:{field.offset}",
         escape(docs[str(name)]) or "Zero.")
        for name, field in data.Layout.cast(cls)
    )
    return table(["Field", "Bits", "Meaning"], rows)


def requests() -> str:
    """Every request."""
    return _members(Request, "What follows the header, and the answer")


def statuses() -> str:
    """Every status code."""
    return _members(Status, "Meaning", {"OK": "The request was carried out."})


def counters() -> str:
    """Every counter, in the order of the answer."""
    busy = {c.name: "As above, for this engine." for c in Counter if c.name.endswith("_BUSY")}
    return _members(Counter, "Meaning", busy)


def _members(cls: type[IntEnum], meaning: str, uncommented: Mapping[str, str] | None = None) -> str:
    docs = member_docs(cls)
    rows = (
        (code(member.name), int(member),
         escape(docs[member.name] or (uncommented or {})[member.name]))
        for member in cls
    )
    return table([cls.__name__, "Code", meaning], rows)


def memory_map() -> str:
    """Where each memory begins in the address space, and its size."""
    docs = member_docs(Memory)
    holds = {"ACTIVATIONS": "Images, int8.", "WEIGHTS": "Row groups of weights, int8.",
             "PROGRAM": "Descriptors, 64 bytes each."}
    rows = []
    for memory in Memory:
        formula, size = _SIZES[memory]
        assert size(EXAMPLE) == memory_bytes(EXAMPLE, memory), memory
        rows.append(
            (code(memory.name), code(f"{address(memory, 0):#010x}"), code(formula),
             escape(docs[memory.name] or holds[memory.name]))
        )
    return table(["Memory", "First address", "Bytes", "Holds"], rows)


def identity_words() -> str:
    """The answer to IDENTIFY, word by word."""
    assert [word(EXAMPLE) for _, word in _IDENTITY] == identity(EXAMPLE)
    rows = ((index, meaning) for index, (meaning, _) in enumerate(_IDENTITY, start=1))
    return table(["Word of the answer", "Meaning"], rows)


def _digits(config: NpuConfig, first: int) -> int:
    return int(config.digest()[first : first + 8], 16)
