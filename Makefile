# Needs only make and a Python from 3.11 to 3.14. Everything goes to .venv and the weights cache.

SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/installed.stamp
VERSIONS := 3.11 3.12 3.13 3.14
# Set PYTHON to choose an interpreter, PIP_FLAGS for options of pip install.
SUPPORTED := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))
ifndef PYTHON
PYTHON := $(firstword $(foreach name,python3 $(VERSIONS:%=python%),\
	$(shell $(name) -c '$(SUPPORTED)' 2>/dev/null && echo $(name))))
endif
PIP_FLAGS ?=
TEST_FLAGS ?=
VERSION := import sys; print("py%d%d" % sys.version_info[:2])

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-fast lint lock clean

help: ## List what can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1|/' \
		| while IFS='|' read -r name text; do printf '  make %-9s %s\n' "$$name" "$$text"; done

setup: $(STAMP) ## Make .venv with all dependencies, and fetch the base weights
	@$(BIN)/python -m export.models

demo: setup ## Recognise the emotions of the clip in demo/; events in out/demo.jsonl
	@mkdir -p out && rm -f out/demo.jsonl
	$(BIN)/python run_live.py --file demo/talk.mp4 --pace max --jsonl out/demo.jsonl

test: setup lint ## Lint, types and all tests
	$(BIN)/python -m pytest $(TEST_FLAGS)

test-fast: setup ## The tests that take moments
	$(BIN)/python -m pytest -m 'not slow' $(TEST_FLAGS)

lint: $(STAMP) ## Lint and types only
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

lock: ## Look for the newest versions that pyproject.toml allows: constraints/ for every Python
	@test -x .venv-lock/bin/uv || { $(PYTHON) -m venv .venv-lock \
		&& .venv-lock/bin/python -m pip install --quiet 'uv>=0.9,<1'; }
	@mkdir -p constraints
	@for version in $(VERSIONS); do file=constraints/py$${version/./}.txt; \
		echo "# Made by make lock for Python $$version on any system." > $$file; \
		.venv-lock/bin/uv pip compile --quiet --upgrade --universal --all-extras \
			--python-version $$version --no-annotate --no-header --no-emit-index-url \
			pyproject.toml >> $$file || exit; \
		echo "$$file: $$(grep -c == $$file) packages"; done

clean: ## Remove .venv, out and caches of the tools; keeps the weights
	rm -rf $(VENV) .venv-* out .mypy_cache .ruff_cache .pytest_cache .hypothesis

# Made again only when the dependencies change, or when an earlier try did not finish.
$(STAMP): pyproject.toml $(wildcard constraints/*.txt)
	@test -n "$(PYTHON)" || { echo "error: no Python from 3.11 to 3.14 was found: install python3.11" \
		"(or newer), or name one with make PYTHON=/path/to/python" >&2; exit 2; }
	@$(PYTHON) -c '$(SUPPORTED)' || { \
		echo "error: $(PYTHON) is not Python 3.11 to 3.14: name one that is with PYTHON=" >&2; exit 2; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV) || { \
		echo "error: $(PYTHON) cannot make a virtual environment: install the package" \
		"python3-venv (Debian, Ubuntu), then run make again" >&2; exit 2; }
	$(BIN)/python -m pip install $(PIP_FLAGS) --editable '.[dev]' \
		--constraint constraints/$$($(BIN)/python -c '$(VERSION)').txt
	@touch $@
