#!/usr/bin/env bash
# Builds target/release/holdfast: one file, with what the browser loads inside.
set -euo pipefail
source "$(dirname "$0")/env.sh"

scripts/setup.sh build
scripts/web.sh
say "Building target/release/holdfast"
cargo build --release "${LOCKED[@]}" --package server --bin holdfast ||
  fail "the server did not build."
built=$CARGO_TARGET_DIR/release/holdfast
if [[ ! $built -ef target/release/holdfast ]]; then
  mkdir -p target/release
  # Aside and into place, so that a running holdfast keeps its file.
  cp "$built" target/release/holdfast.new
  mv target/release/holdfast.new target/release/holdfast
fi
say "Built target/release/holdfast ($(du -h target/release/holdfast | cut -f1))"
