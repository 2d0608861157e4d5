# The one task runner. `make help` lists the targets.

PYTHON ?= $(firstword $(foreach name,python3.13 python3.12 python3.11 python3,$(shell \
	$(name) -c 'import sys; print("$(name)" if sys.version_info >= (3, 11) else "")' 2>/dev/null)))
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
EXTRAS := openlineage,zstd
OLDEST := 2.11.0
VERSIONS ?= # none: all that `make matrix` knows

export RUFF_CACHE_DIR := .cache/ruff
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Where it is set, each of the hundreds of processes of the tests would compile all of Airflow for itself.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := test
.PHONY: test lint docs matrix oldest install demo demo-lookup ui screenshots bench soak replay explore promises clean help

test: $(STAMP) ## everything CI checks: lint, types, documentation, the oldest Airflow, all tests
	@$(MAKE) --no-print-directory --jobs 2 --output-sync=target lint docs oldest
	$(BIN)/python -m pytest

matrix: $(STAMP) ## the wheel on four MWAA versions and the newest Airflow; VERSIONS="2.11.0 3.0.6" for some
	$(BIN)/python -m tests.matrix $(VERSIONS)

oldest: $(STAMP)
	$(BIN)/python -m tests.matrix $(OLDEST)

lint: $(STAMP) ## ruff, import-linter, mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --cache-dir .cache/import-linter
	$(BIN)/mypy

docs: $(STAMP) ## build the documentation into site/
	$(BIN)/mkdocs build --strict --quiet

demo: $(STAMP) ## export a table in a real Airflow, import it into another, compare; on services of this machine
	$(BIN)/python -m tests.demo

demo-lookup: $(STAMP) ## mirror a query of a real PostgreSQL into a lookup table, twice; compare the two
	$(BIN)/python -m tests.demo lookup

ui: $(STAMP) ## the same with a running Airflow to look at
	$(BIN)/python -m tests.demo ui

screenshots: $(STAMP) ## click through the UI in a browser and renew the pictures in docs/images
	SCREENSHOTS=1 $(BIN)/python -m pytest -n 0 tests/airflow/browser

bench: $(STAMP) ## side by side with other ways to export and import; printed as ratios
	$(BIN)/python -m tests.benchmarks speed memory rate import import-memory verify lookup

soak: $(STAMP) ## twenty million items, and the rate over simulated hours
	$(BIN)/python -m tests.benchmarks soak
	$(BIN)/python -m tests.benchmarks rate-soak

replay: $(STAMP) ## play the random schedule of faults that failed: make replay SEED=...
	$(BIN)/python -m tests.faults replay $(SEED)

explore: $(STAMP) ## play random schedules of faults that nobody has seen; COUNT=1000 for more
	$(BIN)/python -m tests.faults explore --count $(or $(COUNT),100)

promises: $(STAMP) ## run the tests of the promises and publish what they tried in docs/reference/promises.md
	$(BIN)/python -m tests.faults promises

install: $(STAMP) ## make .venv and install the project into it

$(STAMP): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" && $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "Python 3.11 or newer is needed; found: $$($(or $(PYTHON),python3) --version 2>&1 || true)."; \
		echo "Install one, or name it: make PYTHON=/path/to/python3.12"; exit 1; }
	@$(PYTHON) -m venv --clear $(VENV) || { \
		echo "$(PYTHON) cannot make a virtual environment."; \
		echo "On Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
	$(BIN)/python -m pip install --quiet --constraint constraints.txt pip
	@if $(BIN)/python -m pip install --quiet --constraint constraints.txt uv; then \
		echo "installing with uv"; \
		$(BIN)/uv pip install --quiet --python $(BIN)/python --constraint constraints.txt \
			--build-constraint constraints.txt --editable '.[$(EXTRAS)]' --group dev; \
	else \
		echo "uv cannot be had here; installing with pip"; \
		$(BIN)/python -m pip install --quiet --constraint constraints.txt \
			--build-constraint constraints.txt --editable '.[$(EXTRAS)]' --group dev; \
	fi
	@touch $@

clean: ## remove what make made
	rm -rf $(VENV) .cache .hypothesis build dist site

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "%-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
