# SPDX-License-Identifier: Apache-2.0
"""The cycle model: when things happen in an NPU, to the cycle, without the data."""
