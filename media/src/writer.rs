//! Owns the layout of the written file: head, clusters, index, and the sizes patched at the end.
//! Does not decide when a packet plays.

use std::io::{self, Seek, SeekFrom, Write};
use std::time::Duration;

use crate::block::{self, BlockBody, Placement};
use crate::ebml::{self, id};
use crate::limits;
use crate::seek_index::{self, Cue, CueIndex, SEEK_HEAD_BYTES};
use crate::tracks::{TrackEntry, TrackKind};
use crate::units::{Millis, TrackNumber};

const APP_NAME: &[u8] = b"Holdfast";
const TIMESTAMP_SCALE_NANOS: u64 = 1_000_000;
/// More than the header of any block.
const BLOCK_HEAD_BYTES: usize = 64;

/// Writes one file front to back; only the head is patched when the end is known. Until then the
/// Segment has an unknown size, so a file cut short still plays.
#[derive(Debug)]
pub(crate) struct WebmWriter<W> {
    out: W,
    /// Where in `out` the file starts.
    origin: u64,
    /// Bytes written, from `origin`.
    written: u64,
    head: Option<Head>,
    open: Option<OpenCluster>,
    /// Blocks of the open cluster.
    blocks: Vec<u8>,
    last_video: Millis,
    /// To the start of the file: for one in which nothing else deserves a cue.
    first_cue: Option<Cue>,
    cues: CueIndex,
    clusters: u64,
    /// Where it is said that a track's pictures are not transparent, and whether one of them is.
    alphas: Vec<Alpha>,
}

#[derive(Debug, Clone, Copy)]
struct Alpha {
    track: TrackNumber,
    at: u64,
    is_seen: bool,
}

/// Where the parts of the head are, in bytes from the start of the file.
#[derive(Debug, Clone, Copy)]
struct Head {
    segment_size: u64,
    inside_segment: u64,
    info: u64,
    duration: u64,
    tracks: u64,
    has_video: bool,
}

#[derive(Debug, Clone, Copy)]
struct OpenCluster {
    at: Millis,
    track: TrackNumber,
    starts_with_key: bool,
    starts_with_video: bool,
    has_video: bool,
}

/// What was written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Written {
    pub(crate) bytes: u64,
    pub(crate) clusters: u64,
    pub(crate) cues: u64,
}

impl<W: Write + Seek> WebmWriter<W> {
    /// `out` stands at `origin`.
    pub(crate) fn new(out: W, origin: u64) -> Self {
        Self {
            out,
            origin,
            written: 0,
            head: None,
            open: None,
            blocks: Vec::new(),
            last_video: Millis(0),
            first_cue: None,
            cues: CueIndex::new(),
            clusters: 0,
            alphas: Vec::new(),
        }
    }

    pub(crate) fn into_out(self) -> W {
        self.out
    }

