# SPDX-License-Identifier: Apache-2.0
"""Kernel, strides and padding of ONNX's Conv and MaxPool, and the shape of what they make."""

from dataclasses import dataclass

from .errors import ModelError
from .ir import Pads
from .onnx_file import OnnxNode
from .padding import same_padding, span

__all__ = ["Sliding", "read_sliding"]


@dataclass(frozen=True)
class Sliding:
    """A two-dimensional window: sizes as (rows, columns)."""

    kernel: tuple[int, int]
    strides: tuple[int, int]
    dilations: tuple[int, int]
    pads: Pads
    out: tuple[int, int]
    #: Whether there is any padding, on whichever side.
    padded: bool


def read_sliding(node: OnnxNode, image: tuple[int, int], kernel: tuple[int, int]) -> Sliding:
    """The window of a Conv or MaxPool over an image of rows x columns.

    Raises ModelError for what the NPU does not do (ceil_mode) and for windows that do not fit the
    image.
    """
    if list(node.attributes.get("kernel_shape", kernel)) != list(kernel):
        raise ModelError(
            f"{node.label}: kernel_shape {list(node.attributes['kernel_shape'])} differs from the "
            f"weights' {list(kernel)}"
        )
    dilations = _pair(node, "dilations", [1, 1])
    if min(dilations) < 1:
        raise ModelError(f"{node.label}: dilations must be at least 1, not {dilations}")
    if node.attributes.get("ceil_mode", 0):
        raise ModelError(f"{node.label}: ceil_mode must be 0, not 1; use explicit pads instead")
    strides = _pair(node, "strides", [1, 1])
    if min(*strides, *kernel) < 1:
        raise ModelError(f"{node.label}: kernel_shape and strides must be at least 1")
    covered = span(kernel, dilations)
    begin, end = _pads(node, image, covered, strides)
    out = [
        (size + low + high - window) // stride + 1
        for size, low, high, window, stride in zip(
            image, begin, end, covered, strides, strict=True
        )
    ]
    if min(out) < 1:
        raise ModelError(
            f"{node.label}: a {covered[0]}x{covered[1]} window with strides {list(strides)} and "
            f"pads {[*begin, *end]} does not fit into an image of {image[0]}x{image[1]}"
        )
    return Sliding(
        kernel, (strides[0], strides[1]), (dilations[0], dilations[1]), Pads(*begin),
        (out[0], out[1]), any([*begin, *end]),
    )


def _pair(node: OnnxNode, name: str, default: list[int]) -> list[int]:
    values = list(node.attributes.get(name, default))
    if len(values) != 2:
        raise ModelError(
            f"{node.label}: {name} must have 2 values, not {len(values)}; the NPU has "
            "two-dimensional windows only"
        )
    return values


def _pads(
    node: OnnxNode, image: tuple[int, int], kernel: list[int], strides: list[int]
) -> tuple[list[int], list[int]]:
    """Pixels before (top, left) and after (bottom, right)."""
    mode = node.attributes.get("auto_pad", b"NOTSET").decode()
    if mode == "VALID":
        return [0, 0], [0, 0]
    if mode in ("SAME_UPPER", "SAME_LOWER"):
        total = same_padding(image, kernel, strides)
        less, more = [value // 2 for value in total], [value - value // 2 for value in total]
        return (less, more) if mode == "SAME_UPPER" else (more, less)
    if mode != "NOTSET":
        raise ModelError(
            f"{node.label}: auto_pad must be NOTSET, VALID, SAME_UPPER or SAME_LOWER, not {mode}"
        )
    pads = list(node.attributes.get("pads", [0, 0, 0, 0]))
    if len(pads) != 4 or min(pads) < 0:
        raise ModelError(
            f"{node.label}: pads must be 4 numbers of at least 0 (top, left, bottom, right), "
            f"not {pads}"
        )
    return pads[:2], pads[2:]
