# SPDX-License-Identifier: Apache-2.0
"""What all tests share."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def root() -> Path:
    """The folder that holds the rooms."""
    return Path(__file__).resolve().parent.parent
