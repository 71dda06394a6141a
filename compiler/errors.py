# SPDX-License-Identifier: Apache-2.0
"""The exception for a network that cannot be compiled."""

from ..hdl.errors import CimpleError

__all__ = ["ModelError"]


class ModelError(CimpleError):
    """A network that is not readable, not supported, or too large for the NPU.

    The text names the node and operator, what is allowed, and what to change.
    """
