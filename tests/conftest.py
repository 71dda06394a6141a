# SPDX-License-Identifier: Apache-2.0
"""What all tests share."""

from pathlib import Path

import pytest
from hypothesis import settings

# A busy machine is no fault of the code under test.
settings.register_profile("cimple", deadline=None)
settings.load_profile("cimple")


@pytest.fixture(scope="session")
def root() -> Path:
    """The folder that holds the rooms."""
    return Path(__file__).resolve().parent.parent
