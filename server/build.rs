//! Embeds the web assets that `make web` leaves in `dist/`.

use std::path::Path;

fn main() {
    let dist = Path::new(env!("CARGO_MANIFEST_DIR")).join("../dist");
    if !dist.join("frontend.js").exists() {
        println!(
            "cargo:warning=dist/ holds no web assets yet: pages will be bare; run `make web` first"
        );
        if let Err(error) = std::fs::create_dir_all(&dist) {
            println!("cargo:warning=cannot make {}: {error}", dist.display());
        }
    }
    // Named by what it holds; see scripts/service-worker.mjs.
    if let Ok(build) = std::fs::read_to_string(dist.join("build-id")) {
        println!("cargo:rustc-env=HOLDFAST_BUILD={}", build.trim());
    }
    println!("cargo:rerun-if-changed=../dist");
    memory_serve::load_directory("../dist");
}
