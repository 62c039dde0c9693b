//! Owns everything that is particular to MP4 (ISO/IEC 14496-12): reading the fragments a recorder
//! writes, and writing and verifying the one ordinary file they become.

mod boxes;
mod file;
mod index;
mod layout;
mod moof;
mod moov;
mod reader;
mod resync;
mod sample;
mod table;
mod tables_read;
mod time;
mod verify;
mod writer;

pub use boxes::BoxType;
pub(crate) use file::Mp4File;
pub(crate) use moov::{Place, Track};
pub(crate) use reader::Mp4Reader;
pub(crate) use sample::{Sample, SampleCopy};
pub(crate) use verify::verify;
