# Everything here works on a fresh machine with python3, make and git: .venv is made on the way.
PYTHON ?= python3
PORT ?= 8000
BIN := .venv/bin
BENCH ?=
# In this order: many short files come last, so that no core waits for the other.
TESTS ?= tests/process tests/projects tests/unit
ONLY ?= not long
# How many test files run at a time.
JOBS ?= 2
# What is given to each of them at a time: a file, or a test (load).
DIST ?= loadfile

.DEFAULT_GOAL := help
.PHONY: help up test test-all lint format bench lock clean

help: ## This list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | column -t -s '|' 2>/dev/null || \
	 sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1	\2/p' $(MAKEFILE_LIST)

up: ## Serve the example shop in production mode at http://127.0.0.1:8000
	@$(PYTHON) scripts/bootstrap.py run
	@exec $(BIN)/nuages up examples/bookshop --bind 127.0.0.1:$(PORT)

test: ## The tests: unit, process, projects (a part of them: make test TESTS=tests/unit)
	@$(PYTHON) scripts/bootstrap.py test
	$(BIN)/python -m pytest -n $(JOBS) --dist $(DIST) --no-loadscope-reorder -m "$(ONLY)" $(TESTS)

test-all: ## The same, and images and newer Pythons in Debian roots
	@$(PYTHON) scripts/bootstrap.py test test-more test-all
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python -m pytest -m "" $(TESTS) tests/image

lint: ## Formatting, lint and types
	@$(PYTHON) scripts/bootstrap.py test
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: ## Format and fix what can be fixed by a machine
	@$(PYTHON) scripts/bootstrap.py test
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: ## The servers side by side (a part of them: make bench BENCH="plain query --rounds 5")
	@$(PYTHON) scripts/bootstrap.py bench
	@exec .venv-bench/bin/python -m benchmarks $(BENCH)

# Where uv finds packages: UV_DEFAULT_INDEX or uv.toml; no address is written into a lock.
COMPILE = $(BIN)/uv pip compile --quiet --upgrade --universal --generate-hashes --no-emit-index-url --no-header \
	--python-version 3.10
lock: ## Newest versions into requirements/*.txt
	@$(PYTHON) scripts/bootstrap.py run
	$(COMPILE) --extra build pyproject.toml requirements/run.in -o requirements/run.txt
	$(COMPILE) --no-annotate pyproject.toml -o src/nuages/environment/runtime-requirements.txt
	$(COMPILE) --no-annotate requirements/compressors.in -o src/nuages/environment/compressor-requirements.txt
	$(COMPILE) --extra build pyproject.toml requirements/run.in requirements/test.in -o requirements/test.txt
	$(COMPILE) --extra build pyproject.toml requirements/run.in requirements/bench.in -o requirements/bench.txt

clean: ## Remove .venv and caches
	rm -rf .venv .venv-bench .mypy_cache .ruff_cache .hypothesis build dist
