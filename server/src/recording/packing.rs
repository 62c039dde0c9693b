//! The two containers whose files can be put side by side, and what each needs for that. Files of
//! others are had as they are.

use media::FileType;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packing {
    Webm,
    Mp4,
}

impl Packing {
    /// `None` of any other.
    pub(crate) fn of(mime: &str) -> Option<Self> {
        match mime.split_once('/') {
            Some((_, "webm")) => Some(Self::Webm),
            Some((_, "mp4")) => Some(Self::Mp4),
            Some(_) | None => None,
        }
    }
}

/// What a file is that holds all that these hold; they are of one container.
pub(super) fn type_of_all(types: &[FileType]) -> FileType {
    let has_picture = |one: &FileType| match one {
        FileType::VideoWebm | FileType::VideoMp4 => true,
        FileType::AudioWebm | FileType::AudioMp4 => false,
    };
    let with_picture = types.iter().find(|one| has_picture(one));
    *with_picture.or(types.first()).unwrap_or(&FileType::AudioWebm)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_picture_makes_a_video_of_all() {
        use FileType::{AudioMp4, AudioWebm, VideoMp4, VideoWebm};
        assert_eq!(type_of_all(&[AudioWebm, VideoWebm, AudioWebm]), VideoWebm);
        assert_eq!(type_of_all(&[AudioMp4, AudioMp4]), AudioMp4);
        assert_eq!(type_of_all(&[AudioMp4, VideoMp4]), VideoMp4);
    }

    #[test]
    fn a_packing_is_told_by_what_the_type_ends_in() {
        assert_eq!(Packing::of("video/mp4"), Some(Packing::Mp4));
        assert_eq!(Packing::of("audio/webm"), Some(Packing::Webm));
        assert_eq!(Packing::of("audio/ogg"), None);
        assert_eq!(Packing::of(""), None);
    }
}
