# Every command of this repository. `make help` lists them.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# The oldest supported one when it is there, so that everybody tests against the same.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
PACKAGES := libs/kit libs/taxonomy libs/fields services/auth services/account services/onboarding services/listings gateway deploy/local
# What must be installed again when it changes: package metadata, the lock and the .proto files.
INSTALL_INPUTS := pyproject.toml requirements.lock $(PACKAGES:%=%/pyproject.toml) \
	protos/pyproject.toml protos/hatch_build.py $(shell find protos/cas -name '*.proto')

.PHONY: help
help: ## List the commands.
	@grep -hE '^[a-z][a-z-]*:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

# ---- install ----

.PHONY: install
install: $(VENV)/.installed ## Make the virtual environment and install everything into it.

$(VENV)/bin/uv: requirements-uv.lock
	@echo "==> making $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-uv.lock
	@touch $@

$(VENV)/.installed: $(VENV)/bin/uv $(INSTALL_INPUTS)
	@echo "==> installing dependencies"
	@$(BIN)/uv pip install --python $(BIN)/python --require-hashes -r requirements.lock
	@echo "==> installing the packages of this repository"
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --reinstall-package cas-protos $(PACKAGES:%=-e %) ./protos
	@touch $@

.PHONY: lock
lock: $(VENV)/bin/uv ## Pin every dependency anew, with hashes, none younger than a week.
	@UV_CUSTOM_COMPILE_COMMAND="make lock" $(BIN)/uv pip compile --quiet --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --all-extras --group dev \
		$(foreach p,cas-kit cas-taxonomy cas-fields cas-protos cas-local cas-gateway,--no-emit-package $(p)) \
		pyproject.toml protos/pyproject.toml $(PACKAGES:%=%/pyproject.toml) -o requirements.lock
	@awk '/^[^ ]/ {keep = /^uv==/} keep && !/#/' requirements.lock | sed '$$ s/ \\$$//' > requirements-uv.lock

# ---- run ----

.PHONY: run
run: install ## Run everything; Ctrl-C stops it all. Data is kept in .cas/.
	@$(BIN)/cas-local run

.PHONY: up
up: install ## Run everything in the background.
	@$(BIN)/cas-local up

.PHONY: down
down: install ## Stop what `make up` or `make run` started.
	@$(BIN)/cas-local down

.PHONY: status
status: install ## Show what runs and whether it is healthy.
	@$(BIN)/cas-local status

.PHONY: logs
logs: install ## Follow the logs of everything.
	@$(BIN)/cas-local logs

.PHONY: reset
reset: install ## Stop everything and delete its data; asks, unless FORCE=1.
	@$(BIN)/cas-local reset $(if $(FORCE),--yes)

.PHONY: seed
seed: install ## Fill what runs with N listings (1,000) of tutors; SEED=2 makes others.
	@$(BIN)/python -m tools.seed --count $(or $(N),1000) --seed $(or $(SEED),1)

# ---- check ----

SOURCES := libs services gateway deploy tests tools benchmarks protos
TYPED := libs/kit/src libs/taxonomy/src libs/fields/src services/auth/src services/account/src services/onboarding/src services/listings/src gateway/src deploy/local/src

.PHONY: test
test: install ## Run every test on real servers (starts them itself). ARGS="-k name" selects.
	@$(BIN)/pytest -n 2 --dist loadgroup -q $(ARGS)

.PHONY: test-fuzz
test-fuzz: install ## Fuzz every REST API from its OpenAPI document, and auto-save with 10,000 wizard sessions.
	@$(BIN)/pytest -q -m fuzz --hypothesis-profile=thorough $(ARGS)

.PHONY: test-chaos
test-chaos: install ## Process 20,000 pictures while workers and Redis are killed again and again.
	@$(BIN)/pytest -q -m chaos --timeout=3600 $(ARGS)

.PHONY: coverage
coverage: install ## Run every test and show which lines and branches none of them reached.
	@$(BIN)/pytest -n 2 --dist loadgroup -q --cov --cov-report=term --cov-fail-under=90 $(ARGS)

.PHONY: check
check: format-check lint types contracts protos-check dependencies migrations-check openapi-check gateway-check ## Everything CI checks beside the tests.

.PHONY: format
format: install ## Format the code and fix what can be fixed.
	@$(BIN)/ruff format $(SOURCES)
	@$(BIN)/ruff check --fix $(SOURCES)

.PHONY: format-check
format-check: install
	@$(BIN)/ruff format --check $(SOURCES)

.PHONY: lint
lint: install ## Lint with ruff.
	@$(BIN)/ruff check $(SOURCES)

.PHONY: types
types: install ## Check types with mypy, strictly.
	@$(BIN)/mypy $(TYPED)

.PHONY: contracts
contracts: install ## Check the import contracts (docs/adr/0002).
	@$(BIN)/lint-imports

.PHONY: protos-check
protos-check: install ## Lint the protos with buf.
	@$(BIN)/buf lint protos
	@$(BIN)/buf format --diff --exit-code protos

.PHONY: dependencies
dependencies: install ## Check that each package declares what it imports.
	@for package in $(PACKAGES); do (cd $$package && $(CURDIR)/$(BIN)/deptry --config pyproject.toml src) || exit 1; done

.PHONY: migrations-check
migrations-check: install ## No drift, down and up again, clean SQL, for every service.
	@$(BIN)/python tools/check_migrations.py

.PHONY: openapi
openapi: install ## Write docs/api from the code.
	@$(BIN)/python tools/export_openapi.py

.PHONY: openapi-check
openapi-check: install
	@$(BIN)/python tools/export_openapi.py --check

.PHONY: gateway-check
gateway-check: install ## Lint kong.yml by translating it.
	@$(BIN)/cas-gateway check

.PHONY: bench
bench: install ## Measure what requests cost, against baselines (benchmarks/README.md). ARGS="--rate 50"
	@$(BIN)/python -m benchmarks.professional_info $(ARGS)
	@$(BIN)/python -m benchmarks.auth $(ARGS)
	@$(BIN)/python -m benchmarks.onboarding $(ARGS)

.PHONY: bench-images
bench-images: install ## Measure what pictures cost on one core, against Pillow. ARGS="--rounds 5"
	@VIPS_CONCURRENCY=1 $(BIN)/python -m benchmarks.images $(ARGS)

.PHONY: bench-search
bench-search: install ## Measure searching 100,000 and 1,000,000 listings, 20 minutes. ARGS="--rows 100000 --explain"
	@$(BIN)/python -m benchmarks.search $(ARGS)

.PHONY: clean
clean: ## Remove the virtual environment and every cache of this repository.
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache protos/build .coverage htmlcov tests/clients/node_modules
	find . -name __pycache__ -prune -exec rm -rf {} +
