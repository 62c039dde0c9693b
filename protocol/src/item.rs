//! The unit that is numbered, stored, sent and acknowledged.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

pub use crate::digest::{Digest, InvalidDigest};
use crate::limits::{
    ITEM_PAYLOAD_BYTES_MAX, ITEMS_PER_SESSION_MAX, LABEL_BYTES_MAX, MIME_BYTES_MAX,
    SEGMENTS_PER_SESSION_MAX, SESSION_DURATION_MAX, TRACKS_PER_SESSION_MAX,
};
use crate::{Millis, SegmentNo, Seq, TrackNo, UnixMillis};

/// One numbered piece of a session. Immutable once captured: the digest covers all of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    pub seq: Seq,
    /// When it was captured, on the session's timeline.
    pub at: Millis,
    pub content: Content,
    pub digest: Digest,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Content {
    /// The next bytes of a recorder run. A run's chunks in seq order are one media stream.
    Chunk {
        track: TrackNo,
        segment: SegmentNo,
        bytes: Bytes,
    },
    Marker(Marker),
}

/// Something that happened and is worth remembering in order with the media.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Marker {
    SegmentStarted(SegmentStart),
    SegmentEnded(SegmentEnd),
    Paused,
    Resumed,
    Noted(Incident),
}

/// Opens a recorder run: everything a reader of its chunks must know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentStart {
    pub track: TrackNo,
    pub segment: SegmentNo,
    pub kind: TrackKind,
    /// As the recorder names it, such as `audio/webm;codecs=opus`.
    pub mime: String,
    /// As the browser names the device; empty when it does not.
    pub label: String,
    pub wall: UnixMillis,
    pub cause: StartCause,
}

/// Closes a recorder run. A run whose page crashed has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentEnd {
    pub track: TrackNo,
    pub segment: SegmentNo,
    pub cause: EndCause,
}

/// An enum whose variants have names, the same in the database, in the API and in the metrics.
macro_rules! named_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
        }

        impl $name {
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }
        }
    };
}

pub(crate) use named_enum;

named_enum!(
    /// Why a recorder run started.
    StartCause {
        /// The candidate pressed "Start recording".
        Begun = "begun",
        /// The candidate went on with what an earlier page had left.
        PageReturned = "page_returned",
        /// Another tab was recording this session, and this one took over.
        TakenOver = "taken_over",
        /// The candidate tried again after the microphone or the recorder had failed.
        Retried = "retried",
        /// Another microphone took the place of the one before.
        DeviceChanged = "device_changed",
        /// The recorder delivered nothing any more and was restarted.
        RecorderRestarted = "recorder_restarted",
    }
);

named_enum!(
    /// Why a recorder run ended.
    EndCause {
        /// The candidate pressed "Stop and save".
        Stopped = "stopped",
        PageLeft = "page_left",
        TakenOver = "taken_over",
        /// Unplugged, or its permission was taken back.
        DeviceLost = "device_lost",
        DeviceChanged = "device_changed",
        RecorderFailed = "recorder_failed",
        /// It delivered nothing for too long.
        RecorderStalled = "recorder_stalled",
    }
);

/// Something that went wrong, or right again, in the candidate's browser.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Incident {
    /// The page was left; it may still come back out of the browser's cache.
    PageLeft,
    PageReturned,
    /// The page stood still for this long: the computer slept, or the browser froze it.
    PageSlept(Millis),
    /// The system silenced the microphone, as a phone call does.
    MicrophoneMuted,
    MicrophoneUnmuted,
    /// The microphone delivers silence.
    MicrophoneSilent,
    MicrophoneHeard,
    /// The browser's storage took an item no more; from here on some exist in memory only.
    SpoolFailed,
    SpoolRecovered,
    LinkLost,
    /// The link is back after this long and so many tries.
    LinkRestored {
        away: Millis,
        tries: u32,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrackKind {
    Microphone,
    /// With the microphone's sound in the same stream, unless that is a track of its own.
    Camera,
    Screen,
    SystemAudio,
    /// The camera, as a picture now and then: each chunk is one whole JPEG.
    Stills,
}

impl TrackKind {
    pub const ALL: [Self; 5] =
        [Self::Microphone, Self::Camera, Self::Screen, Self::SystemAudio, Self::Stills];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Microphone => "microphone",
            Self::Camera => "camera",
            Self::Screen => "screen",
            Self::SystemAudio => "system_audio",
            Self::Stills => "stills",
        }
    }
}

