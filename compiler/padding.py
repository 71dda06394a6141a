# SPDX-License-Identifier: Apache-2.0
"""Padding with which a window's stride alone decides the size of the result."""

from collections.abc import Sequence

__all__ = ["same_padding", "span"]


def span(kernel: Sequence[int], dilations: Sequence[int]) -> list[int]:
    """Pixels from a window's first to its last along each axis, those between taps included."""
    return [
        (taps - 1) * dilation + 1 for taps, dilation in zip(kernel, dilations, strict=True)
    ]


def same_padding(
    image: Sequence[int], kernel: Sequence[int], strides: Sequence[int]
) -> list[int]:
    """Pixels along each axis, on both sides together: TFLite's SAME, ONNX's SAME_*.

    `kernel`: as `span` gives it.

    The result has ``ceil(image / stride)`` pixels along it.
    """
    return [
        max((-(-size // stride) - 1) * stride + window - size, 0)
        for size, window, stride in zip(image, kernel, strides, strict=True)
    ]
