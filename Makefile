# Two commands matter: `make run` and `make test`. Everything is installed into .venv; nothing has to run beforehand.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help

# PORT and ARGS go to the demo: make run PORT=8500 ARGS=--reset
PORT ?=
ARGS ?=
# One database server a worker: more workers than four cost more memory than they win.
WORKERS ?= $(shell n=$$(nproc 2>/dev/null || echo 2); echo $$((n < 4 ? n : 4)))
TESTS ?= tests
# How much of the full figures a soak runs.
SHARE ?= 1
CODE := src tests scripts $(wildcard bench) $(wildcard examples)

export PYTHON

.PHONY: help run test soak check bench features docs pictures constraints connector install install-test clean

help: ## show what make can do
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: install ## install and start the demo on http://127.0.0.1:8400 (PORT=…, ARGS=--reset)
	@exec .venv/bin/sayso demo $(if $(PORT),--port $(PORT)) $(ARGS)

test: install-test ## install what the tests need and run them all (TESTS=path for some)
	@rm -f .features.json
	@.venv/bin/python -m pytest -n $(WORKERS) --dist worksteal -q $(TESTS)

soak: install-test ## run the full figures of the guarantees, for hours (SHARE=0.01 for a hundredth of them)
	@SOAK_SHARE=$(SHARE) .venv/bin/python -m pytest -n $(WORKERS) --dist worksteal -q -m soak -o timeout=86400 tests

check: install-test ## format, lint, types, floors, sizes
	@.venv/bin/ruff format --check --quiet $(CODE) || { echo "Run: .venv/bin/ruff format $(CODE)"; exit 1; }
	@.venv/bin/ruff check --quiet $(CODE)
	@.venv/bin/mypy
	@.venv/bin/lint-imports
	@.venv/bin/python scripts/sizes.py

bench: install-test ## measure throughput and latency on this machine
	@if [ -d bench ]; then .venv/bin/python -m bench; else echo "There is no bench/ yet."; fi

features: ## list the features that passing tests of the last run show
	@.venv/bin/python tests/feature_report.py

docs: install-test ## write the reference pages and docs/openapi.json from the code
	@.venv/bin/python scripts/openapi.py
	@.venv/bin/python scripts/docs.py
	@.venv/bin/python scripts/cli_reference.py

pictures: install-test ## take the pictures of people's own pages anew (docs/images/center-*.png)
	@SAYSO_SCREENSHOTS=1 .venv/bin/python -m pytest -q tests/browser/test_center_pages.py -k pictures

constraints: install-test ## write the versions installed now into constraints.txt
	@scripts/constraints.sh

install:
	@scripts/install.sh run

install-test:
	@scripts/install.sh test

connector: install ## begin a new connector that passes its suite at once (name=acme)
	@[ -n "$(name)" ] || { echo "Name it: make connector name=acme"; exit 2; }
	@.venv/bin/sayso connector new $(name)

clean: ## remove what make made; the data folder stays
	@rm -rf .venv build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage .features.json
	@find src tests -name __pycache__ -type d -prune -exec rm -rf {} +