/// Why an item is refused. Nothing of it is stored. On the wire it is its place in [`ItemError::ALL`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(from = "u32", into = "u32")]
pub enum ItemError {
    #[error("the digest does not match the item: it was damaged on the way")]
    WrongDigest,
    #[error("the chunk holds no bytes")]
    EmptyPayload,
    #[error("the chunk is above {ITEM_PAYLOAD_BYTES_MAX} bytes")]
    PayloadTooLarge,
    #[error("the item's number is above the limit of {ITEMS_PER_SESSION_MAX} items a session")]
    SeqTooLarge,
    #[error("the item lies beyond the longest session ({SESSION_DURATION_MAX})")]
    TooLate,
    #[error("the track's number is above the limit of {TRACKS_PER_SESSION_MAX}")]
    TrackOutOfRange,
    #[error("the segment's number is above the limit of {SEGMENTS_PER_SESSION_MAX}")]
    SegmentOutOfRange,
    #[error("a text is above its limit (mime {MIME_BYTES_MAX}, label {LABEL_BYTES_MAX} bytes)")]
    TextTooLong,
    #[error("another item is already stored under this number; the first one is kept")]
    DigestConflict,
    #[error("the session takes no more items")]
    SessionFinished,
    #[error("with it the session would be larger than it may be")]
    SessionFull,
    #[error("its number is too far ahead of all that came")]
    TooFarAhead,
    #[error("too much is missing before it")]
    TooManyHoles,
    /// What a newer server says and this version has no word for.
    #[error("the server's reason ({0}) is not known here")]
    Other(u32),
}

impl ItemError {
    pub const ALL: [Self; 13] = [
        Self::WrongDigest,
        Self::EmptyPayload,
        Self::PayloadTooLarge,
        Self::SeqTooLarge,
        Self::TooLate,
        Self::TrackOutOfRange,
        Self::SegmentOutOfRange,
        Self::TextTooLong,
        Self::DigestConflict,
        Self::SessionFinished,
        Self::SessionFull,
        Self::TooFarAhead,
        Self::TooManyHoles,
    ];

    /// The word in the event log and in the metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::WrongDigest => "wrong_digest",
            Self::EmptyPayload => "empty_payload",
            Self::PayloadTooLarge => "payload_too_large",
            Self::SeqTooLarge => "seq_too_large",
            Self::TooLate => "too_late",
            Self::TrackOutOfRange => "track_out_of_range",
            Self::SegmentOutOfRange => "segment_out_of_range",
            Self::TextTooLong => "text_too_long",
            Self::DigestConflict => "digest_conflict",
            Self::SessionFinished => "session_finished",
            Self::SessionFull => "session_full",
            Self::TooFarAhead => "too_far_ahead",
            Self::TooManyHoles => "too_many_holes",
            Self::Other(_) => "other",
        }
    }
}

impl From<u32> for ItemError {
    fn from(place: u32) -> Self {
        let known = usize::try_from(place).ok().and_then(|place| Self::ALL.get(place));
        known.map_or(Self::Other(place), |error| *error)
    }
}

