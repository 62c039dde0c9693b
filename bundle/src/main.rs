//! Makes of the compiled frontend the scripts and the WASM that a browser loads: `bundle WASM FOLDER`.
//!
//! It is the tool `wasm-bindgen` with only what `scripts/web.sh` asks of it. As a member of the
//! workspace it has the frontend's version of wasm-bindgen, and is built with far less than the tool.

use std::env;
use std::path::Path;

use anyhow::{Context, bail};
use wasm_bindgen_cli_support::Bindgen;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<_> = env::args_os().skip(1).collect();
    let [wasm, folder] = arguments.as_slice() else {
        bail!("usage: bundle WASM FOLDER");
    };
    Bindgen::new()
        .input_path(wasm)
        .web(true)?
        .typescript(false)
        .generate(folder)
        .with_context(|| format!("{} cannot be bundled", Path::new(wasm).display()))
}
