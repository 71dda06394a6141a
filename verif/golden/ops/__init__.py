# SPDX-License-Identifier: Apache-2.0
"""What each kind of descriptor does to the memories: one short file an operation."""
