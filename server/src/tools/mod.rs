//! Commands that work on files, without a server: for whoever has bytes of a recorder and no
//! session around them.

mod inspect;
mod join;
mod places;
mod repair;
mod report;
mod stitch;

use std::path::{Path, PathBuf};

use media::limits::FILE_BUFFER_BYTES;

pub use inspect::{InspectArgs, inspect};
pub use repair::{RepairArgs, repair};
pub use stitch::{StitchArgs, stitch};

/// What a command has done.
#[derive(Debug)]
pub struct Told {
    /// To be printed.
    pub text: String,
    /// Everything that came in went into what was made.
    pub is_whole: bool,
}

/// Why a command failed. What it was working on is as it was before.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    #[error("{path} cannot be read: {source}")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{path} cannot be written: {source}")]
    Write { path: PathBuf, source: std::io::Error },
    #[error("{0} is there already; --force replaces it")]
    IsThere(PathBuf),
    #[error("{0} is one of the files that it would be made of")]
    OntoItself(PathBuf),
    #[error("nothing was written: {counted} packets are in the file, not {written}")]
    Miscounted { counted: u64, written: u64 },
    #[error("nothing was written: {0}")]
    Media(#[from] media::MediaError),
}

impl ToolError {
    fn read(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        |source| Self::Read { path, source }
    }

    fn write(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        |source| Self::Write { path, source }
    }
}

/// In which a file is, or is to be.
pub(crate) fn folder_of(file: &Path) -> &Path {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

/// Hands over a file's bytes, portion by portion.
fn each_portion(
    path: &Path,
    mut take: impl FnMut(&[u8]) -> Result<(), ToolError>,
) -> Result<(), ToolError> {
    use std::io::Read as _;
    let mut file = std::fs::File::open(path).map_err(ToolError::read(path))?;
    let mut buffer = vec![0; FILE_BUFFER_BYTES];
    loop {
        match file.read(&mut buffer).map_err(ToolError::read(path))? {
            0 => return Ok(()),
            read => take(&buffer[..read])?,
        }
    }
}
