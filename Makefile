# `make run` and `make test` set up everything they need from Python 3.11 and the package registry alone.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.PHONY: run serve test lint bench up down lock clean

run: $(READY)  ## train the digits problem to the end and deploy version 1
	@$(BIN)/salamander train digits

serve: $(READY)  ## answer for everything in production, over HTTP at 8501 and gRPC at 8500
	@$(BIN)/salamander serve

test: $(READY)  ## all tests; starts the servers it needs and stops them
	@$(BIN)/pytest --numprocesses 2 --dist worksteal

lint: $(READY)  ## style, types, imports
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/basedpyright
	@$(BIN)/lint-imports

bench: $(READY)  ## every figure that we claim, measured
	@for name in digits book accuracy search overhead quarantine scale gate crashes serving swap fuzz scoring; do echo "== $$name"; $(BIN)/python benchmarks/$$name.py || exit 1; done

up: $(READY)  ## local Prefect server, worker and all deployments
	@$(BIN)/salamander up

down: $(READY)  ## stop what `up` and the other commands started
	@$(BIN)/salamander down

lock:  ## resolve requirements.lock anew from pyproject.toml
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
		--group dev pyproject.toml --output-file requirements.lock

$(READY): requirements.lock pyproject.toml
	@echo "Setting up .venv ..."
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install -qq --disable-pip-version-check uv
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode --require-hashes -r requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

clean:  ## remove the environment; data/store, which holds what is in production, stays
	rm -rf .venv .pytest_cache .ruff_cache
