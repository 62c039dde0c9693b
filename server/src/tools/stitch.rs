//! `holdfast stitch`: joins recorder runs, each a file, into one that plays and seeks everywhere.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;
use media::limits::FILE_BUFFER_BYTES;
use media::{Opening, StitchReport, Stitcher};
use tempfile::NamedTempFile;

use super::report::{self, Format};
use super::{Told, ToolError, each_portion};

/// As for any new file; the user's mask takes away from it.
#[cfg(unix)]
const FILE_MODE: u32 = 0o666;

/// Enough to tell by what a file begins with.
const OPENING_BYTES: u64 = 16;

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
    let Joined { file: mut unfinished, report, runs } = join(unfinished, segments)?;
    unfinished.rewind().map_err(ToolError::read(out))?;
    let verified = media::verify(BufReader::new(unfinished.as_file()))?;
    if verified.packets != report.packets {
        return Err(ToolError::Miscounted { counted: verified.packets, written: report.packets });
    }
    unfinished.as_file().sync_all().map_err(ToolError::write(out))?;
    unfinished.persist(out).map_err(|error| ToolError::write(out)(error.error))?;
    let text = report::of_stitch(*format, out, &runs, &report);
    Ok(Told { text, is_whole: report.left_out().is_nothing() })
}

/// A finished file, and what became of the others.
struct Joined {
    file: NamedTempFile,
    report: StitchReport,
    /// For each segment the files that it was in.
    runs: Vec<Vec<PathBuf>>,
}

fn join(unfinished: NamedTempFile, files: &[PathBuf]) -> Result<Joined, ToolError> {
    let mut stitcher = Stitcher::new(BufWriter::with_capacity(FILE_BUFFER_BYTES, unfinished))?;
    let mut runs: Vec<Vec<PathBuf>> = Vec::new();
    for path in files {
        let opening = opening_of(path)?;
        match runs.last_mut() {
            // A recorder's chunks may be files each: the first alone has a header.
            Some(run) if opening == Some(Opening::Other) || is_middle(opening) => {
                run.push(path.clone());
                stitcher.hole()?;
            }
            // Nothing is in it, and nothing ends with it.
            Some(run) if opening.is_none() => run.push(path.clone()),
            Some(_) | None => {
                if !runs.is_empty() {
                    stitcher.end_segment()?;
                }
                stitcher.begin_segment()?;
                runs.push(vec![path.clone()]);
            }
        }
        each_portion(path, |bytes| Ok(stitcher.push(bytes)?))?;
    }
    if !runs.is_empty() {
        stitcher.end_segment()?;
    }
    // What is left out stays in the files it came from, and is told.
    let (mut file, report) = stitcher.finish()?.accept(|_| ());
    file.flush().map_err(media::MediaError::from)?;
    let file = file.into_inner().map_err(|error| media::MediaError::from(error.into_error()))?;
    Ok(Joined { file, report, runs })
}

/// What a file begins with; `None` of an empty one.
fn opening_of(path: &Path) -> Result<Option<Opening>, ToolError> {
    let file = File::open(path).map_err(ToolError::read(path))?;
    let mut begun = Vec::new();
    file.take(OPENING_BYTES).read_to_end(&mut begun).map_err(ToolError::read(path))?;
    Ok((!begun.is_empty()).then(|| media::opening(&begun)))
}

fn is_middle(opening: Option<Opening>) -> bool {
    matches!(opening, Some(Opening::Middle(_)))
}

fn is_same_file(one: &Path, other: &Path) -> bool {
    match (one.canonicalize(), other.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        (Err(_), _) | (_, Err(_)) => false,
    }
}
