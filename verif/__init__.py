# SPDX-License-Identifier: Apache-2.0
"""What says whether the gates are right: golden model, cycle model, benches, properties."""
