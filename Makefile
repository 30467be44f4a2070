# Every command of this repository. `make help` lists them.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
PACKAGES := libs/kit libs/taxonomy services/auth services/account services/onboarding gateway deploy/local
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
		$(foreach p,cas-kit cas-taxonomy cas-protos cas-local cas-gateway,--no-emit-package $(p)) \
		pyproject.toml protos/pyproject.toml $(PACKAGES:%=%/pyproject.toml) -o requirements.lock
	@awk '/^[^ ]/ {keep = /^uv==/} keep && !/#/' requirements.lock | sed '$$ s/ \\$$//' > requirements-uv.lock
