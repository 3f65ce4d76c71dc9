# One command each: `make demo` shows the harness at work, `make test` is every test there is.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LOCK := requirements.lock
DEV_LOCK := requirements-dev.lock

.PHONY: demo test lint selftest coverage benchmark docs lock clean

demo: $(VENV)/.runtime
	$(BIN)/medmij-conformance run reference:dvza --report-dir reports/demo

test: $(VENV)/.dev lint
	$(BIN)/python -m pytest tests -n 2 --dist loadfile

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy medmij_conformance
	$(BIN)/lint-imports

selftest: $(VENV)/.runtime
	$(BIN)/medmij-conformance selftest

# Renew the record of what a reference run shows, which `coverage` reads.
coverage: $(VENV)/.runtime
	$(BIN)/medmij-conformance run reference:dvza --quiet --report-dir reports/coverage
	$(BIN)/medmij-conformance coverage --record reports/coverage > /dev/null

benchmark: $(VENV)/.runtime
	$(BIN)/python benchmarks/measure.py

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: $(LOCK) pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --require-hashes -r $(LOCK)
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	touch $@

$(VENV)/.dev: $(DEV_LOCK) $(VENV)/.runtime
	$(BIN)/python -m pip install --quiet --require-hashes -r $(DEV_LOCK)
	touch $@

# Written by uv for every Python and platform we support; no registry address goes into it.
lock:
	uv pip compile pyproject.toml --extra build --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-annotate --no-header -o $(LOCK)
	uv pip compile pyproject.toml --extra build --extra dev --universal --python-version 3.11 --generate-hashes \
		--no-emit-index-url --no-annotate --no-header -c $(LOCK) -o $(DEV_LOCK)

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache

# Pages that are made from the code.
docs: $(VENV)/.runtime
	$(BIN)/python docs/render.py
