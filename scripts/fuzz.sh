#!/usr/bin/env bash
# Fuzzes the media engine: every target for so many seconds, from the committed corpus on.
# usage: fuzz.sh SECONDS [TARGET…]
set -euo pipefail
source "$(dirname "$0")/env.sh"

CARGO_FUZZ_VERSION=0.13.2
TOOLCHAIN=nightly

seconds=${1:-60}
shift || true
targets=("$@")
[[ ${#targets[@]} -gt 0 ]] || targets=(reader stitch sound finished)

have rustup || fail "fuzzing needs a nightly Rust: install Rust with rustup (https://rustup.rs)."
rustup toolchain list | grep -q "^$TOOLCHAIN" || {
  say "Adding the Rust toolchain $TOOLCHAIN"
  rustup toolchain install "$TOOLCHAIN" --profile minimal || fail "rustup could not add it."
}
if [[ $(cargo fuzz --version 2>/dev/null) != "cargo-fuzz $CARGO_FUZZ_VERSION" ]]; then
  say "Building cargo-fuzz $CARGO_FUZZ_VERSION (once)"
  env -u CARGO_TARGET_DIR cargo install "cargo-fuzz@$CARGO_FUZZ_VERSION" --locked \
    --root "$ROOT/.tools" || fail "cargo-fuzz could not be installed."
fi

# What is found on the way stays out of the repository; a crash is written to fuzz/artifacts.
for target in "${targets[@]}"; do
  say "Fuzzing $target for $seconds s"
  found=$CACHE/fuzz/$target
  mkdir -p "$found"
  cargo "+$TOOLCHAIN" fuzz run "$target" "$found" "fuzz/corpus/$target" -- \
    -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 -max_len=300000 -print_final_stats=1
done
