#!/usr/bin/env bash
# Runs the simulation over many seeds, optimised, and stops at the first that fails.
#   scripts/soak.sh [SEEDS [FROM [MINUTES]]]
set -euo pipefail
source "$(dirname "$0")/env.sh"

export HOLDFAST_SOAK_SEEDS=${1:-100000}
export HOLDFAST_SOAK_FROM=${2:-1000000}
export HOLDFAST_SOAK_MINUTES=${3:-60}
exec cargo test "${LOCKED[@]}" --release --package simulation --test simulation -- \
  --ignored --exact --nocapture soak
