//! `holdfast repair`: makes the best seekable file of one that is damaged, cut off, unfinished, or
//! several recorder runs one behind the other.

use std::path::{Path, PathBuf};

use clap::Args;

use super::join::{Joined, Replace};
use super::report::{self, Format};
use super::{Told, ToolError};

#[derive(Debug, Clone, Args)]
pub struct RepairArgs {
    /// The file to make; it is there whole or not at all [default: beside FILE, talk.webm becoming
    /// talk.repaired.webm, or .mp4 if that is what is in it].
    #[arg(long, value_name = "OUT")]
    pub out: Option<PathBuf>,

    /// Replace OUT if it is there.
    #[arg(long)]
    pub force: bool,

    /// How to tell what was done.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,

    /// What a recorder wrote, or what is left of it. It stays as it is.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
}

/// Makes a file of what can be read, and tells what cannot, and where it stands.
///
/// # Errors
/// When a file cannot be read or written, and when there is not a single packet in it. What is left
/// out is none: it is told.
pub fn repair(args: &RepairArgs) -> Result<Told, ToolError> {
    let RepairArgs { out, force, format, file } = args;
    let replace = Replace::if_told(*force);
    if let Some(out) = out {
        replace.check(out, std::slice::from_ref(file))?;
    }
    let folder = super::folder_of(out.as_ref().unwrap_or(file));
    let joined = Joined::of(std::slice::from_ref(file), folder)?;
    let out = match out {
        Some(out) => out.clone(),
        None => beside(file, joined.extension()),
    };
    replace.check(&out, std::slice::from_ref(file))?;
    let (report, runs) = joined.put(&out, replace)?;
    Ok(report::of_stitch(*format, &out, &runs, &report))
}

/// `talk.webm` becomes `talk.repaired.webm`.
fn beside(file: &Path, extension: &str) -> PathBuf {
    let mut name = file.file_stem().unwrap_or_default().to_owned();
    name.push(".repaired.");
    name.push(extension);
    file.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_made_stands_beside_the_original_under_a_name_of_its_own() {
        for (file, made) in [
            ("talk.webm", "talk.repaired.webm"),
            ("a/talk.of.monday.mp4", "a/talk.of.monday.repaired.webm"),
            ("/tmp/talk", "/tmp/talk.repaired.webm"),
            (".hidden", ".hidden.repaired.webm"),
        ] {
            assert_eq!(beside(Path::new(file), "webm"), Path::new(made));
        }
    }
}
