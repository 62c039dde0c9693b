#!/usr/bin/env bash
# Builds and starts Holdfast; arguments go to `holdfast serve`, which also reads HOLDFAST_* variables.
set -euo pipefail
source "$(dirname "$0")/env.sh"

scripts/build.sh
say "Starting Holdfast on http://${HOLDFAST_LISTEN:-127.0.0.1:3000} (Ctrl-C stops it)"
exec target/release/holdfast serve "$@"
