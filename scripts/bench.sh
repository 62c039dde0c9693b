#!/usr/bin/env bash
# Runs the benchmarks; arguments go to cargo bench.
set -euo pipefail
source "$(dirname "$0")/env.sh"

scripts/setup.sh build
mkdir -p dist
exec cargo bench "${LOCKED[@]}" "$@"
