//! `holdfast stitch`: joins recorder runs, each a file, into one that plays and seeks everywhere.

use std::io::{BufReader, BufWriter, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;
use media::limits::FILE_BUFFER_BYTES;
use media::{StitchReport, Stitcher};
use tempfile::NamedTempFile;

use super::report::{self, Format};
use super::{ToolError, each_portion};

/// As for any new file; the user's mask takes away from it.
#[cfg(unix)]
const FILE_MODE: u32 = 0o666;

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

    /// The segments in their order: each the bytes of one recorder run, whole or cut.
    #[arg(value_name = "FILE", required = true)]
    pub segments: Vec<PathBuf>,
}

/// Returns what there is to tell.
///
/// # Errors
/// When a file cannot be read or written, and when no segment has a single packet. A segment that
/// is of no use beside others is none: the report says so.
pub fn stitch(args: &StitchArgs) -> Result<String, ToolError> {
    let StitchArgs { out, force, format, segments } = args;
    if out.exists() && !force {
        return Err(ToolError::IsThere(out.clone()));
    }
    if segments.iter().any(|segment| is_same_file(segment, out)) {
        return Err(ToolError::OntoItself(out.clone()));
    }
    let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let mut unfinished = tempfile::Builder::new();
    #[cfg(unix)]
    unfinished.permissions(std::os::unix::fs::PermissionsExt::from_mode(FILE_MODE));
    let unfinished = unfinished.tempfile_in(folder).map_err(ToolError::write(folder))?;
    let (mut unfinished, report) = join(unfinished, segments)?;
    unfinished.rewind().map_err(ToolError::read(out))?;
    media::verify(BufReader::new(unfinished.as_file()))?;
    unfinished.as_file().sync_all().map_err(ToolError::write(out))?;
    unfinished.persist(out).map_err(|error| ToolError::write(out)(error.error))?;
    Ok(report::of_stitch(*format, out, segments, &report))
}

fn join(
    unfinished: NamedTempFile,
    segments: &[PathBuf],
) -> Result<(NamedTempFile, StitchReport), ToolError> {
    let mut stitcher = Stitcher::new(BufWriter::with_capacity(FILE_BUFFER_BYTES, unfinished))?;
    for segment in segments {
        stitcher.begin_segment()?;
        each_portion(segment, |bytes| Ok(stitcher.push(bytes)?))?;
        stitcher.end_segment()?;
    }
    let (mut file, report) = stitcher.finish()?;
    file.flush().map_err(media::MediaError::from)?;
    let file = file.into_inner().map_err(|error| media::MediaError::from(error.into_error()))?;
    Ok((file, report))
}

fn is_same_file(one: &Path, other: &Path) -> bool {
    match (one.canonicalize(), other.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        (Err(_), _) | (_, Err(_)) => false,
    }
}
