# `make` sets up .venv by itself, with the first Python >= 3.11 that it finds; `make PYTHON=/path/to/python` chooses.

SHELL := /bin/sh
.SHELLFLAGS := -ec
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?=
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PYTESTFLAGS ?= -n 2
MINUTES ?= 30

# A copied or renamed folder has a .venv whose scripts point elsewhere: the mark holds the folder's own name.
ifneq ($(wildcard $(READY)),)
ifneq ($(shell cat $(READY)),$(CURDIR))
$(shell rm -f $(READY); touch $(VENV)/.stale)
endif
endif

.PHONY: help
help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-14s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.PHONY: demo
demo: $(READY) ## watch workflows go from a database into git and back
	@PATH="$(CURDIR)/$(BIN):$$PATH" sh docs/demo.sh

.PHONY: test
test: lint ## format check, lint, types and all tests; what CI runs
	$(BIN)/python -m pytest $(PYTESTFLAGS)

.PHONY: lint
lint: $(READY) ## format check, lint and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

.PHONY: fmt
fmt: $(READY) ## format the code and apply the safe fixes
	$(BIN)/ruff check --fix --exit-zero --quiet .
	$(BIN)/ruff format .

.PHONY: fuzz
fuzz: $(READY) ## all that is random or heavy, again and again for MINUTES=30; TESTS=tests/… for a part of it
	GITSYNC_TEST_MINUTES=$(MINUTES) $(BIN)/python -m pytest -m fuzz $(PYTESTFLAGS) --dist each $(TESTS)

.PHONY: bench
bench: $(READY) ## measure the speed budget of docs/performance.md; N=100000 for one size alone
	$(BIN)/python -m benchmarks $(if $(N),--size $(N))

.PHONY: requirements
requirements: $(READY) ## pin requirements/*.txt anew from pyproject.toml; UPGRADE=1 takes the newest versions
	$(PIN) --output-file=requirements/runtime.txt pyproject.toml
	$(PIN) --only-build-deps --build-deps-for=wheel --output-file=requirements/build.txt pyproject.toml
	$(PIN) --extra=server --extra=dev --output-file=requirements/dev.txt pyproject.toml

PIN = CUSTOM_COMPILE_COMMAND='make requirements' $(BIN)/pip-compile --quiet $(if $(UPGRADE),--upgrade) \
	--no-build-isolation --generate-hashes --strip-extras --allow-unsafe \
	--no-emit-index-url --no-emit-trusted-host --no-emit-find-links

.PHONY: clean
clean: ## remove .venv and everything else that was made here
	rm -rf $(VENV) build dist .hypothesis .mypy_cache .pytest_cache .ruff_cache *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: setup
setup: $(READY) ## make .venv ready and nothing else

$(READY): requirements/dev.txt pyproject.toml
	@sh requirements/venv.sh "$(VENV)" "$(PYTHON)"
	@echo "installing into $(VENV): requirements/dev.txt, then gitsync itself"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@echo "$(CURDIR)" > $@
