# SPDX-License-Identifier: Apache-2.0
"""The classes of Amaranth's syntax tree.

They are private to Amaranth and its type stubs do not describe what is in them, so they are untyped
here. The project's bounds on Amaranth's version keep them as they are.
"""

from importlib import import_module
from typing import Any

_ast: Any = import_module("amaranth.hdl._ast")
_hdl: Any = import_module("amaranth.hdl")

# Statements
Assign = _ast.Assign
Switch = _ast.Switch

# Values
Concat = _ast.Concat
Operator = _ast.Operator
Part = _ast.Part
Slice = _ast.Slice
SwitchValue = _ast.SwitchValue
ClockSignal = _hdl.ClockSignal
ResetSignal = _hdl.ResetSignal

# Modules
Fragment = _hdl.Fragment
Instance = _hdl.Instance
IOBufferInstance = _hdl.IOBufferInstance
MemoryInstance = _hdl.MemoryInstance
