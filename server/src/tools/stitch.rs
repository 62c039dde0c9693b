//! `holdfast stitch`: joins recorder runs, each a file, into one that plays and seeks everywhere.

use std::path::PathBuf;

use clap::Args;

use super::join::{Joined, Replace};
use super::report::{self, Format};
use super::{Told, ToolError};

#[derive(Debug, Clone, Args)]
pub struct StitchArgs {
    /// The file to make. It is there whole or not at all.
    #[arg(long, value_name = "OUT")]
    pub out: PathBuf,

    /// Replace OUT if it is there.
    #[arg(long)]
    pub force: bool,

    /// How to tell what was done.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,

    /// Recorder runs in their order, whole or cut: each a file, or the chunks of one as files in order.
    #[arg(value_name = "FILE", required = true)]
    pub segments: Vec<PathBuf>,
}

/// Joins files, and tells what there is to tell; whether all of them went in, too.
///
/// # Errors
/// When a file cannot be read or written, and when no segment has a single packet. What is left out
/// of the file is none: it is told.
pub fn stitch(args: &StitchArgs) -> Result<Told, ToolError> {
    let StitchArgs { out, force, format, segments } = args;
    let replace = Replace::if_told(*force);
    replace.check(out, segments)?;
    let joined = Joined::of(segments, super::folder_of(out))?;
    let (report, runs) = joined.put(out, replace)?;
    Ok(report::of_stitch(*format, out, &runs, &report))
}
