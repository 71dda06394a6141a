# SPDX-License-Identifier: Apache-2.0
"""Networks with something wrong, and what the compiler says of them."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from cimple.compiler.compile import compile_network
from cimple.compiler.errors import ModelError
from tests.compiler.networks import NetworkBuilder, npu

__all__ = ["attribute", "constant", "find", "message", "refusals", "replace", "saved"]


def message(path: Path, **changes: Any) -> str:
    """The error, without the file's name, which it must begin with."""
    with pytest.raises(ModelError) as caught:
        compile_network(path, npu(**changes))
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    assert "\n" not in text
    return text.removeprefix(f"{path}: ")


def refusals(path: Path, contents: Iterable[bytes]) -> int:
    """How many of these contents the compiler refuses; the others are networks to it."""
    errors = 0
    for content in contents:
        path.write_bytes(content)
        try:
            compile_network(path, npu())
        except ModelError:
            errors += 1
    return errors


def find(model: onnx.ModelProto, kind: str) -> Any:
    return next(node for node in model.graph.node if node.op_type == kind)


def constant(model: onnx.ModelProto, name: str) -> Any:
    return next(tensor for tensor in model.graph.initializer if tensor.name == name)


def replace(model: onnx.ModelProto, name: str, array: Any) -> None:
    constant(model, name).CopyFrom(numpy_helper.from_array(np.asarray(array), name))


def attribute(kind: str, **values: Any) -> Callable[[onnx.ModelProto], None]:
    def change(model: onnx.ModelProto) -> None:
        node = find(model, kind)
        kept = [item for item in node.attribute if item.name not in values]
        del node.attribute[:]
        made = (helper.make_attribute(name, value) for name, value in values.items())
        node.attribute.extend([*kept, *made])

    return change


def saved(builder: NetworkBuilder, change: Callable[[onnx.ModelProto], None], path: Path) -> Path:
    model = builder.model()
    change(model)
    path.write_bytes(model.SerializeToString())
    return path
