# SPDX-License-Identifier: Apache-2.0
"""LiteRT's reference kernels as the judge of TFLite networks: every tensor of one image."""

from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from numpy.typing import NDArray

__all__ = ["tensors_of"]


def tensors_of(path: Path, image: NDArray[np.int8]) -> dict[str, NDArray[np.int8]]:
    """Every int8 tensor of the network by name, without the batch; `image` is its input.

    The default kernels round in other ways; these are the ones that the specification names.
    """
    interpreter = Interpreter(
        str(path), experimental_op_resolver_type=OpResolverType.BUILTIN_REF,
        experimental_preserve_all_tensors=True,
    )
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image[None])
    interpreter.invoke()
    found = {}
    for detail in interpreter.get_tensor_details():
        if detail["dtype"] == np.int8 and len(detail["shape"]) > 1 and detail["shape"][0] == 1:
            found[detail["name"]] = np.array(interpreter.get_tensor(detail["index"])[0])
    return found
