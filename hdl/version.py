# SPDX-License-Identifier: Apache-2.0
"""The version of the installed package, which goes into everything that is generated."""

from importlib import metadata

__all__ = ["version"]


def version() -> str:
    """Version of the installed `cimple`, as in `pyproject.toml`."""
    return metadata.version("cimple")
