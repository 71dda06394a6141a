# SPDX-License-Identifier: Apache-2.0
"""What a program runs on: the golden model and the generated Verilog in two simulators."""
