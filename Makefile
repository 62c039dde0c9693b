# Holdfast: `make run` to use it, `make test` to check it. The work is done by scripts/.

SHELL := bash
.DEFAULT_GOAL := help
.PHONY: help setup web build run test soak lint deny e2e loss-report soak-browser bench bench-media fuzz clean

# Passed on to the program behind run, e2e and bench: make e2e ARGS='tests/record.spec.ts'
ARGS ?=
# How long soak-browser and the soak in loss-report record, and with which faults.
MINUTES ?= 60
SEED ?=

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-12s  %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

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

lint: ## Check formatting, Clippy's lints, the documentation, and the types of the browser tests
	@bash scripts/setup.sh test
	@bash scripts/lint.sh

deny: ## Check licences, bans and sources of the dependencies (needs cargo-deny)
	@bash scripts/deny.sh

e2e: build ## Run the browser tests alone; ARGS go to Playwright
	@bash scripts/setup.sh test
	@bash scripts/e2e.sh $(ARGS)

loss-report: build ## Measure the fault table at full length into docs/loss-report.md; ARGS='soak' a part of it
	@bash scripts/setup.sh test
	@LOSS_REPORT=full MINUTES=$(MINUTES) $(if $(SEED),SEED=$(SEED)) bash scripts/e2e.sh --project=faults $(ARGS)

soak-browser: build ## One recording under random faults; MINUTES=60 and SEED may be set
	@bash scripts/setup.sh test
	@MINUTES=$(MINUTES) $(if $(SEED),SEED=$(SEED)) bash scripts/e2e.sh --project=faults tests/faults/soak.spec.ts

bench: ## Run the benchmarks; ARGS go to cargo bench
	@bash scripts/bench.sh $(ARGS)

bench-media: ## Measure the media engine beside its peers into docs/benchmarks.md
	@bash scripts/bench-media.sh

# How many worlds the simulation goes through, and from which seed on.
SEEDS ?= 100000
FROM ?= 1000000

soak: ## Run the simulation over SEEDS=100000 seeds, for at most MINUTES=60
	@bash scripts/soak.sh $(SEEDS) $(FROM) $(MINUTES)

# How long each target is fuzzed.
SECONDS ?= 60

fuzz: ## Fuzz the media engine, each target for SECONDS=60; ARGS names targets
	@bash scripts/fuzz.sh $(SECONDS) $(ARGS)

clean: ## Remove what was built in this folder (the cache stays)
	@bash scripts/clean.sh
