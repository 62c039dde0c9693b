//! The server's modules are layers, and nothing imports upwards. What stands in one line may use what
//! stands in the lines below it, and nothing else of this crate.

#![expect(clippy::unwrap_used, reason = "what a test cannot unwrap is a failure of that test")]

use std::collections::BTreeSet;
use std::path::Path;

const LAYERS: &[&[&str]] = &[
    &["main"],
    // Starts it all.
    &["cli", "serve"],
    &["routes"],
    // What is reached from outside: parse, authorise, one call, map.
    &["pages", "socket"],
    &["api", "scrape"],
    &["render"],
    &["assets"],
    &["writer"],
    // What goes on by itself.
    &["janitor", "timeouts"],
    &["state", "testing"],
    &["worker"],
    &["export"],
    &["backup", "delete"],
    // What works on sessions.
    &["recording"],
    &["leases", "quotas"],
    &["committer", "events"],
    &["dto", "error", "metrics"],
    // What is stored. The rules are another crate's.
    &["store"],
    // What knows nothing of sessions.
    &["folder", "listen", "supervise", "writers", "config"],
    &["clock", "log", "tools"],
];

fn rank(module: &str) -> usize {
    let rank = LAYERS.iter().position(|layer| layer.contains(&module));
    rank.unwrap_or_else(|| panic!("{module} is in no layer: give it its place"))
}

#[test]
fn nothing_imports_upwards() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut upwards, mut seen) = (BTreeSet::new(), BTreeSet::new());
    visit(&sources, &sources, &mut |module, code| {
        seen.insert(module.to_owned());
        let is_module = |other: &String| {
            [sources.join(format!("{other}.rs")), sources.join(other)]
                .iter()
                .any(|one| one.exists())
        };
        for other in imports(code).filter(|other| other != module).filter(is_module) {
            if rank(&other) <= rank(module) {
                upwards.insert(format!("{module} uses {other}"));
            }
        }
    });
    assert_eq!(upwards, BTreeSet::new());
    let named: BTreeSet<String> = LAYERS.concat().into_iter().map(str::to_owned).collect();
    assert_eq!(named.difference(&seen).collect::<Vec<_>>(), Vec::<&String>::new(), "long gone");
}

fn visit(root: &Path, folder: &Path, found: &mut impl FnMut(&str, &str)) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            visit(root, &path, found);
            continue;
        }
        let name = path.file_name().unwrap().to_str().unwrap();
        let first = path.strip_prefix(root).unwrap().iter().next().unwrap().to_str().unwrap();
        let module = first.trim_end_matches(".rs");
        // What tests use does not make the house.
        if module != "lib" && name != "tests.rs" {
            let code = std::fs::read_to_string(&path).unwrap();
            found(module, code.split("#[cfg(test)]").next().unwrap_or_default());
        }
    }
}

/// The modules of this crate that a file names.
fn imports(code: &str) -> impl Iterator<Item = String> + '_ {
    let code = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    let code = code.collect::<Vec<_>>().join("\n");
    let mut names = Vec::new();
    for (at, path) in code.match_indices("crate::").chain(code.match_indices("server::")) {
        let before = code[..at].chars().next_back();
        if before.is_some_and(|one| one.is_alphanumeric() || "_$:".contains(one)) {
            continue;
        }
        let rest = &code[at + path.len()..];
        match rest.strip_prefix('{') {
            Some(group) => names.extend(first_names(group)),
            None => names.push(word(rest)),
        }
    }
    names.into_iter().filter(|name| name.starts_with(|first: char| first.is_lowercase()))
}

/// Of `{api, clock::{self, Monotonic}}`, after its brace: `api`, `clock`.
fn first_names(group: &str) -> Vec<String> {
    let (mut depth, mut names, mut at_start) = (0, Vec::new(), true);
    for (at, one) in group.char_indices() {
        match one {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => at_start = true,
            _ if at_start && !one.is_whitespace() => {
                names.push(word(&group[at..]));
                at_start = false;
            }
            _ => {}
        }
    }
    names
}

fn word(text: &str) -> String {
    text.chars().take_while(|one| one.is_alphanumeric() || *one == '_').collect()
}
