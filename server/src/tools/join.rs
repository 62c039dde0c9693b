//! Owns joining files into a new one that is verified before it stands in its place. What is told of it
//! is in `report`.

use std::fs::File;
use std::io::{BufReader, ErrorKind, Read as _, Seek, Write};
use std::path::{Path, PathBuf};

use media::{HEADER_KNOWN_BY_BYTES, MediaError, Opening, StitchReport, Stitcher, WriteBehind};
use tempfile::NamedTempFile;

use super::{ToolError, each_portion};

/// As for any new file; the user's mask takes away from it.
#[cfg(unix)]
const FILE_MODE: u32 = 0o666;

/// Enough to tell by what a file begins with.
const OPENING_BYTES: u64 = 16;

/// What becomes of a file that is in the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Replace {
    Never,
    /// Unless it is made of itself.
    Others,
}

impl Replace {
    pub(super) fn if_told(is_told: bool) -> Self {
        if is_told { Self::Others } else { Self::Never }
    }

    /// Whether `out` may be made of these files.
    pub(super) fn check(self, out: &Path, files: &[PathBuf]) -> Result<(), ToolError> {
        if out.exists() && self == Self::Never {
            return Err(ToolError::IsThere(out.to_owned()));
        }
        if files.iter().any(|file| is_same_file(file, out)) {
            return Err(ToolError::OntoItself(out.to_owned()));
        }
        Ok(())
    }
}

/// A recorder run, as far as files tell: one of them, or those in which its chunks are.
#[derive(Debug, Default)]
pub(super) struct Run {
    pub(super) files: Vec<PathBuf>,
    /// Of each file.
    pub(super) bytes: Vec<u64>,
}

impl Run {
    fn of(file: PathBuf) -> Self {
        Self { files: vec![file], bytes: vec![0] }
    }

    fn add(&mut self, file: PathBuf) {
        self.files.push(file);
        self.bytes.push(0);
    }

    /// In which file a byte of the run stands, and where in it.
    pub(super) fn place(&self, at: u64) -> Option<(&Path, u64)> {
        let mut begins = 0;
        let mut place = None;
        for (file, bytes) in self.files.iter().zip(&self.bytes) {
            if begins <= at {
                place = Some((&**file, at - begins));
            }
            begins += bytes;
        }
        place
    }
}

/// A finished file that is nowhere yet, and what became of those it was made of.
pub(super) struct Joined {
    file: NamedTempFile,
    report: StitchReport,
    runs: Vec<Run>,
}

impl Joined {
    /// Joins files into one in this folder.
    pub(super) fn of(files: &[PathBuf], folder: &Path) -> Result<Self, ToolError> {
        let mut unfinished = tempfile::Builder::new();
        #[cfg(unix)]
        unfinished.permissions(std::os::unix::fs::PermissionsExt::from_mode(FILE_MODE));
        let unfinished = unfinished.tempfile_in(folder).map_err(ToolError::write(folder))?;
        let joined = join(unfinished, files)?;
        let verified = media::verify(BufReader::new(joined.file.as_file()))?;
        let (counted, written) = (verified.packets, joined.report.packets);
        if counted != written {
            return Err(ToolError::Miscounted { counted, written });
        }
        Ok(joined)
    }

    /// What such a file's name ends in.
    pub(super) fn extension(&self) -> &'static str {
        self.report.file_type.extension()
    }

    /// Puts the file into its place.
    pub(super) fn put(
        self,
        out: &Path,
        replace: Replace,
    ) -> Result<(StitchReport, Vec<Run>), ToolError> {
        let Self { file, report, runs } = self;
        file.as_file().sync_all().map_err(ToolError::write(out))?;
        let put = match replace {
            Replace::Never => file.persist_noclobber(out),
            Replace::Others => file.persist(out),
        };
        put.map_err(|error| {
            if error.error.kind() == ErrorKind::AlreadyExists {
                ToolError::IsThere(out.to_owned())
            } else {
                ToolError::write(out)(error.error)
            }
        })?;
        Ok((report, runs))
    }
}

fn join(unfinished: NamedTempFile, files: &[PathBuf]) -> Result<Joined, ToolError> {
    let out = unfinished.reopen().and_then(WriteBehind::new).map_err(MediaError::from)?;
    let mut stitcher = Stitcher::new(out)?;
    let mut runs: Vec<Run> = Vec::new();
    for path in files {
        let opening = opening_of(path)?;
        match runs.last_mut() {
            // A recorder's chunks may be files each: the first alone has a header.
            Some(run) if opening == Some(Opening::Other) || is_middle(opening) => {
                run.add(path.clone());
                stitcher.hole()?;
            }
            // Nothing is in it, and nothing ends with it.
            Some(run) if opening.is_none() => run.add(path.clone()),
            Some(_) | None => {
                if !runs.is_empty() {
                    stitcher.end_segment()?;
                }
                stitcher.begin_segment()?;
                runs.push(Run::of(path.clone()));
            }
        }
        let bytes = push_file(&mut stitcher, path)?;
        if let Some(run) = runs.last_mut()
            && let Some(of_file) = run.bytes.last_mut()
        {
            *of_file = bytes;
        }
    }
    if !runs.is_empty() {
        stitcher.end_segment()?;
    }
    // What is left out stays in the files it came from, and is told.
    let (mut out, report) = stitcher.finish()?.accept(|_| ());
    out.flush().map_err(MediaError::from)?;
    Ok(Joined { file: unfinished, report, runs })
}

/// Returns how many bytes it has.
fn push_file<W: Write + Seek>(stitcher: &mut Stitcher<W>, path: &Path) -> Result<u64, ToolError> {
    let (mut held, mut bytes) = (Vec::new(), 0);
    each_portion(path, |portion| {
        bytes += portion.len() as u64;
        held.extend_from_slice(portion);
        push_known(stitcher, &mut held, HEADER_KNOWN_BY_BYTES)
    })?;
    push_known(stitcher, &mut held, 0)?;
    Ok(bytes)
}

/// Pushes all but the last bytes, and says where a recorder run may have been cut off by another.
fn push_known<W: Write + Seek>(
    stitcher: &mut Stitcher<W>,
    held: &mut Vec<u8>,
    held_back: usize,
) -> Result<(), ToolError> {
    let mut known = held.len().saturating_sub(held_back);
    let mut rest = &held[..];
    // A header that stands first has been met, or begins the file.
    while let Some(at) = rest.get(1..).and_then(media::find_header).map(|at| at + 1) {
        let (before, header) = rest.split_at(at);
        stitcher.push(before)?;
        stitcher.hole()?;
        known = known.saturating_sub(at);
        rest = header;
    }
    stitcher.push(&rest[..known])?;
    *held = rest[known..].to_vec();
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_of_a_run_is_found_in_the_file_it_came_from() {
        let files = ["a", "b", "c"].map(PathBuf::from).to_vec();
        let run = Run { files, bytes: vec![10, 0, 5] };
        let place = |at| run.place(at).map(|(file, at)| (file.to_str().unwrap_or_default(), at));
        assert_eq!(place(0), Some(("a", 0)));
        assert_eq!(place(9), Some(("a", 9)));
        assert_eq!(place(10), Some(("c", 0)));
        assert_eq!(place(14), Some(("c", 4)));
        assert_eq!(Run::default().place(0), None);
    }
}
