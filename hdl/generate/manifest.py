# SPDX-License-Identifier: Apache-2.0
"""The manifest: what a program, a script or a colleague needs to know about a design."""

import hashlib
from collections.abc import Callable
from typing import Any

from amaranth.hdl import Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In

from ..config import Config
from ..kinds import kind_of
from ..link.config import Protocol, WrapperConfig
from ..link.frames import LINK_VERSION
from ..link.register_map import MAP_VERSION, REGISTERS
from ..macro.config import MacroConfig
from ..npu.config import NpuConfig
from ..npu.isa import VERSION
from ..npu.packets import Memory, memory_bytes
from ..packing import field_table
from ..version import version
from .wrapping import interfaces

__all__ = ["FORMAT_VERSION", "manifest"]

#: Counts up when a reader of an older manifest could misread a newer one. In version 1 a row group
#: of weights was one transfer, and lay in an NPU's weight memory without gaps between its rows.
FORMAT_VERSION = 2


def manifest(
    config: Config,
    wrapper: WrapperConfig,
    component: wiring.Component,
    verilog: str,
    contents: dict[str, Any],
) -> dict[str, Any]:
    """The manifest of one design, as plain data."""
    kind = kind_of(config)
    parameters = config.to_mapping()
    name = wrapper.top_name(parameters["name"])
    return {
        "format_version": FORMAT_VERSION,
        "cimple_version": version(),
        "name": name,
        "kind": kind.name,
        "parameters": parameters,
        "sha256": {
            "configuration": config.digest(),
            "verilog": hashlib.sha256(verilog.encode()).hexdigest(),
        },
        "files": {
            "verilog": f"{name}.v",
            "waivers": f"{name}.vlt",
            "core": f"{name}.core",
            **({"header": f"{name}.h"} if wrapper.protocol is Protocol.AXI_LITE else {}),
        },
        **_around(config, wrapper),
        "ports": _ports(component, with_clock=wrapper.protocol is Protocol.NONE),
        "streams": _streams(component),
        "facts": _FACTS[kind.name](config),
        "contents": contents,
        "lint": {
            "verilator": f"verilator --lint-only -Wall {name}.vlt {name}.v",
            "icarus": f"iverilog -g2005 -Wall -t null {name}.v",
        },
    }


def _around(config: Config, wrapper: WrapperConfig) -> dict[str, Any]:
    """Clock and reset, and interfaces of AXI; of a wrapper also its parameters."""
    buses = [each._asdict() for each in interfaces(config, wrapper)]
    own_clock = {
        "clock": {"port": "clk", "edge": "rising"},
        "reset": {"port": "rst", "active": "high", "synchronous": True},
    }
    if wrapper.protocol is Protocol.NONE:
        return {**own_clock, **({"interfaces": buses} if buses else {})}
    facts: dict[str, Any] = {"protocol": wrapper.protocol.value}
    facts |= {name: getattr(wrapper, name) for name in wrapper.own_fields}
    if wrapper.protocol is Protocol.UART:
        facts |= {"divisor": wrapper.divisor, "link_version": LINK_VERSION}
        return {**own_clock, "wrapper": {**facts, "interfaces": buses}}
    registers = [
        {"name": register.name, "offset": register.offset} for register in REGISTERS
    ]
    if wrapper.protocol is Protocol.AXI_LITE:
        facts |= {"register_map_version": MAP_VERSION, "registers": registers}
    return {
        "clock": {"port": "aclk", "edge": "rising"},
        "reset": {"port": "aresetn", "active": "low", "synchronous": True},
        "wrapper": {**facts, "interfaces": buses},
    }


def _ports(component: wiring.Component, *, with_clock: bool) -> list[dict[str, Any]]:
    """The ports of the Verilog module; those of no width do not exist there.

    Clock and reset of Amaranth's own domain are no members of the component.
    """
    own = ("clk", "rst") if with_clock else ()
    ports: list[dict[str, Any]] = [
        {"name": port, "direction": "input", "width": 1} for port in own
    ]
    for path, member, value in component.signature.flatten(component):
        width = len(Value.cast(value))
        if width:
            direction = "input" if member.flow is In else "output"
            port = "__".join(str(part) for part in path)
            ports.append({"name": port, "direction": direction, "width": width})
    return ports


def _streams(component: wiring.Component) -> list[dict[str, Any]]:
    """The streams among the ports, with the fields of their payloads."""
    return [
        {
            "name": name,
            "direction": "input" if member.flow is In else "output",
            "payload": f"{name}__payload",
            "valid": f"{name}__valid",
            "ready": f"{name}__ready",
            "fields": field_table(member.signature.members["payload"].shape),
        }
        for name, member in component.signature.members.items()
        if member.is_signature and isinstance(member.signature, stream.Signature)
    ]


def _macro_facts(config: MacroConfig) -> dict[str, Any]:
    """What follows from a macro's parameters; latencies by the number of input bits."""
    bits = range(1, config.input_bits + 1)
    return {
        "row_groups": config.groups,
        "rows_per_group": config.rows_per_group,
        "output_bits": config.output_bits,
        "binary_operations_per_cycle": config.binary_operations,
        "vector_latency_cycles": {str(n): config.vector_latency(n) for n in bits},
        "vector_interval_cycles": {str(n): config.vector_interval(n) for n in bits},
        **(_write_facts(config) if config.is_writable else {}),
        "row_read_latency_cycles": config.read_latency,
    }


def _write_facts(config: MacroConfig) -> dict[str, int]:
    """Cycles to take a row group, then to fill its table, and from one to the next."""
    return {
        "write_cycles": config.write_cycles,
        "fill_cycles": config.fill_cycles,
        "write_interval_cycles": config.write_interval,
    }


def _npu_facts(config: NpuConfig) -> dict[str, Any]:
    """What follows from an NPU's parameters: what a host has to know, and rates."""
    return {
        "instruction_set_version": VERSION,
        "memory_bytes": {memory.name.lower(): memory_bytes(config, memory) for memory in Memory},
        "binary_operations_per_cycle": config.macro.binary_operations,
        "vector_interval_cycles": config.macro.vector_interval(config.macro.input_bits),
        "vector_output_cycles": config.beats,
        "rows_per_group": config.macro.rows_per_group,
        "weight_row_bytes": config.row_words * config.weight_port,
        "weight_group_bytes": config.group_bytes,
        "load_interval_cycles": config.load_interval,
        "fill_cycles": config.macro.fill_cycles,
    }


_FACTS: dict[str, Callable[[Any], dict[str, Any]]] = {"macro": _macro_facts, "npu": _npu_facts}
