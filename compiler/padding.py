# SPDX-License-Identifier: Apache-2.0
"""Padding with which a window's stride alone decides the size of the result."""

from collections.abc import Sequence

__all__ = ["same_padding"]


def same_padding(
    image: Sequence[int], kernel: Sequence[int], strides: Sequence[int]
) -> list[int]:
    """Pixels along each axis, on both sides together: TFLite's SAME, ONNX's SAME_*.

    The result has ``ceil(image / stride)`` pixels along it.
    """
    return [
        max((-(-size // stride) - 1) * stride + window - size, 0)
        for size, window, stride in zip(image, kernel, strides, strict=True)
    ]
