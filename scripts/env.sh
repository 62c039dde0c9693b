# shellcheck shell=bash
# Sourced by the other scripts: where things are, and how to talk. Installs nothing.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$ROOT" || exit

CACHE=${HOLDFAST_CACHE:-$HOME/.cache/holdfast}
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$CACHE/target}
export PATH=$ROOT/.tools/bin:$PATH

# In CI the lock file is the law; at the desk cargo may amend it after a change to Cargo.toml.
# shellcheck disable=SC2034 # read by the scripts that source this one
if [[ -n ${CI:-} ]]; then
  LOCKED=(--locked)
else
  LOCKED=()
fi

# Cargo goes by times, not by contents: in a shared folder it would take for ours what another clone
# has built of other sources. What it knows of our own crates is forgotten when the clone changes.
claim_target() {
  local claim=$CARGO_TARGET_DIR/clone
  if [[ ! -f $claim || $(<"$claim") != "$ROOT" ]]; then
    rm -rf "$CARGO_TARGET_DIR"/{,*/}*/.fingerprint/{app,bundle,frontend,ledger,media,protocol,recorder,server,simulation,timeline}-*
    mkdir -p "$CARGO_TARGET_DIR"
    printf '%s\n' "$ROOT" >"$claim"
  fi
}
claim_target

say() {
  printf '==> %s\n' "$*"
}

fail() {
  printf 'holdfast: %s\n' "$*" >&2
  exit 1
}

have() {
  command -v "$1" >/dev/null 2>&1
}

# The path of the browser that the tests drive, or nothing.
find_chromium() {
  if [[ -n ${CHROMIUM:-} ]]; then
    printf '%s\n' "$CHROMIUM"
  else
    find_browser chromium google-chrome google-chrome-stable chromium-browser
  fi
}

# Of the one that only plays what was recorded.
find_firefox() {
  if [[ -n ${FIREFOX:-} ]]; then
    printf '%s\n' "$FIREFOX"
  else
    find_browser firefox-esr firefox
  fi
}

# Ubuntu's packages are scripts that point at a snap, whose confinement keeps the tests from driving it.
find_browser() {
  local name path
  for name in "$@"; do
    path=$(command -v "$name") || continue
    path=$(readlink -f "$path")
    if [[ $path == */snap* ]] || grep -qsI '/snap/bin/' "$path"; then
      continue
    fi
    printf '%s\n' "$path"
    return
  done
}
