#!/usr/bin/env bash
# Runs every test there is: lint, unit and integration tests, the release build, the real browser.
# Stops at the first step that fails, and says which it was and how many tests passed and failed.
set -euo pipefail
source "$(dirname "$0")/env.sh"

mkdir -p .tools
log=.tools/test.log
: >"$log"
step=set-up

summarise() {
  local status=$?
  if [[ $status -ne 0 ]]; then
    printf 'holdfast: failed at: %s\n' "$step" >&2
  fi
  # Cargo's "test result: ok. 12 passed; 0 failed; …" and Playwright's "  12 passed (3.4s)".
  awk '
    /^test result:/ { passed += $4; failed += $6 }
    /^ +[0-9]+ (passed|flaky)( \(|$)/ { passed += $1 }
    /^ +[0-9]+ flaky$/ { again += $1 }
    /^ +[0-9]+ (failed|interrupted|did not run)$/ { failed += $1 }
    END {
      again = again > 0 ? sprintf(", %d only when tried again", again) : ""
      if (passed + failed > 0) printf "%d passed, %d failed%s\n", passed, failed, again
    }
  ' "$log"
}
trap summarise EXIT

# run STEP COMMAND…: what it prints goes to the terminal and into the log.
run() {
  step=$1
  shift
  "$@" 2>&1 | tee -a "$log"
}

run 'set-up' scripts/setup.sh test
run 'lint' scripts/lint.sh
say "Unit and integration tests"
run 'unit and integration tests' cargo test "${LOCKED[@]}" --no-fail-fast
# By itself: together with the server it would be built with the features of both.
run "the frontend's unit tests" cargo test "${LOCKED[@]}" --package frontend
run 'build' scripts/build.sh
say "Browser tests"
RETRIES=2 run 'browser tests' scripts/e2e.sh
