# SPDX-License-Identifier: Apache-2.0
"""cocotb benches, and what builds and runs them under Verilator and Icarus.

Drivers and monitors (`stream`) know only the handshake, the models in `verif.golden` only maths,
the scoreboard only order; a bench (`macro_bench`) joins them. `verify` runs a bench on one's own
configuration.
"""
