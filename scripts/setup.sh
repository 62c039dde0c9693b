#!/usr/bin/env bash
# Installs what is missing, and nothing else: `setup.sh build` what a build needs, `setup.sh test`
# (the default) that and what the tests need. Tools go to ${HOLDFAST_CACHE:-~/.cache/holdfast}/tools
# and are linked into .tools/bin; a second run finds them there and is quick.
set -euo pipefail
source "$(dirname "$0")/env.sh"

TOOLS=$CACHE/tools
BINARYEN_VERSION=132.0.0
ESBUILD_VERSION=0.28.2
NODE_MAJOR_MIN=20

purpose=${1:-test}
case $purpose in
  build | test) ;;
  *) fail "usage: setup.sh [build|test]" ;;
esac

main() {
  install_packages
  need_rust
  need_node
  add_wasm_target
  link_tool wasm-opt "binaryen-$BINARYEN_VERSION" node_modules/.bin/wasm-opt \
    install_from_npm "binaryen@$BINARYEN_VERSION"
  link_tool esbuild "esbuild-$ESBUILD_VERSION" node_modules/.bin/esbuild \
    install_from_npm "esbuild@$ESBUILD_VERSION"
  if [[ $purpose == test ]]; then
    add_components
    install_end2end
  fi
}

# Debian's packages, only when a command they bring is missing.
install_packages() {
  local packages=()
  if ! have cc || ! have make; then
    packages+=(build-essential)
  fi
  if [[ $purpose == test ]]; then
    have ffmpeg || packages+=(ffmpeg)
    # A Python without its standard library is not enough.
    python3 -c 'import json, sqlite3' 2>/dev/null || packages+=(python3)
    if [[ -z $(find_chromium) ]]; then
      if grep -qs '^ID=ubuntu' /etc/os-release; then
        fail "no browser to test with: Ubuntu's chromium package only points at a snap, which cannot be driven from here; install Google Chrome, or set CHROMIUM to the path of a Chromium."
      fi
      packages+=(chromium)
    fi
    # The tests do without it where it cannot be had.
    if [[ -z $(find_firefox) && $(id -u) -eq 0 ]] && grep -qs '^ID=debian' /etc/os-release; then
      packages+=(firefox-esr)
    fi
  fi
  if [[ ${#packages[@]} -eq 0 ]]; then
    return
  fi
  have apt-get || fail "please install what Debian calls: ${packages[*]}"
  [[ $(id -u) -eq 0 ]] || fail "please run: sudo apt-get update && sudo apt-get install -y --no-install-recommends ${packages[*]}"
  say "Installing ${packages[*]} with apt-get"
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq || fail "apt-get update failed: is the network there?"
  apt-get install -y -qq --no-install-recommends "${packages[@]}" ||
    fail "apt-get could not install: ${packages[*]}"
}

need_rust() {
  have cargo || fail "Rust is missing: install it with rustup (https://rustup.rs) and run this again."
}

need_node() {
  if ! have node || ! have npm; then
    fail "Node.js with npm is missing: install Node.js $NODE_MAJOR_MIN or newer and run this again."
  fi
  local version
  version=$(node --version)
  local major=${version#v}
  major=${major%%.*}
  [[ $major -ge $NODE_MAJOR_MIN ]] ||
    fail "Node.js $version is too old: Holdfast needs $NODE_MAJOR_MIN or newer."
}

add_wasm_target() {
  local target=wasm32-unknown-unknown
  if [[ -d $(rustc --print target-libdir --target "$target") ]]; then
    return
  fi
  have rustup || fail "this Rust cannot compile for $target: install Rust with rustup (https://rustup.rs)."
  say "Adding the Rust target $target"
  rustup target add "$target" || fail "rustup could not add the target $target."
}

add_components() {
  local component
  for component in rustfmt clippy; do
    if have "cargo-${component/rustfmt/fmt}"; then
      continue
    fi
    say "Adding the Rust component $component"
    rustup component add "$component" || fail "rustup could not add the component $component."
  done
}

# link_tool NAME FOLDER PATH INSTALL [ARGS]: links $TOOLS/FOLDER/PATH as .tools/bin/NAME. When it is
# not there, INSTALL ARGS fills a new folder that takes its place once it is whole.
link_tool() {
  local name=$1 folder=$TOOLS/$2 path=$3
  shift 3
  if [[ ! -x $folder/$path ]]; then
    mkdir -p "$TOOLS"
    (
      # Another clone may be installing the same tool.
      flock 9
      if [[ ! -x $folder/$path ]]; then
        local partial=$folder.partial
        rm -rf "$partial" "$folder"
        mkdir -p "$partial"
        "$@" "$partial"
        [[ -x $partial/$path ]] || fail "the installation of $name left no $path."
        mv "$partial" "$folder"
      fi
    ) 9>"$TOOLS/.lock"
  fi
  if [[ ! $ROOT/.tools/bin/$name -ef $folder/$path ]]; then
    mkdir -p "$ROOT/.tools/bin"
    ln -sfn "$folder/$path" "$ROOT/.tools/bin/$name"
  fi
}

# install_from_npm PACKAGE@VERSION FOLDER
install_from_npm() {
  say "Installing npm's $1"
  npm install --prefix "$2" --no-save --no-audit --no-fund --loglevel error "$1" ||
    fail "npm could not install $1."
}

install_end2end() {
  local installed=end2end/node_modules/.holdfast-lock.json
  if cmp -s end2end/package-lock.json "$installed"; then
    return
  fi
  say "Installing the browser tests' packages"
  npm ci --prefix end2end --no-audit --no-fund --loglevel error ||
    fail "npm could not install the packages of end2end/."
  cp end2end/package-lock.json "$installed"
}

main
