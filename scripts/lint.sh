#!/usr/bin/env bash
# Everything that reads the code without running it.
set -euo pipefail
source "$(dirname "$0")/env.sh"

# The server embeds dist/: it must exist, even empty, for the server to compile.
mkdir -p dist
say "Formatting"
cargo fmt --all --check || fail "the code is not formatted: run cargo fmt --all."
rustfmt --check --edition 2024 fuzz/fuzz_targets/*.rs ||
  fail "the fuzz targets are not formatted: run rustfmt --edition 2024 on them."
say "Clippy, native"
cargo clippy "${LOCKED[@]}" --all-targets -- -D warnings
say "Clippy, in the browser"
cargo clippy "${LOCKED[@]}" --package frontend --target wasm32-unknown-unknown -- -D warnings
say "Documentation"
RUSTDOCFLAGS='-D warnings' cargo doc "${LOCKED[@]}" --no-deps --document-private-items
say "Type check of the browser tests"
end2end/node_modules/.bin/tsc --noEmit --project end2end
say "Type check of the service worker"
end2end/node_modules/.bin/tsc --noEmit --project frontend/sw
if have shellcheck; then
  say "Shellcheck"
  shellcheck --external-sources --source-path=SCRIPTDIR scripts/*.sh .ci/run
fi
if have cargo-machete; then
  say "Unused dependencies"
  cargo machete
fi