    /// Writes everything before the first cluster. Tracks are numbered from 1 in their order.
    pub(crate) fn write_head<'a>(
        &mut self,
        doc_type: &str,
        tracks: impl Iterator<Item = &'a TrackEntry>,
    ) -> io::Result<()> {
        let mut bytes = ebml_header(doc_type);
        ebml::put_id(&mut bytes, id::SEGMENT);
        let segment_size = bytes.len() as u64;
        bytes.extend_from_slice(&ebml::UNKNOWN_SIZE);
        let inside_segment = bytes.len() as u64;
        ebml::put_void(&mut bytes, SEEK_HEAD_BYTES);
        let info = bytes.len() as u64;
        put_info(&mut bytes);
        let duration = bytes.len() as u64 - 8;
        let at_tracks = bytes.len() as u64;
        let mut entries = Vec::new();
        let mut has_video = false;
        let mut alphas = Vec::new();
        for (entry, number) in tracks.zip(1..) {
            has_video |= entry.kind == TrackKind::Video;
            let track = TrackNumber(number);
            alphas.extend(entry.put(&mut entries, track).map(|at| (track, at)));
        }
        ebml::put_element(&mut bytes, id::TRACKS, &entries);
        let begin = bytes.len() - entries.len();
        let alpha = |(track, at)| Alpha { track, at: (begin + at) as u64, is_seen: false };
        self.alphas = alphas.into_iter().map(alpha).collect();
        let tracks = at_tracks;
        self.head = Some(Head { segment_size, inside_segment, info, duration, tracks, has_video });
        self.write(&bytes)
    }

    /// Writes one block, in the open cluster or a new one.
    pub(crate) fn write_block(
        &mut self,
        kind: TrackKind,
        body: &BlockBody<'_>,
        place: &Placement,
    ) -> io::Result<()> {
        let is_video = kind == TrackKind::Video;
        let is_video_key = is_video && place.keyframe;
        let relative = match self.fits(body, place).filter(|_| !is_video_key) {
            Some(relative) => relative,
            None => {
                self.close_cluster()?;
                self.open = Some(OpenCluster {
                    at: place.at,
                    track: place.track,
                    starts_with_key: place.keyframe,
                    starts_with_video: is_video,
                    has_video: is_video,
                });
                0
            }
        };
        block::put(&mut self.blocks, body, place, relative);
        if body.has_additions() {
            let its = self.alphas.iter_mut().find(|alpha| alpha.track == place.track);
            its.into_iter().for_each(|alpha| alpha.is_seen = true);
        }
        if is_video {
            self.last_video = self.last_video.max(place.at);
        }
        if let Some(open) = &mut self.open {
            open.has_video |= is_video;
        }
        Ok(())
    }

    /// Ends the open cluster; the next block starts a new one.
    pub(crate) fn close_cluster(&mut self) -> io::Result<()> {
        let (Some(cluster), Some(head)) = (self.open.take(), self.head) else {
            return Ok(());
        };
        let at_byte = self.written - head.inside_segment;
        let cue = Cue { at: cluster.at, track: cluster.track, cluster: at_byte };
        self.first_cue.get_or_insert(cue);
        if self.deserves_cue(cluster, head) {
            self.cues.offer(cue);
        }
        let mut timestamp = Vec::new();
        ebml::put_uint(&mut timestamp, id::TIMESTAMP, cluster.at.0);
        let mut start = Vec::new();
        ebml::put_header(&mut start, id::CLUSTER, timestamp.len() + self.blocks.len());
        start.extend_from_slice(&timestamp);
        self.write(&start)?;
        let mut blocks = std::mem::take(&mut self.blocks);
        self.write(&blocks)?;
        blocks.clear();
        self.blocks = blocks;
        self.clusters += 1;
        Ok(())
    }

    /// Writes the index and patches the head. Returns `out` positioned behind the file.
    pub(crate) fn finish(mut self, duration: Duration) -> io::Result<(W, Written)> {
        self.close_cluster()?;
        let Some(head) = self.head else {
            return Ok((self.out, Written { bytes: 0, clusters: 0, cues: 0 }));
        };
        let cues_at = self.written;
        let mut index = std::mem::replace(&mut self.cues, CueIndex::new());
        if let (0, Some(first)) = (index.len(), self.first_cue) {
            index.offer(first);
        }
        let cues = index.len() as u64;
        self.write(&index.into_element())?;

        let inside = |at: u64| at - head.inside_segment;
        let seek_head = seek_index::seek_head([
            (id::INFO, inside(head.info)),
            (id::TRACKS, inside(head.tracks)),
            (id::CUES, inside(cues_at)),
        ]);
        let duration_ticks = duration.as_nanos() as f64 / TIMESTAMP_SCALE_NANOS as f64;
        self.patch(head.inside_segment, &seek_head)?;
        self.patch(head.duration, &duration_ticks.to_be_bytes())?;
        let seen: Vec<_> = self.alphas.iter().filter(|one| one.is_seen).map(|one| one.at).collect();
        seen.into_iter().try_for_each(|at| self.patch(at, &[1]))?;
        self.patch(head.segment_size, &ebml::size_of_8_bytes(inside(self.written)))?;
        self.out.seek(SeekFrom::Start(self.origin + self.written))?;
        self.out.flush()?;
        let written = Written { bytes: self.written, clusters: self.clusters, cues };
        Ok((self.out, written))
    }

    /// The distance from the open cluster's timestamp, if the block may stand in it.
    fn fits(&self, body: &BlockBody<'_>, place: &Placement) -> Option<i16> {
        let open = self.open?;
        let has_video = self.head.is_some_and(|head| head.has_video);
        let length_max = if has_video {
            limits::VIDEO_CLUSTER_DURATION_MAX
        } else {
            limits::AUDIO_CLUSTER_DURATION_MAX
        };
        let length = place.at.as_duration().saturating_sub(open.at.as_duration());
        let bytes = self.blocks.len() + body.bytes() + BLOCK_HEAD_BYTES;
        if length >= length_max || bytes > limits::CLUSTER_BYTES_MAX {
            return None;
        }
        let at = i64::try_from(place.at.0).ok()?;
        i16::try_from(at - i64::try_from(open.at.0).ok()?).ok()
    }

    /// Playing can start at a video keyframe; and anywhere in sound that no picture accompanies.
    /// A keyframe of video always starts a cluster.
    fn deserves_cue(&self, cluster: OpenCluster, head: Head) -> bool {
        let since_video = cluster.at.as_duration().saturating_sub(self.last_video.as_duration());
        let is_sound_alone = !cluster.has_video
            && (!head.has_video || since_video >= limits::VIDEO_CLUSTER_DURATION_MAX);
        cluster.starts_with_key && (cluster.starts_with_video || is_sound_alone)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)?;
        self.written += bytes.len() as u64;
        Ok(())
    }

    fn patch(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.out.seek(SeekFrom::Start(self.origin + at))?;
        self.out.write_all(bytes)
    }
}

fn ebml_header(doc_type: &str) -> Vec<u8> {
    let mut body = Vec::new();
    ebml::put_uint(&mut body, id::EBML_VERSION, 1);
    ebml::put_uint(&mut body, id::EBML_READ_VERSION, 1);
    ebml::put_uint(&mut body, id::EBML_MAX_ID_LENGTH, 4);
    ebml::put_uint(&mut body, id::EBML_MAX_SIZE_LENGTH, 8);
    ebml::put_element(&mut body, id::DOC_TYPE, doc_type.as_bytes());
    ebml::put_uint(&mut body, id::DOC_TYPE_VERSION, 4);
    ebml::put_uint(&mut body, id::DOC_TYPE_READ_VERSION, 2);
    let mut header = Vec::new();
    ebml::put_element(&mut header, id::EBML, &body);
    header
}

/// Info ends in the 8 bytes of the Duration, which are patched at the end.
fn put_info(out: &mut Vec<u8>) {
    let mut body = Vec::new();
    ebml::put_uint(&mut body, id::TIMESTAMP_SCALE, TIMESTAMP_SCALE_NANOS);
    ebml::put_element(&mut body, id::MUXING_APP, APP_NAME);
    ebml::put_element(&mut body, id::WRITING_APP, APP_NAME);
    ebml::put_element(&mut body, id::DURATION, &0f64.to_be_bytes());
    ebml::put_element(out, id::INFO, &body);
}
