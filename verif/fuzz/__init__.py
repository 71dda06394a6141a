# SPDX-License-Identifier: Apache-2.0
"""A fuzzer of the NPU's front door: hostile packets, and what must come of them.

`packets` and `programs` draw what is sent and know nothing of answers; `outlook` says how a program
may end; `rounds` sends, and compares every answer and every memory with the golden model. A `link`
carries words.
"""
