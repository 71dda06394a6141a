# SPDX-License-Identifier: Apache-2.0
"""Presets as data: `macro/*.yaml` and `npu/*.yaml`, each with where its numbers come from."""
