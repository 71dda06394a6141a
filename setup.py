# SPDX-License-Identifier: Apache-2.0
"""List the packages: folder X at the root is the package `cimple.X` (the rest: pyproject.toml)."""

from setuptools import find_packages, setup

ROOMS = ("hdl", "verif", "compiler", "host", "fpga", "ip")
setup(packages=[f"cimple.{p}" for p in find_packages(include=[g for r in ROOMS for g in (r, f"{r}.*")])])
