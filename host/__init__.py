# SPDX-License-Identifier: Apache-2.0
"""What runs on a computer: program file, devices, host operators, command line."""
