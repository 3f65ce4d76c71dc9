# One command each: `make demo` shows the harness at work, `make test` is every test there is.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LOCK := requirements.lock
DEV_LOCK := requirements-dev.lock

# Hundreds of processes start in the tests: what is compiled once is kept, whatever the surroundings say.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test lint selftest selftest-whole coverage benchmark benchmark-lists repeat docs lock clean

demo: $(VENV)/.runtime
	for role in dvza dvp; do \
		$(BIN)/medmij-conformance run reference:$$role --report-dir reports/demo-$$role || exit 1; \
	done

test: $(VENV)/.dev lint
	$(BIN)/python -m pytest tests -n 2 --dist loadfile

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy medmij_conformance
	$(BIN)/lint-imports

selftest: $(VENV)/.runtime
	$(BIN)/medmij-conformance selftest

# Before a release: every deviation runs every scenario, so that no check is seen to object where none is declared, and
# every scenario is seen with Chromium.
selftest-whole: $(VENV)/.dev
	$(BIN)/medmij-conformance selftest --whole
	MEDMIJ_WHOLE=1 $(BIN)/python -m pytest tests/test_script_pages.py

# Renew the record of what a reference run shows, which `coverage` reads.
coverage: $(VENV)/.runtime
	for role in dvza dvp registratie; do \
		$(BIN)/medmij-conformance run reference:$$role --quiet --report-dir reports/coverage-$$role && \
		$(BIN)/medmij-conformance coverage --record reports/coverage-$$role > /dev/null || exit 1; \
	done

benchmark: $(VENV)/.runtime
	$(BIN)/python benchmarks/measure.py
	$(BIN)/python benchmarks/bare.py

# Twenty runs of each reference in a row, every verdict the same; a quarter of an hour.
repeat: $(VENV)/.runtime
	$(BIN)/python benchmarks/repeat.py

# Lists of a hundred thousand and of a million providers; needs 1.5 GB in the temporary folder, and some minutes.
benchmark-lists: $(VENV)/.runtime
	$(BIN)/python benchmarks/lists.py
	$(BIN)/python benchmarks/lists.py --providers 1000000 --runs 1

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
