# SPDX-License-Identifier: Apache-2.0
"""Boards, builds and the on-board self-test; what designs take of FPGAs and of silicon."""
