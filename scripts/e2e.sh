#!/usr/bin/env bash
# Runs the browser tests against target/release/holdfast; arguments go to Playwright.
set -euo pipefail
source "$(dirname "$0")/env.sh"

[[ -x target/release/holdfast ]] || fail "target/release/holdfast is missing: run make build."
CHROMIUM=$(find_chromium)
[[ -x $CHROMIUM ]] || fail "no browser at '$CHROMIUM': set CHROMIUM to the path of a Chromium."
FIREFOX=$(find_firefox)
export CHROMIUM FIREFOX
cd end2end
exec node_modules/.bin/playwright test "$@"
