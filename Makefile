# Two commands work on a fresh machine: make demo, make test.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# A plain "torch" would fetch a CUDA build of several GB on Linux.
TORCH ?= torch==2.13.0

.PHONY: setup demo test check fix clean

$(VENV)/.base: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install $(TORCH)
	$(PIP) install --editable .
	$(BIN)/python -m whatchanged.models.embedded
	touch $@

$(VENV)/.dev: $(VENV)/.base
	$(PIP) install --editable '.[dev]'
	touch $@

setup: $(VENV)/.dev

demo: $(VENV)/.base
	$(BIN)/whatchanged demo --out demo-out

check: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

test: check
	$(BIN)/python -m pytest

fix: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf demo-out .mypy_cache .ruff_cache build dist
