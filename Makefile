# Holdfast: `make run` to use it, `make test` to check it. The work is done by scripts/.

SHELL := bash
.DEFAULT_GOAL := help
.PHONY: help setup web build run test lint deny e2e bench soak clean

# Passed on to the program behind run, e2e and bench: make e2e ARGS='tests/record.spec.ts'
ARGS ?=

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / { printf "  make %-6s  %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Install what building and testing need, if it is missing
	@bash scripts/setup.sh test

web: ## Build what the browser loads into dist/
	@bash scripts/setup.sh build
	@bash scripts/web.sh

build: ## Build target/release/holdfast, one self-contained file
	@bash scripts/build.sh

run: ## Build and start Holdfast on http://127.0.0.1:3000
	@bash scripts/run.sh $(ARGS)

test: ## Run every test, the real browser included
	@bash scripts/test.sh

lint: ## Check formatting, Clippy's lints, and the types of the browser tests
	@bash scripts/setup.sh test
	@bash scripts/lint.sh

deny: ## Check licences, bans and sources of the dependencies (needs cargo-deny)
	@bash scripts/deny.sh

e2e: build ## Run the browser tests alone; ARGS go to Playwright
	@bash scripts/setup.sh test
	@bash scripts/e2e.sh $(ARGS)

bench: ## Run the benchmarks; ARGS go to cargo bench
	@bash scripts/bench.sh $(ARGS)

# How many worlds the simulation goes through, from which seed on, and for how long at most.
SEEDS ?= 100000
FROM ?= 1000000
MINUTES ?= 60

soak: ## Run the simulation over SEEDS=100000 seeds, for at most MINUTES=60
	@bash scripts/soak.sh $(SEEDS) $(FROM) $(MINUTES)

clean: ## Remove what was built in this folder (the cache stays)
	@bash scripts/clean.sh
