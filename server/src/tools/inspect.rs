//! `holdfast inspect`: what a recorder's file holds, and what is wrong with it.

use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;

use clap::Args;
use media::{Inspector, MediaError};

use super::report::{self, Format};
use super::{ToolError, each_portion};

#[derive(Debug, Clone, Args)]
pub struct InspectArgs {
    /// How to tell it.
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,

    /// A WebM, Matroska or MP4 file, finished or live, whole or cut.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
}

/// Returns what there is to tell.
///
/// # Errors
/// When the file cannot be read. Whatever is in it is none.
pub fn inspect(args: &InspectArgs) -> Result<String, ToolError> {
    let InspectArgs { format, file: path } = args;
    let mut inspector = Inspector::new();
    each_portion(path, |bytes| Ok(inspector.push(bytes)?))?;
    let file = File::open(path).map_err(ToolError::read(path))?;
    let verified = match media::verify(BufReader::new(file)) {
        Ok(_) => Ok(()),
        Err(MediaError::Io(error)) => return Err(ToolError::read(path)(error)),
        Err(MediaError::NotFinished { at, flaw }) => Err(format!("{flaw} (at byte {at})")),
        Err(other) => Err(other.to_string()),
    };
    Ok(report::of_inspection(*format, path, &inspector.finish()?, &verified))
}
