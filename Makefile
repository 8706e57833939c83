# Needs Python 3.11 or newer and make; everything else is set up in .venv from pinned, hashed requirements.
# make run | test | chaos | bench | lint | format | clean

VENV := .venv
BIN  := $(VENV)/bin
PIP  := $(BIN)/python -m pip --disable-pip-version-check
# Rounds of kill -9 in `make chaos`.
KILLS ?= 50
# Processes that share the tests: make test WORKERS=8 where there are more processors.
WORKERS ?= 2

.PHONY: help run test lint loops durable format chaos bench clean
.DEFAULT_GOAL := help

help:
	@echo "make run     set up and start the sandbox on http://127.0.0.1:8080"
	@echo "make test    set up and run every check: style, types, imports, tests"
	@echo "make chaos   kill a real server $(KILLS) times under load and count what is lost (KILLS=5 for a short one)"
	@echo "make bench   measure signals per core-second beside a bare server"
	@echo "make lint    style, types and imports only;  make format  lay the code out"
	@echo "make clean   remove .venv, var and caches"

run: $(VENV)/stamp-project
	@$(BIN)/herenow serve --sandbox

test: $(VENV)/stamp-dev
	@$(MAKE) --no-print-directory --jobs=2 lint loops durable
	@$(BIN)/python -m pytest -m "not chaos" --numprocesses=$(WORKERS) --dist=worksteal

lint: $(VENV)/stamp-dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

# Compiled here once, or each process of the tests would do it by itself.
loops: $(VENV)/stamp-dev
	@$(BIN)/python -m engine.hastening

durable: $(VENV)/stamp-dev
	@requirements/durable.sh $(BIN)/python

format: $(VENV)/stamp-dev
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

chaos: $(VENV)/stamp-dev
	@HERENOW_CHAOS_KILLS=$(KILLS) $(BIN)/python -m pytest -m chaos -s

bench: $(VENV)/stamp-dev
	@$(BIN)/python -m benchmarks.http_ingest

clean:
	rm -rf $(VENV) var dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# ---------------------------------------------------------------- setting up (a stamp per step: the second run is instant)

$(BIN)/python:
	@PYTHON="$(PYTHON)" requirements/find-python.sh -m venv $(VENV)

$(VENV)/stamp-run: requirements/run.txt | $(BIN)/python
	@echo "Installing what Herenow needs ..."
	@$(PIP) install --quiet --require-hashes -r requirements/run.txt
	@touch $@

$(VENV)/stamp-project: $(VENV)/stamp-run pyproject.toml engine/__init__.py
	@$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/stamp-dev: $(VENV)/stamp-project requirements/dev.txt
	@echo "Installing what the tests need ..."
	@$(PIP) install --quiet --require-hashes -r requirements/dev.txt
	@touch $@
