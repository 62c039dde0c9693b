#!/usr/bin/env bash
# Builds what the browser loads into dist/: the frontend's WASM and JS, and the style sheets.
# Does nothing when dist/ is newer than everything it is made of.
set -euo pipefail
source "$(dirname "$0")/env.sh"

INPUTS=(Cargo.toml Cargo.lock Trunk.toml protocol timeline recorder app frontend style
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
# Trunk runs cargo offline too, so what it will compile has to be here.
cargo fetch "${LOCKED[@]}" || fail "cargo could not fetch the dependencies: is the network there?"
# Small before fast; and where this machine keeps its crates is nobody else's business.
flags='--cfg=sha2_backend_soft="compact"'
for crates in "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*/; do
  flags+=" --remap-path-prefix=$crates="
done
export CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS=$flags
# What wasm-bindgen wrote for an earlier build would be copied along with what it writes now.
rm -rf "$CARGO_TARGET_DIR/wasm-bindgen"
# Trunk reads NO_COLOR as a flag of its own and refuses the usual value 1.
env -u NO_COLOR trunk build --release "${LOCKED[@]}" || fail "the browser's part did not build."
# What wasm-bindgen wrote, and the small modules that it imports, in one file.
esbuild dist/frontend.js --bundle --minify --format=esm --outfile=dist/frontend.js --allow-overwrite \
  --log-level=warning --log-override:duplicate-object-key=silent ||
  fail "the browser's scripts could not be put together."
rm -rf dist/snippets
node scripts/short-names.mjs dist/frontend_bg.wasm dist/frontend.js ||
  fail "the names between WASM and script could not be shortened."
esbuild dist/style/*.css dist/style/*.js --minify --outdir=dist/style --allow-overwrite \
  --log-level=warning || fail "the style sheets could not be made small."
# Trunk's page is only its input: the server renders the real ones.
rm -f dist/index.html
node scripts/service-worker.mjs frontend/sw dist || fail "the service worker could not be made."
# Every candidate downloads it.
esbuild dist/sw.js --minify --outfile=dist/sw.js --allow-overwrite --log-level=warning ||
  fail "the service worker could not be made small."
mv "$started" "$STAMP"
node scripts/asset-sizes.mjs dist
