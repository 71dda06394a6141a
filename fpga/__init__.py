# SPDX-License-Identifier: Apache-2.0
"""Boards, top levels, builds and the on-board self-test."""