impl From<ItemError> for u32 {
    fn from(error: ItemError) -> Self {
        match error {
            ItemError::WrongDigest => 0,
            ItemError::EmptyPayload => 1,
            ItemError::PayloadTooLarge => 2,
            ItemError::SeqTooLarge => 3,
            ItemError::TooLate => 4,
            ItemError::TrackOutOfRange => 5,
            ItemError::SegmentOutOfRange => 6,
            ItemError::TextTooLong => 7,
            ItemError::DigestConflict => 8,
            ItemError::SessionFinished => 9,
            ItemError::SessionFull => 10,
            ItemError::TooFarAhead => 11,
            ItemError::TooManyHoles => 12,
            ItemError::Other(place) => place,
        }
    }
}

impl Item {
    /// Seals `content` under its number.
    pub fn new(seq: Seq, at: Millis, content: Content) -> Self {
        let digest = Digest::of_item(seq, at, &content);
        Self { seq, at, content, digest }
    }

    /// Bytes of the payload; markers count as none.
    pub fn payload_bytes(&self) -> usize {
        self.content.payload_bytes()
    }

    /// Checks everything that an item alone can tell. The digest first: what a damaged item says
    /// of itself means nothing, and the client sends only damaged items again.
    pub fn check(&self) -> Result<(), ItemError> {
        if Digest::of_item(self.seq, self.at, &self.content) != self.digest {
            return Err(ItemError::WrongDigest);
        }
        if self.seq.get() >= ITEMS_PER_SESSION_MAX {
            return Err(ItemError::SeqTooLarge);
        }
        if self.at > SESSION_DURATION_MAX {
            return Err(ItemError::TooLate);
        }
        self.content.check()
    }
}

impl Content {
    /// Bytes of the payload; markers count as none.
    pub fn payload_bytes(&self) -> usize {
        match self {
            Self::Chunk { bytes, .. } => bytes.len(),
            Self::Marker(_) => 0,
        }
    }

    /// What each item of it holds: a chunk above the item limit becomes several.
    pub(crate) fn into_parts(self) -> Vec<Self> {
        match self {
            Self::Chunk { track, segment, mut bytes } => {
                let mut parts = Vec::with_capacity(bytes.len().div_ceil(ITEM_PAYLOAD_BYTES_MAX));
                while !bytes.is_empty() {
                    let bytes = bytes.split_to(bytes.len().min(ITEM_PAYLOAD_BYTES_MAX));
                    parts.push(Self::Chunk { track, segment, bytes });
                }
                parts
            }
            Self::Marker(_) => vec![self],
        }
    }

    /// The recorder run that it belongs to, if to one.
    pub const fn segment(&self) -> Option<SegmentNo> {
        match self {
            Self::Chunk { segment, .. }
            | Self::Marker(Marker::SegmentEnded(SegmentEnd { segment, .. }))
            | Self::Marker(Marker::SegmentStarted(SegmentStart { segment, .. })) => Some(*segment),
            Self::Marker(Marker::Paused | Marker::Resumed | Marker::Noted(_)) => None,
        }
    }

    fn check(&self) -> Result<(), ItemError> {
        match self {
            Self::Chunk { track, segment, bytes } => {
                check_place(*track, *segment)?;
                match bytes.len() {
                    0 => Err(ItemError::EmptyPayload),
                    1..=ITEM_PAYLOAD_BYTES_MAX => Ok(()),
                    _ => Err(ItemError::PayloadTooLarge),
                }
            }
            Self::Marker(Marker::SegmentStarted(start)) => {
                check_place(start.track, start.segment)?;
                if start.mime.len() > MIME_BYTES_MAX || start.label.len() > LABEL_BYTES_MAX {
                    return Err(ItemError::TextTooLong);
                }
                Ok(())
            }
            Self::Marker(Marker::SegmentEnded(end)) => check_place(end.track, end.segment),
            Self::Marker(Marker::Paused | Marker::Resumed | Marker::Noted(_)) => Ok(()),
        }
    }
}

