//! Owns every limit of this crate; what happens past one is decided where it is used.

use std::time::Duration;

/// Largest SimpleBlock or BlockGroup body taken from a source, in bytes. A larger claim is damage.
pub const BLOCK_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Largest EBML header, Info or Tracks body taken from a source, in bytes.
pub const HEADER_BYTES_MAX: usize = 1024 * 1024;

/// Largest element stepped over in a source (Void, Tags, Cues, …), in bytes.
pub const SKIPPED_BYTES_MAX: usize = 1024 * 1024;

/// Most tracks one recorder run may declare.
pub const TRACKS_MAX: usize = 16;

/// Most segments joined into one file.
pub const SEGMENTS_MAX: usize = 10_000;

/// Longest a segment may last, from its first packet. A later packet is dropped and reported.
pub const SEGMENT_DURATION_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// Most damaged places listed one by one for a segment; the rest are counted.
pub const DAMAGES_LISTED_MAX: usize = 100;

/// A written cluster is closed before it would grow past this, in bytes.
pub const CLUSTER_BYTES_MAX: usize = 5 * 1024 * 1024;

/// A written cluster without a video track is closed at this length.
pub const AUDIO_CLUSTER_DURATION_MAX: Duration = Duration::from_secs(1);

/// A written cluster with a video track is closed at this length even if no keyframe comes.
pub const VIDEO_CLUSTER_DURATION_MAX: Duration = Duration::from_secs(5);

/// Most cue points written; past it every second one is dropped and the spacing doubles.
pub const CUES_MAX: usize = 131_072;

/// Longest a frame without a stated duration is taken to last.
pub const FRAME_DURATION_MAX: Duration = Duration::from_secs(1);

/// Bytes taken from one push at a time: bounds the copy held while a huge chunk is read.
pub const PUSH_PIECE_BYTES: usize = 64 * 1024;

/// Largest Cues body read back when a finished file is verified, in bytes.
pub const CUES_BYTES_MAX: usize = CUES_MAX * 40;
