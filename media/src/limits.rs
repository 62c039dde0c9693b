//! Owns every limit of this crate; what happens past one is decided where it is used.

use std::time::Duration;

/// Largest SimpleBlock or BlockGroup body, or MP4 sample, taken from a source, in bytes. A larger claim is damage.
pub const BLOCK_BYTES_MAX: usize = 16 * 1024 * 1024;

/// How much of a large file to read or write at a time. The system takes several times as long for
/// writes of a megabyte, whose pages it has to find side by side (`benches/stitch.rs`).
pub const FILE_BUFFER_BYTES: usize = 128 * 1024;

/// So many buffers wait at most for being written behind what makes them.
pub const WRITE_BEHIND_BUFFERS: usize = 4;

/// What each of them holds. No power of two: for such writes the system looks for pages side by side, and
/// that takes the longer the more pieces its memory is in (`benches/stitch.rs`).
pub const WRITE_BEHIND_BYTES: usize = 250_000;

/// Largest EBML header, Info or Tracks body, or MP4 `ftyp` or `moov`, taken from a source, in bytes.
pub const HEADER_BYTES_MAX: usize = 1024 * 1024;

/// Up to so many bytes an element or box of no interest (Void, Tags, Cues, `free`, …) is stepped over
/// unseen. In a larger one it is looked whether its size swallows media.
pub const SKIPPED_UNSEEN_BYTES_MAX: u64 = 1024 * 1024;

/// Largest element that nobody knows and that is stepped over by its size, in bytes.
pub const STRANGER_BYTES_MAX: usize = 64 * 1024;

/// So many bytes are enough to recognise what can't be mistaken: a Cluster, a `moof`.
pub const LANDMARK_BYTES_MAX: usize = 32;

/// Held at most while it is found out whether the bytes on both sides of a possible hole belong
/// together. What cannot be told by then is believed.
pub const SEAM_HELD_BYTES_MAX: usize = BLOCK_BYTES_MAX + 64 * 1024;

/// Largest block that is believed where reading goes on behind damage, in bytes: what it begins with
/// is easily found by chance.
pub const ENTRY_BLOCK_BYTES_MAX: usize = 1024 * 1024;

/// Two blocks in a row are no further apart where reading goes on behind damage.
pub const ENTRY_STEP_MAX: Duration = Duration::from_secs(10);

/// Held of a stream whose beginning is missing, until its header comes or it can be told how to do
/// without, in bytes. Past it the stream is refused.
pub const HEADLESS_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Largest `moov` of a source, in bytes: what describes ten hours of an ordinary MP4.
pub const MOOV_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Most tracks one recorder run may declare.
pub const TRACKS_MAX: usize = 16;

/// Largest description of an MP4 fragment (`moof` body) taken from a source, in bytes.
pub const MOOF_BYTES_MAX: usize = 1024 * 1024;

/// Most samples that one MP4 fragment may describe; their list is held while its media is read.
pub const FRAGMENT_SAMPLES_MAX: usize = 65_536;

/// Most different descriptions of one codec in a track of an MP4, read or written.
pub const DESCRIPTIONS_MAX: usize = 16;

/// Most ticks a second in which a written MP4 states durations of the whole. Where several tracks
/// have no common measure below, the first one's is used and the others are rounded to it.
pub const MOVIE_TIMESCALE_MAX: u32 = 10_000_000;

/// Most samples in a written MP4: 77 hours of 30 frames a second. The rest is refused. The table
/// held until the file is finished takes [`SAMPLE_ENTRY_BYTES_MAX`] for a sample at most, and as
/// much again while it is written; for a browser's output it is 4 to 16 bytes.
pub const SAMPLES_MAX: usize = 1 << 23;

/// What the tables of an MP4 say of one sample, in bytes at most: its size (4), duration (8),
/// shift (8), whether it is a keyframe (4), and a chunk of its own (20).
pub const SAMPLE_ENTRY_BYTES_MAX: usize = 44;

/// Largest `moov` read back when a finished file is verified, in bytes.
pub const WRITTEN_MOOV_BYTES_MAX: usize =
    SAMPLES_MAX * SAMPLE_ENTRY_BYTES_MAX + TRACKS_MAX * HEADER_BYTES_MAX;

/// Most segments joined into one file.
pub const SEGMENTS_MAX: usize = 10_000;

/// Most damaged places listed one by one for a segment; the rest are counted.
pub const DAMAGES_LISTED_MAX: usize = 100;

/// Most headers, and most places of packets that are left out, listed one by one for a segment.
pub const PLACES_LISTED_MAX: usize = 100;

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