fn check_place(track: TrackNo, segment: SegmentNo) -> Result<(), ItemError> {
    if track.get() >= TRACKS_PER_SESSION_MAX {
        return Err(ItemError::TrackOutOfRange);
    }
    if segment.get() >= SEGMENTS_PER_SESSION_MAX {
        return Err(ItemError::SegmentOutOfRange);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(seq: u64, bytes: usize) -> Item {
        Item::new(
            Seq::new(seq),
            Millis::ZERO,
            Content::Chunk {
                track: TrackNo::new(0),
                segment: SegmentNo::new(0),
                bytes: Bytes::from(vec![1; bytes]),
            },
        )
    }

    fn start(mime: usize, label: usize) -> Item {
        let start = SegmentStart {
            track: TrackNo::new(0),
            segment: SegmentNo::new(0),
            kind: TrackKind::Microphone,
            mime: "m".repeat(mime),
            label: "l".repeat(label),
            wall: UnixMillis::new(0),
            cause: StartCause::Begun,
        };
        Item::new(Seq::ZERO, Millis::ZERO, Content::Marker(Marker::SegmentStarted(start)))
    }

    fn placed(track: u8, segment: u32) -> Item {
        let (track, segment) = (TrackNo::new(track), SegmentNo::new(segment));
        let end = SegmentEnd { track, segment, cause: EndCause::Stopped };
        Item::new(Seq::ZERO, Millis::ZERO, Content::Marker(Marker::SegmentEnded(end)))
    }

    #[test]
    fn each_limit_holds_at_its_edge_and_refuses_one_past_it() {
        let at = |millis| Item::new(Seq::ZERO, millis, Content::Marker(Marker::Paused));
        let past_the_end = SESSION_DURATION_MAX + Millis::new(1);
        for (inside, outside, error) in [
            (chunk(0, 1), chunk(0, 0), ItemError::EmptyPayload),
            (
                chunk(0, ITEM_PAYLOAD_BYTES_MAX),
                chunk(0, ITEM_PAYLOAD_BYTES_MAX + 1),
                ItemError::PayloadTooLarge,
            ),
            (
                chunk(ITEMS_PER_SESSION_MAX - 1, 1),
                chunk(ITEMS_PER_SESSION_MAX, 1),
                ItemError::SeqTooLarge,
            ),
            (at(SESSION_DURATION_MAX), at(past_the_end), ItemError::TooLate),
            (
                placed(TRACKS_PER_SESSION_MAX - 1, 0),
                placed(TRACKS_PER_SESSION_MAX, 0),
                ItemError::TrackOutOfRange,
            ),
            (
                placed(0, SEGMENTS_PER_SESSION_MAX - 1),
                placed(0, SEGMENTS_PER_SESSION_MAX),
                ItemError::SegmentOutOfRange,
            ),
            (start(MIME_BYTES_MAX, 0), start(MIME_BYTES_MAX + 1, 0), ItemError::TextTooLong),
            (start(0, LABEL_BYTES_MAX), start(0, LABEL_BYTES_MAX + 1), ItemError::TextTooLong),
        ] {
            assert_eq!(inside.check(), Ok(()), "inside {error:?}");
            assert_eq!(outside.check(), Err(error));
        }
    }

    #[test]
    fn damage_that_breaks_a_limit_is_still_damage() {
        let mut damaged = placed(0, 0);
        damaged.content = placed(TRACKS_PER_SESSION_MAX, 0).content;
        assert_eq!(damaged.check(), Err(ItemError::WrongDigest));
    }

    #[test]
    fn any_change_to_an_item_breaks_its_digest() {
        let good = chunk(3, 100);
        let mut other_seq = good.clone();
        other_seq.seq = Seq::new(4);
        let mut other_time = good.clone();
        other_time.at = Millis::new(1);
        let mut other_bytes = good.clone();
        other_bytes.content = chunk(3, 101).content;
        for damaged in [other_seq, other_time, other_bytes] {
            assert_eq!(damaged.check(), Err(ItemError::WrongDigest));
        }
    }
}
