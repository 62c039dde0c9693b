#!/usr/bin/env bash
# Builds what the browser loads into dist/: the frontend's WASM and JS, and the style sheets.
# Does nothing when dist/ is newer than everything it is made of.
set -euo pipefail
source "$(dirname "$0")/env.sh"

INPUTS=(Cargo.toml Cargo.lock bundle protocol timeline recorder app frontend style
  scripts/web.sh scripts/service-worker.mjs scripts/short-names.mjs)
STAMP=.tools/web.stamp

mkdir -p style .tools
if [[ -f dist/build-id && -f $STAMP ]] &&
  [[ -z $(find "${INPUTS[@]}" -newer "$STAMP" -print -quit) ]]; then
  say "dist/ is up to date"
  exit
fi

say "Building the browser's part into dist/"
started=$(mktemp "$ROOT/.tools/web.XXXXXX")
trap 'rm -f "$started"' EXIT
# Where the crates lie is only known, and kept out of the WASM, once they are there.
cargo fetch "${LOCKED[@]}" || fail "cargo could not fetch the dependencies: is the network there?"
# Small before fast; and where this machine keeps its crates is nobody else's business.
flags='--cfg=sha2_backend_soft="compact"'
for crates in "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*/; do
  flags+=" --remap-path-prefix=$crates="
done
export CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS=$flags
cargo build --profile wasm "${LOCKED[@]}" --package frontend --lib --target wasm32-unknown-unknown ||
  fail "the browser's part did not build."
# What an earlier build left would be embedded along with what is made now.
rm -rf dist
mkdir -p dist
cargo run --quiet "${LOCKED[@]}" --package bundle -- \
  "$CARGO_TARGET_DIR/wasm32-unknown-unknown/wasm/frontend.wasm" dist ||
  fail "the browser's scripts could not be made."
# The profile strips the section that names the features rustc uses by default, so they are told.
WASM_FEATURES=(--enable-bulk-memory --enable-bulk-memory-opt --enable-mutable-globals --enable-sign-ext
  --enable-nontrapping-float-to-int --enable-reference-types --enable-multivalue)
# What these two undo would compress better than what they do.
WASM_SKIPPED=(--skip-pass=inlining-optimizing --skip-pass=local-cse)
# The second time finds what the first has laid bare; a third finds nothing worth its time.
for more in --gufa-optimizing ''; do
  wasm-opt dist/frontend_bg.wasm --output dist/frontend_bg.wasm -Oz ${more:+"$more"} \
    "${WASM_FEATURES[@]}" "${WASM_SKIPPED[@]}" || fail "the WASM could not be made small."
done
# What wasm-bindgen wrote, and the small modules that it imports, in one file.
esbuild dist/frontend.js --bundle --minify --format=esm --outfile=dist/frontend.js --allow-overwrite \
  --log-level=warning --log-override:duplicate-object-key=silent ||
  fail "the browser's scripts could not be put together."
rm -rf dist/snippets
node scripts/short-names.mjs dist/frontend_bg.wasm dist/frontend.js ||
  fail "the names between WASM and script could not be shortened."
cp -r style dist/
esbuild dist/style/*.css dist/style/*.js --minify --outdir=dist/style --allow-overwrite \
  --log-level=warning || fail "the style sheets could not be made small."
node scripts/service-worker.mjs frontend/sw dist || fail "the service worker could not be made."
# Every candidate downloads it.
esbuild dist/sw.js --minify --outfile=dist/sw.js --allow-overwrite --log-level=warning ||
  fail "the service worker could not be made small."
mv "$started" "$STAMP"
node scripts/asset-sizes.mjs dist
