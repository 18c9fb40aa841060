# Needs only make and Python 3.11 or newer. Everything goes to .venv and the weights cache.

SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/installed.stamp
# Set PYTHON to choose an interpreter, PIP_FLAGS for options of pip install.
ifndef PYTHON
PYTHON := $(firstword $(foreach name,python3 python3.13 python3.12 python3.11,\
	$(shell $(name) -c 'import sys; sys.version_info >= (3, 11) and print("$(name)")' 2>/dev/null)))
endif
PIP_FLAGS ?=
TEST_FLAGS ?=

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint clean

help: ## List what can be made
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1|/' \
		| while IFS='|' read -r name text; do printf '  make %-7s %s\n' "$$name" "$$text"; done

setup: $(STAMP) ## Make .venv with all dependencies, and fetch the base weights
	@$(BIN)/python -m export.models

demo: setup ## Recognise the emotions of the clip in demo/; events in out/demo.jsonl
	@mkdir -p out && rm -f out/demo.jsonl
	$(BIN)/python run_live.py --file demo/talk.mp4 --pace max --jsonl out/demo.jsonl

test: setup lint ## Lint, types and all tests
	$(BIN)/python -m pytest $(TEST_FLAGS)

lint: $(STAMP) ## Lint and types only
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean: ## Remove .venv, out and caches of the tools; keeps the weights
	rm -rf $(VENV) out .mypy_cache .ruff_cache .pytest_cache .hypothesis

# Made again only when the dependencies change, or when an earlier try did not finish.
$(STAMP): pyproject.toml
	@test -n "$(PYTHON)" || { echo "error: no Python 3.11 or newer was found: install python3.11" \
		"(or newer), or name one with make PYTHON=/path/to/python" >&2; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "error: $(PYTHON) is not Python 3.11 or newer: name one that is with PYTHON=" >&2; exit 2; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV) || { \
		echo "error: $(PYTHON) cannot make a virtual environment: install the package" \
		"python3-venv (Debian, Ubuntu), then run make again" >&2; exit 2; }
	$(BIN)/python -m pip install $(PIP_FLAGS) --editable '.[dev]'
	@touch $@
