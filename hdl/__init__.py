# SPDX-License-Identifier: Apache-2.0
"""What becomes gates: the macro, the NPU and the transports. Imports no other room."""
