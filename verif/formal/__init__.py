# SPDX-License-Identifier: Apache-2.0
"""Formal proofs: what is claimed of the hardware, and the runner that has a solver prove it."""
