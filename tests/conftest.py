# SPDX-License-Identifier: Apache-2.0
"""What all tests share."""

import gc
from pathlib import Path

import pytest
from hypothesis import settings

# A busy machine is no fault of the code under test.
settings.register_profile("cimple", deadline=None)
settings.load_profile("cimple")


def pytest_collection_finish() -> None:
    """Keep Python from looking through all that is imported again and again for what is unused."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 10, 10)


@pytest.fixture(scope="session")
def root() -> Path:
    """The folder that holds the rooms."""
    return Path(__file__).resolve().parent.parent
