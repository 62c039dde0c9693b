//! Frames one after another in one body, each with its length before it (u32, little-endian): how
//! the protocol travels where there is no WebSocket. Says nothing about what is in a frame.

use bytes::Bytes;

use crate::limits::{FRAME_BYTES_MAX, FRAMES_BYTES_MAX};

/// Bytes of the length before each frame.
const LENGTH_BYTES: usize = size_of::<u32>();

/// Frames that cannot share a body, or a body that is no row of frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FramesError {
    #[error("the body of {0} bytes is above the limit of {FRAMES_BYTES_MAX}")]
    BodyTooLarge(usize),
    #[error("a frame of {0} bytes is above the limit of {FRAME_BYTES_MAX}")]
    FrameTooLarge(usize),
    #[error("the body holds more than {0} frames")]
    TooManyFrames(usize),
    #[error("the body ends inside a frame")]
    CutOff,
}

/// A body to which frames are added while they fit.
#[derive(Debug, Clone)]
pub struct Joined {
    body: Vec<u8>,
    frames: usize,
    frames_max: usize,
}

impl Joined {
    /// An empty body for at most `frames_max` frames.
    pub const fn new(frames_max: usize) -> Self {
        Self { body: Vec::new(), frames: 0, frames_max }
    }

    /// Adds a frame. One that does not fit leaves the body as it was.
    pub fn push(&mut self, frame: &[u8]) -> Result<(), FramesError> {
        if self.frames == self.frames_max {
            return Err(FramesError::TooManyFrames(self.frames_max));
        }
        if frame.len() > FRAME_BYTES_MAX {
            return Err(FramesError::FrameTooLarge(frame.len()));
        }
        let bytes = self.body.len() + LENGTH_BYTES + frame.len();
        if bytes > FRAMES_BYTES_MAX {
            return Err(FramesError::BodyTooLarge(bytes));
        }
        let length = u32::try_from(frame.len()).expect("a frame is far below 4 GiB");
        self.body.extend(length.to_le_bytes());
        self.body.extend(frame);
        self.frames += 1;
        Ok(())
    }

    pub const fn is_empty(&self) -> bool {
        self.frames == 0
    }

    pub fn into_body(self) -> Vec<u8> {
        self.body
    }
}

/// The frames of a body, in order, without copying them.
pub fn split(mut body: Bytes, frames_max: usize) -> Result<Vec<Bytes>, FramesError> {
    if body.len() > FRAMES_BYTES_MAX {
        return Err(FramesError::BodyTooLarge(body.len()));
    }
    let mut frames = Vec::new();
    while let Some(length) = next_length(&mut body)? {
        if frames.len() == frames_max {
            return Err(FramesError::TooManyFrames(frames_max));
        }
        if length > FRAME_BYTES_MAX {
            return Err(FramesError::FrameTooLarge(length));
        }
        if length > body.len() {
            return Err(FramesError::CutOff);
        }
        frames.push(body.split_to(length));
    }
    Ok(frames)
}

/// `None` at the end of the body.
fn next_length(body: &mut Bytes) -> Result<Option<usize>, FramesError> {
    if body.is_empty() {
        return Ok(None);
    }
    let bytes = *body.first_chunk::<LENGTH_BYTES>().ok_or(FramesError::CutOff)?;
    drop(body.split_to(LENGTH_BYTES));
    // What no `usize` holds is above the limit either way, and refused.
    Ok(Some(usize::try_from(u32::from_le_bytes(bytes)).unwrap_or(usize::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SOME: usize = 32;

    fn joined(frames: &[Vec<u8>]) -> Bytes {
        let mut joined = Joined::new(SOME);
        for frame in frames {
            joined.push(frame).unwrap();
        }
        joined.into_body().into()
    }

    proptest! {
        #[test]
        fn what_was_joined_is_split_again(
            frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..SOME),
        ) {
            let split = split(joined(&frames), SOME).unwrap();
            prop_assert_eq!(split.iter().map(|frame| frame.to_vec()).collect::<Vec<_>>(), frames);
        }

        #[test]
        fn a_body_cut_off_anywhere_is_refused_or_ends_between_two_frames(
            frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 1..8),
            at: prop::sample::Index,
        ) {
            let mut body = joined(&frames);
            body.truncate(at.index(body.len()));
            match split(body, SOME) {
                Ok(whole) => {
                    prop_assert!(whole.len() < frames.len());
                    prop_assert!(whole.iter().zip(&frames).all(|(one, other)| one == other));
                }
                Err(error) => prop_assert_eq!(error, FramesError::CutOff),
            }
        }

        #[test]
        fn any_bytes_are_frames_or_a_typed_error(bytes: Vec<u8>) {
            if let Ok(frames) = split(bytes.clone().into(), SOME) {
                let frames: Vec<Vec<u8>> = frames.iter().map(|frame| frame.to_vec()).collect();
                prop_assert_eq!(&joined(&frames)[..], &bytes[..]);
            }
        }
    }

    #[test]
    fn as_many_frames_as_allowed_fit_and_not_one_more() {
        let mut joined = Joined::new(2);
        assert!(joined.is_empty());
        joined.push(b"one").unwrap();
        joined.push(b"").unwrap();
        assert_eq!(joined.push(b"three"), Err(FramesError::TooManyFrames(2)));
        let body = Bytes::from(joined.into_body());
        assert_eq!(split(body.clone(), 2).unwrap(), [&b"one"[..], b""]);
        assert_eq!(split(body, 1), Err(FramesError::TooManyFrames(1)));
    }

    #[test]
    fn a_frame_at_the_limit_is_taken_and_one_past_it_refused() {
        let mut joined = Joined::new(2);
        joined.push(&vec![7; FRAME_BYTES_MAX]).unwrap();
        let larger = FRAME_BYTES_MAX + 1;
        assert_eq!(joined.push(&vec![7; larger]), Err(FramesError::FrameTooLarge(larger)));
        assert_eq!(split(joined.into_body().into(), 1).unwrap()[0].len(), FRAME_BYTES_MAX);
        // Refused by its length alone, before its bytes are there.
        let claimed = Bytes::copy_from_slice(&(larger as u32).to_le_bytes());
        assert_eq!(split(claimed, 1), Err(FramesError::FrameTooLarge(larger)));
    }

    #[test]
    fn a_body_at_the_limit_is_taken_and_one_past_it_refused() {
        let mut joined = Joined::new(usize::MAX);
        let whole = LENGTH_BYTES + FRAME_BYTES_MAX;
        for _ in 0..FRAMES_BYTES_MAX / whole {
            joined.push(&vec![1; FRAME_BYTES_MAX]).unwrap();
        }
        let left = FRAMES_BYTES_MAX % whole - LENGTH_BYTES;
        let past = Err(FramesError::BodyTooLarge(FRAMES_BYTES_MAX + 1));
        assert_eq!(joined.clone().push(&vec![1; left + 1]), past);
        joined.push(&vec![1; left]).unwrap();
        let mut body = joined.into_body();
        assert_eq!(body.len(), FRAMES_BYTES_MAX);
        assert!(split(body.clone().into(), usize::MAX).is_ok());
        body.push(0);
        assert_eq!(
            split(body.into(), usize::MAX),
            Err(FramesError::BodyTooLarge(FRAMES_BYTES_MAX + 1))
        );
    }
}
