//! The file that segments become, whichever container it is of.

use std::io::{Seek, Write};
use std::time::Duration;

use crate::error::{Container, MediaError};
use crate::mp4::Mp4File;
use crate::report::FileType;
use crate::webm_file::WebmFile;
use crate::writer::Written;

/// The file, in its container.
#[derive(Debug)]
pub(super) enum File<W> {
    Webm(WebmFile<W>),
    Mp4(Mp4File<W>),
}

impl<W: Write + Seek> File<W> {
    /// A WebM, until a segment is of another container.
    pub(super) fn new(out: W, origin: u64) -> Self {
        Self::Webm(WebmFile::new(out, origin))
    }

    /// As long as nothing is written, the next segment may have its container.
    pub(super) fn in_favour_of(self, container: Container, origin: u64) -> Self {
        match (self, container) {
            (Self::Webm(file), Container::Mp4) if file.is_blank() => {
                Self::Mp4(Mp4File::new(file.into_out(), origin))
            }
            (Self::Mp4(file), Container::Webm) if file.is_blank() => {
                Self::Webm(WebmFile::new(file.into_out(), origin))
            }
            (file, Container::Webm | Container::Mp4 | Container::Ogg) => file,
        }
    }

    pub(super) fn end(&self) -> Duration {
        match self {
            Self::Webm(file) => file.end(),
            Self::Mp4(file) => file.end(),
        }
    }

    pub(super) fn frontier(&self) -> Duration {
        match self {
            Self::Webm(file) => file.frontier(),
            Self::Mp4(file) => file.frontier(),
        }
    }

    pub(super) fn file_type(&self) -> FileType {
        match self {
            Self::Webm(file) if file.has_video() => FileType::VideoWebm,
            Self::Webm(_) => FileType::AudioWebm,
            Self::Mp4(file) if file.has_video() => FileType::VideoMp4,
            Self::Mp4(_) => FileType::AudioMp4,
        }
    }

    pub(super) fn end_segment(&mut self) -> Result<(), MediaError> {
        match self {
            Self::Webm(file) => file.close_cluster(),
            Self::Mp4(file) => {
                file.close_chunks();
                Ok(())
            }
        }
    }

    pub(super) fn finish(self) -> Result<(W, Written), MediaError> {
        match self {
            Self::Webm(file) => file.finish(),
            Self::Mp4(file) => file.finish(),
        }
    }
}
