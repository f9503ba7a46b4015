# make help lists the targets.
SHELL := /bin/bash
BIN := .venv/bin
STAMP := .venv/.setup-stamp
# one more than there are cores: many tests wait most of their time
JOBS ?= $(shell expr $$(nproc) + 1)
# in the order of tests/conftest.py
PARALLEL := -n $(JOBS) --dist loadgroup --no-loadscope-reorder
# modules are compiled once, not in each of the many programs that tests start
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo test quick slow lint bench docs clean

help: ## show this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 10

setup: $(STAMP) ## install system packages (root or sudo) and the package into .venv
	@:

$(STAMP): pyproject.toml src/bootchain/__init__.py requirements/constraints.txt requirements/apt.txt scripts/setup.sh
	@scripts/setup.sh

demo: setup ## boot two real ISOs and show their verdicts
	@scripts/demo.sh

test: setup ## run the tests, JOBS (cores + 1) at a time
	$(BIN)/python -m pytest $(PARALLEL)

quick: setup ## run the tests that boot nothing, without the longest of them (a minute and a half on two cores)
	$(BIN)/python -m pytest $(PARALLEL) -m 'not slow and not boots and not long'

slow: setup ## run the slow tests, all or one group: make slow GROUP=fuzz (groups: tests/slow.md)
ifneq ($(GROUP),properties)
	$(BIN)/python -m pytest -m slow $(PARALLEL) $(if $(GROUP),--group $(GROUP))
endif
ifneq ($(filter properties,$(or $(GROUP),properties)),)
	$(BIN)/python -m pytest --all-examples $(PARALLEL)
endif

lint: setup ## check style, formatting, types and shell scripts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy src tests scripts examples $(if $(wildcard benchmarks/*.py),benchmarks)
	# libraries have no shebang line; step-scripts get their variables from the daemon
	shellcheck --severity=warning --exclude=SC2148,SC2154 $$(scripts/shell_files.sh)

bench: setup ## measure the cost of recording
	@set -e; for script in benchmarks/*.py; do \
		echo "== $$script"; $(BIN)/python $$script; \
	done

docs: setup ## build the documentation as a site in build/site
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "build/site/index.html; with search: python3 -m http.server --bind 127.0.0.1 --directory build/site"

clean: ## remove what was built here (not recorded sessions, not the samples in the user's cache)
	rm -rf .venv build dist src/*.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find src tests scripts benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
