#!/usr/bin/env bash
# Checks the dependencies' licences, bans and sources against deny.toml.
set -euo pipefail
source "$(dirname "$0")/env.sh"

have cargo-deny || fail "cargo-deny is missing: run cargo install cargo-deny --locked."
cargo deny --workspace check licenses bans sources
