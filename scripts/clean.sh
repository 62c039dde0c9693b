#!/usr/bin/env bash
# Removes what was built in this clone. Recordings in data/ and the shared cache stay.
set -euo pipefail
source "$(dirname "$0")/env.sh"

rm -rf dist target .tools end2end/output end2end/test-results end2end/node_modules
say "Cleaned; compiled dependencies and tools are still in $CACHE"
