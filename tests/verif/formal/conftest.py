# SPDX-License-Identifier: Apache-2.0
"""The tools of the proofs."""

import pytest

from cimple.verif.formal.tools import Tools, find_tools


@pytest.fixture(scope="session")
def tools() -> Tools:
    return find_tools()
