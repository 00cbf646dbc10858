# Leadglass: what people type in this repository. `make help` lists it.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
# What a fresh machine's pip brings along is enough; nothing is cached outside the repository.
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-cache-dir --quiet install
PYTEST := $(BIN)/python -m pytest

.DEFAULT_GOAL := help
.PHONY: help demo test test-all check image lock clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 12

demo: $(VENV)/agent-installed ## A sample app with planted secrets, an agent, and a tour (about a minute, leaves nothing)
	@PYTHONDONTWRITEBYTECODE=1 $(BIN)/python -B demo/tour.py $(DEMO)

test: $(VENV)/dev-installed ## Every test that this machine can run; what it cannot is named
	$(PYTEST) -m "not slow" --cov --cov-report=term:skip-covered

test-all: $(VENV)/dev-installed ## The tests with the slow attacks
	$(PYTEST) --cov --cov-report=term:skip-covered

check: $(VENV)/dev-installed ## The static gate: format, lint, imports, types, stubs, protos
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports --no-cache
	$(BIN)/mypy
	$(BIN)/python protos/generate.py --check
	cd protos && ../$(BIN)/buf lint
	$(BIN)/hadolint Dockerfile.agent

image: $(VENV)/dev-installed ## Build Dockerfile.agent with podman or docker (BASE=image, TAG=name)
	$(BIN)/python deploy/image.py $(if $(BASE),--base $(BASE)) $(if $(TAG),--tag $(TAG))

lock: $(VENV)/dev-installed ## Resolve the pinned requirement files anew
	$(BIN)/python requirements/lock.py

clean: ## Remove the environment and what tools left behind
	rm -rf $(VENV) build dist .coverage .coverage.* .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/agent-installed: $(VENV)/bin/python requirements/agent.txt requirements/build.txt pyproject.toml
	$(PIP) --require-hashes -r requirements/agent.txt -r requirements/build.txt
	$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/dev-installed: $(VENV)/agent-installed requirements/dev.txt
	$(PIP) --require-hashes -r requirements/dev.txt
	@touch $@
