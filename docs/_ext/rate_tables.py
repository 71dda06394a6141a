# SPDX-License-Identifier: Apache-2.0
"""What blocks of the NPU say of their own pace, from their docstrings; their tests measure it."""

import inspect
import re
from importlib import import_module

from md_pieces import escape, table

__all__ = ["BLOCKS", "rates", "said_of"]

#: Name in the manual, module in `cimple.hdl.npu`, class.
BLOCKS = (
    ("front door", "front_door", "FrontDoor"),
    ("program reader", "program_reader", "ProgramReader"),
    ("weight loader", "weight_loader", "WeightLoader"),
    ("row reader", "row_reader", "RowReader"),
    ("fetch engine", "fetch_engine", "FetchEngine"),
    ("AXI reader", "axi_reader", "AxiReader"),
    ("window feeder", "window_feeder", "WindowFeeder"),
    ("result store", "result_store", "ResultStore"),
    ("requantiser, a lane", "requantiser", "Requantiser"),
    ("requantisation lanes", "requantise_lanes", "RequantiseLanes"),
    ("tap walker", "tap_walker", "TapWalker"),
    ("max pool", "max_pool", "MaxPool"),
    ("window sums", "window_sums", "WindowSums"),
    ("image adder", "image_adder", "ImageAdder"),
)

_FACTS = ("Throughput", "Latency")


def rates() -> str:
    """Throughput and latency of each block."""
    rows = (
        (name, *(escape(said_of(module, cls).get(fact, "")) for fact in _FACTS))
        for name, module, cls in BLOCKS
    )
    return table(["Block", *_FACTS], rows)


def said_of(module: str, cls: str) -> dict[str, str]:
    """The facts in a docstring by their keyword: `Throughput: a word a cycle.`"""
    text = inspect.getdoc(getattr(import_module(f"cimple.hdl.npu.{module}"), cls)) or ""
    facts: dict[str, str] = {}
    for paragraph in text.split("\n\n"):
        line = " ".join(paragraph.split())
        for part in re.split(r"(?:^|(?<=\.) )(?=(?:Throughput|Latency|Cost): )", line):
            keyword, colon, fact = part.partition(": ")
            if colon and keyword in _FACTS:
                facts[keyword] = fact
    return facts
