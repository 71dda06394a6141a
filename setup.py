# SPDX-License-Identifier: Apache-2.0
"""List the packages: folder X at the root is the package `cimple.X` (the rest: pyproject.toml)."""

from setuptools import find_packages, setup

ROOMS = ("hdl", "verif", "compiler", "host", "fpga", "ip")
FOUND = find_packages(include=[*ROOMS, *(f"{room}.*" for room in ROOMS)])

setup(packages=[f"cimple.{package}" for package in FOUND])
