# Two commands matter: `make run` (the main job on the sample reports) and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
RUN_DIR ?= runs/sample
INPUT ?= data

.DEFAULT_GOAL := help
.PHONY: help run test test-all browser quick format-check lint types imports tests docs-check wheel-smoke format clean

help:  ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or later is needed: make PYTHON=python3.12 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.core: pyproject.toml | $(VENV)/bin/python
	@echo "Setting up $(VENV) (once, about a minute)"
	$(PIP) install --upgrade "pip>=25.1"
	$(PIP) install -e .
	@touch $@

$(VENV)/.dev: pyproject.toml $(VENV)/.core
	$(PIP) install -e ".[azure,dicom,parquet]" --group dev
	@touch $@

$(VENV)/.heavy: pyproject.toml $(VENV)/.dev
	$(PIP) install --group heavy
	@touch $@

run: $(VENV)/.core  ## Run recipe medical-cxr-vqa with rules on the sample reports in data/
	@$(BIN)/python run_pipeline.py run medical-cxr-vqa --backend rules --input $(INPUT) --run-dir $(RUN_DIR) || [ $$? -eq 1 ]

test: $(VENV)/.dev format-check lint types imports tests docs-check wheel-smoke  ## Pass every check that installs in a minute or two

test-all: $(VENV)/.heavy browser  ## After make test: the tests that need gigabytes (torch, a model server, gradio, a browser)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -m heavy

browser:  # Debian's chromium, with fonts for Chinese pages; other systems bring their own
	@command -v chromium >/dev/null || command -v google-chrome >/dev/null || \
	  { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get -qq update && \
	    DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends chromium fonts-noto-cjk >/dev/null; } || \
	  { echo "The browser tests need chromium: install it (Debian: apt-get install chromium fonts-noto-cjk)"; exit 1; }

quick: $(VENV)/.dev  ## Lint, types and the tests of what changed last failed first
	$(BIN)/ruff check . && $(BIN)/mypy && $(BIN)/python -m pytest -x -m "not heavy" tests

format-check: $(VENV)/.dev
	$(BIN)/ruff format --check .

lint: $(VENV)/.dev
	$(BIN)/ruff check .

types: $(VENV)/.dev
	$(BIN)/mypy

imports: $(VENV)/.dev
	$(BIN)/lint-imports --no-cache

tests: $(VENV)/.dev
	$(BIN)/python -m pytest -q -m "not heavy" -n auto --maxprocesses 4 --dist loadfile

docs-check: $(VENV)/.dev
	$(BIN)/python docs/make_cli.py --check

wheel-smoke: $(VENV)/.dev
	$(BIN)/python tests/wheel_smoke.py

format: $(VENV)/.dev  ## Bring the code into shape
	$(BIN)/ruff format . && $(BIN)/ruff check --fix .

clean:  ## Remove environment, caches and builds; runs stay
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis dist build