/// Longest sound decoded from one track, from the start of the file. A later packet is dropped
/// and counted.
pub const SOUND_DURATION_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// A packet whose timestamp is off the end of the one before by no more is taken to follow it.
/// Timestamps are rounded to milliseconds and recorders are a little unsteady; this stays well
/// inside one bucket of a waveform.
pub const TIMESTAMP_JITTER_MAX: Duration = Duration::from_millis(5);

/// A voice is given silence to play where it has nothing for at least so long. Below that it may be how
/// a recorder's packets come.
pub const SILENCE_FROM: Duration = Duration::from_millis(200);

/// In an MP4 a gap longer than this is left as it is. Of AAC there is no silence longer than a packet,
/// and each costs the tables some bytes.
pub const MP4_SILENCE_MAX: Duration = Duration::from_secs(60 * 60);
/// So much of a gap is filled with silence at most; the rest stays a hole in time. Nobody sits through
/// an hour of nothing: a player is told to go on behind it, and finds its way there by the cues.
pub const SILENCE_GAP_MAX: Duration = Duration::from_secs(60 * 60);

/// Longest silence that a voice is given in one file, in all of its gaps.
pub const SILENCE_TOTAL_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// What a second of silence takes of a file at most: nine packets of 14 bytes with their headers, and
/// a cluster and a cue of its own.
pub const SILENCE_BYTES_PER_SECOND_MAX: u64 = 256;

/// Most tracks of one file that a waveform is made of; the first ones are taken. Each may hold
/// [`PEAKS_MAX`] buckets.
pub const WAVEFORM_TRACKS_MAX: usize = 4;

/// How far in the order of a file a sound may stand behind what plays later, to be mixed in.
pub const MIX_WAIT_MAX: Duration = Duration::from_millis(500);

/// The same in an MP4, where what plays at one time stands further apart.
pub const MP4_MIX_WAIT_MAX: Duration = Duration::from_secs(2);

/// Bytes of packets held back while the mixed sound catches up with them. Past it they are written
/// at once, and the file is not in the order of time there.
pub const MIX_HELD_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Length of a bucket at the finest level of a waveform, in milliseconds.
pub const PEAKS_BUCKET_MILLIS: u32 = 10;

/// Most buckets of one waveform: [`SOUND_DURATION_MAX`] at the finest level.
pub const PEAKS_MAX: usize = SOUND_DURATION_MAX.as_secs() as usize * 100;

/// Coarsest level of a waveform. Each level has buckets twice as long as the one below it; at
/// this one they last about eleven minutes.
pub const PEAKS_LEVEL_MAX: u8 = 16;

/// Media that comes before its index is held in memory up to so many bytes, and beyond in a file.
pub const MEDIA_AHEAD_BYTES_MAX: usize = 1024 * 1024;

/// A recorder's clock may step back by so much, in a track, for its stamps being rounded. More is the
/// beginning of another stretch.
pub const CLOCK_BLUR: Duration = Duration::from_millis(5);

/// Where pictures are decoded in another order than shown, their stamps may step back by so much.
pub const REORDERING_MAX: Duration = Duration::from_secs(1);

/// The longest silence in a stretch. A recorder's clock that goes on further at once has jumped, as after
/// a night's sleep of its computer: what follows is joined right behind.
pub const CLOCK_JUMP_MAX: Duration = Duration::from_secs(60 * 60);

/// After a silence longer than this it is waited for [`HOLD_SPAN_MAX`] whether the clock comes back: then
/// it was no silence, but an odd stamp.
pub const CLOCK_LEAP: Duration = Duration::from_secs(1);

/// A clock that broke may come back to where it was before, as long as what is between is no longer.
pub const CLOCK_RETURN_MAX: Duration = Duration::from_secs(60);

/// A longer step between two packets may be the clock's, if the stretch before fits better.
pub const STEP_USUAL: Duration = Duration::from_millis(250);

/// A track may begin so much earlier than the packet that comes first in its run.
pub const TRACK_EARLIER_MAX: Duration = Duration::from_secs(10);

/// At the beginning of a stretch packets are held until each track has one, for so much of their time at
/// most: the earliest decides where the stretch begins.
pub const HOLD_SPAN_MAX: Duration = Duration::from_secs(2);

/// Bytes of packets that are held for that, at most.
pub const HOLD_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Of the first packets of a run so many, and of so many bytes, are known again when they come once more
/// behind the run's own header.
pub const REPEATED_PACKETS_MAX: usize = 1024;
/// See [`REPEATED_PACKETS_MAX`].
pub const REPEATED_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// So many of the last fragments of an MP4 are known again when they come twice, and of each so many
/// samples as [`REPEATED_PACKETS_MAX`].
pub const REPEATED_FRAGMENTS_MAX: usize = 8;
