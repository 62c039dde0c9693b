//! Owns everything that is particular to MP4 (ISO/IEC 14496-12): reading the fragments a recorder
//! writes, and writing and verifying the one ordinary file they become.

mod behind;
mod boxes;
mod combine;
mod file;
mod finished;
mod grammar;
mod index;
mod layout;
mod mix;
mod moof;
mod moov;
mod plain;
mod quiet;
mod reader;
mod resync;
mod sample;
mod sound;
mod table;
mod tables_read;
mod time;
mod verify;
mod writer;

pub use boxes::BoxType;
pub use combine::combine_mp4;
pub(crate) use file::Mp4File;
pub(crate) use finished::FinishedMp4;
pub use mix::mix_mp4;
pub(crate) use moof::SampleInfo;
pub(crate) use moov::{Place, Track};
pub(crate) use reader::Mp4Reader;
pub(crate) use resync::is_ftyp;
pub(crate) use sample::{Sample, SampleCopy};
pub(crate) use sound::{AAC_RATES_HZ, SoundCodec};
pub(crate) use verify::verify;
