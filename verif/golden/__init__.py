# SPDX-License-Identifier: Apache-2.0
"""NumPy models that say what the hardware must compute, bit for bit."""
