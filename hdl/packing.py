# SPDX-License-Identifier: Apache-2.0
"""Bits of a payload: from Python values to the integer on a port, and back.

The benches, the golden models and the generators share this and the layouts, never an algorithm.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from amaranth.hdl import Shape, ShapeCastable
from amaranth.lib import data

__all__ = ["pack", "unpack", "field_table"]


def pack(layout: Any, value: Any) -> int:
    """The integer that carries `value` on a port of shape `layout`.

    `value` is a mapping for a struct, a sequence (or array) for an array layout, an integer for a
    plain shape. Raises ValueError where an integer does not fit its field.
    """
    if isinstance(layout, data.StructLayout):
        assert isinstance(value, Mapping)
        if extra := set(value) - {name for name, _ in layout}:
            raise ValueError(f"no such field in the payload: {', '.join(sorted(extra))}")
        return sum(pack(field.shape, value[name]) << field.offset for name, field in layout
                   if Shape.cast(field.shape).width)
    if isinstance(layout, data.ArrayLayout):
        return _pack_array(layout, value)
    shape = Shape.cast(layout)
    number = int(value)
    low, high = (-1 << shape.width - 1, (1 << shape.width - 1) - 1) if shape.signed else (
        0, (1 << shape.width) - 1)
    if not low <= number <= high:
        raise ValueError(f"value must be between {low} and {high}, not {number}")
    return number & ((1 << shape.width) - 1)


def _pack_array(layout: data.ArrayLayout, values: Iterable[Any]) -> int:
    items = [pack(layout.elem_shape, item) for item in values]
    if len(items) != layout.length:
        raise ValueError(f"payload must have {layout.length} elements, not {len(items)}")
    width = Shape.cast(layout.elem_shape).width
    # Joining strings is linear in the number of bits, where shifting and adding is quadratic.
    text = "".join(f"{item:0{width}b}" for item in reversed(items))
    return int(text, 2)


def unpack(layout: Any, number: int) -> Any:
    """The value that `number` carries on a port of shape `layout`: the inverse of `pack`.

    Structs become dictionaries, arrays lists, plain shapes integers with their sign.
    """
    if isinstance(layout, data.StructLayout):
        return {
            name: unpack(field.shape, number >> field.offset & _mask(field.width))
            for name, field in layout
        }
    if isinstance(layout, data.ArrayLayout):
        width = Shape.cast(layout.elem_shape).width
        text = f"{number:0{width * layout.length}b}"
        return [
            unpack(layout.elem_shape, int(text[end - width : end], 2))
            for end in range(len(text), 0, -width)
        ]
    shape = Shape.cast(layout)
    if shape.signed and number >> shape.width - 1:
        number -= 1 << shape.width
    return number


def field_table(layout: Any, prefix: str = "") -> list[dict[str, Any]]:
    """Where each field of a payload lies: name, offset, width, sign; arrays as one row each."""
    if isinstance(layout, data.StructLayout):
        return [
            row | {"offset": row["offset"] + field.offset}
            for name, field in layout
            if field.width
            for row in field_table(field.shape, f"{prefix}.{name}" if prefix else name)
        ]
    dimensions = []
    while isinstance(layout, data.ArrayLayout):
        dimensions.append(layout.length)
        layout = layout.elem_shape
    assert not isinstance(layout, ShapeCastable) or not dimensions or isinstance(layout, Shape)
    shape = Shape.cast(layout)
    return [
        {"field": prefix, "offset": 0, "width": shape.width, "signed": shape.signed,
         "dimensions": dimensions}
    ]


def _mask(width: int) -> int:
    return (1 << width) - 1
