//! Owns putting one sound track before the others in which all of them are heard, for players that
//! play only one. The other tracks are copied as they are.

mod blend;

use std::collections::VecDeque;
use std::io::{self, Read, Seek, Write};
use std::time::Duration;

pub(crate) use self::blend::{Blend, Heard, PACKET_BYTES_MAX, PACKET_DURATION};
use crate::block::{Block, BlockBody, BlockCopy};
use crate::decode::{DescribedSound, FULL_RATE_HZ, IN_FULL};
use crate::ebml::{self, id};
use crate::error::{MediaError, Refusal};
use crate::limits;
use crate::opus;
use crate::reader::{Event, WebmReader};
use crate::tracks::{TrackEntry, TrackKind};
use crate::units::{Millis, SourceTime, TrackNumber};
use crate::webm_file::WebmFile;
use crate::writer::Written;

/// What the mixed track is called.
const NAME: &str = "All sound";
/// Names the track among those of its file, which have random numbers.
const UID: u64 = u64::from_be_bytes(*b"AllSound");
/// Track 1, at its cluster's time, a keyframe: a SimpleBlock to be put where it belongs.
const BLOCK_HEAD: [u8; 4] = [0x81, 0, 0, 0x80];
/// How long a decoder needs after a seek (RFC 7845 section 4.6), in nanoseconds.
const SEEK_PRE_ROLL_NANOS: u64 = 80_000_000;
/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mixed {
    /// From the zero of the file to the end of the last packet.
    pub duration: Duration,
    /// Of the file.
    pub bytes: u64,
    /// Of the mixed track.
    pub packets: u64,
    /// Samples that stood too far behind in the file to be mixed in: see
    /// [`limits::MIX_WAIT_MAX`].
    pub late_samples: u64,
}

/// Writes a finished WebM once more, with a sound track before its others in which all of them are
/// heard, in one channel. No packet of the others is touched.
///
/// # Errors
/// [`MediaError::Io`]; [`MediaError::Refused`] if there are not two tracks of Opus in one or two
/// channels, if there would be more than [`limits::TRACKS_MAX`] tracks, or there is not one packet;
/// [`MediaError::Encoding`].
pub fn mix<R: Read, W: Write + Seek>(mut input: R, mut out: W) -> Result<(W, Mixed), MediaError> {
    let origin = out.stream_position()?;
    let mut unused = Some(out);
    let mut mixer = None;
    let mut doc_type = String::new();
    let mut reader = WebmReader::new();
    let mut piece = vec![0; limits::PUSH_PIECE_BYTES];
    let mut is_over = false;
    loop {
        match reader.next_event()? {
            Some(Event::Header { doc_type: told }) => doc_type = told,
            Some(Event::Tracks(tracks)) => {
                if let Some(out) = unused.take() {
                    mixer = Some(Mixer::begin(out, origin, &doc_type, tracks)?);
                }
            }
            Some(Event::Block(block)) => {
                if let Some(mixer) = &mut mixer {
                    mixer.take(&block)?;
                }
            }
            Some(Event::Cluster { .. } | Event::ClockBreak | Event::Damage(_)) => {}
            None if is_over => return mixer.ok_or(Refusal::NoTracks)?.finish(),
            None => match input.read(&mut piece) {
                Ok(0) => {
                    is_over = true;
                    reader.end();
                }
                Ok(bytes) => reader.push(&piece[..bytes]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            },
        }
    }
}

struct Mixer<W> {
    file: WebmFile<W>,
    tracks: Vec<Copied>,
    blocks: u64,
    /// Packets of the others that play after what is mixed so far.
    held: VecDeque<Held>,
    held_bytes: usize,
    /// Those written, for their room.
    spare: Vec<BlockCopy>,
    blend: Blend,
    /// The mixed track's place in the file.
    place: usize,
    packets: u64,
    /// A packet with its head.
    packet: Vec<u8>,
}

/// A track that is copied.
struct Copied {
    number: TrackNumber,
    /// In the file.
    place: usize,
    /// `None` of what is no sound.
    heard: Option<Heard>,
}

struct Held {
    at: Millis,
    place: usize,
    bytes: usize,
    copy: BlockCopy,
}

impl<W: Write + Seek> Mixer<W> {
    fn begin(
        out: W,
        origin: u64,
        doc_type: &str,
        mut entries: Vec<TrackEntry>,
    ) -> Result<Self, MediaError> {
        let place = entries.iter().position(|entry| entry.kind == TrackKind::Audio);
        let place = place.unwrap_or(entries.len());
        let copied = |(order, entry): (usize, &TrackEntry)| Copied {
            number: entry.number,
            place: order + usize::from(order >= place),
            heard: DescribedSound::of_webm(entry, IN_FULL).map(Heard::new),
        };
        let tracks: Vec<Copied> = entries.iter().enumerate().map(copied).collect();
        let sounds = tracks.iter().filter(|track| track.heard.is_some()).count();
        if sounds < 2 {
            return Err(Refusal::NothingToMix { sounds }.into());
        }
        if entries.len() >= limits::TRACKS_MAX {
            return Err(Refusal::TooManyTracks { tracks: entries.len() + 1 }.into());
        }
        let blend = Blend::new()?;
        entries.insert(place, mixed_track(&blend));
        let mut file = WebmFile::new(out, origin);
        file.begin(doc_type, &entries)?;
        Ok(Self {
            file,
            tracks,
            blocks: 0,
            held: VecDeque::new(),
            held_bytes: 0,
            spare: Vec::new(),
            blend,
            place,
            packets: 0,
            packet: [&BLOCK_HEAD[..], &[0; PACKET_BYTES_MAX]].concat(),
        })
    }

    /// Takes the next packet of the source.
    fn take(&mut self, block: &Block<'_>) -> Result<(), MediaError> {
        let Some(order) = self.tracks.iter().position(|track| track.number == block.track()) else {
            return Ok(());
        };
        let at = Millis::nearest(block.time.since(SourceTime::ZERO));
        // What comes later in the file plays later, but for so much.
        self.mix_until(at.as_duration().saturating_sub(limits::MIX_WAIT_MAX))?;
        let track = &mut self.tracks[order];
        let place = track.place;
        if let Some(heard) = &mut track.heard {
            hear(heard, at, block, &mut self.blend);
        }
        self.hold(at, place, block)
    }

    fn hold(&mut self, at: Millis, place: usize, block: &Block<'_>) -> Result<(), MediaError> {
        let mut copy = self.spare.pop().unwrap_or_default();
        copy.copy(block);
        let bytes = block.body.bytes();
        self.held.push_back(Held { at, place, bytes, copy });
        self.held_bytes += bytes;
        self.blocks += 1;
        if self.held_bytes > limits::MIX_HELD_BYTES_MAX {
            self.write_held(Millis(u64::MAX))?;
        }
        Ok(())
    }

    /// Writes what was held back and plays at `until` at the latest.
    fn write_held(&mut self, until: Millis) -> Result<(), MediaError> {
        while let Some(Held { at, place, bytes, copy }) =
            self.held.pop_front_if(|held| held.at <= until)
        {
            if let Some(block) = copy.block() {
                self.file.write_block(place, &block, at)?;
            }
            self.held_bytes -= bytes;
            self.spare.push(copy);
        }
        Ok(())
    }

    /// Writes mixed packets as long as they end by `until`.
    fn mix_until(&mut self, until: Duration) -> Result<(), MediaError> {
        while self.blend.is_next_over(until) {
            self.write_mixed()?;
        }
        Ok(())
    }

    fn write_mixed(&mut self) -> Result<(), MediaError> {
        let at = self.blend.next_at();
        self.write_held(at)?;
        let bytes = self.blend.encode(&mut self.packet[BLOCK_HEAD.len()..])?;
        let body = BlockBody::from_simple_block(&self.packet[..BLOCK_HEAD.len() + bytes]);
        let body = body.map_err(|_| MediaError::Encoding("an empty packet".to_owned()))?;
        let block = Block { time: SourceTime::ZERO, duration: None, body };
        self.file.write_block(self.place, &block, at)?;
        self.packets += 1;
        Ok(())
    }

    fn finish(mut self) -> Result<(W, Mixed), MediaError> {
        if self.blocks == 0 {
            return Err(Refusal::NoMedia.into());
        }
        for _ in 0..self.blend.packets_left() {
            self.write_mixed()?;
        }
        self.write_held(Millis(u64::MAX))?;
        let duration = self.file.end();
        let (out, Written { bytes, .. }) = self.file.finish()?;
        let (packets, late_samples) = (self.packets, self.blend.late_samples());
        Ok((out, Mixed { duration, bytes, packets, late_samples }))
    }
}

/// Adds the sound of a block, which may hold several packets.
fn hear(heard: &mut Heard, at: Millis, block: &Block<'_>, blend: &mut Blend) {
    let mut at = at.as_duration();
    for packet in block.body.lacing().frames(block.payload()).unwrap_or_default() {
        heard.hear(0, at, packet, blend);
        at = at.saturating_add(opus::packet_duration(packet).unwrap_or_default());
    }
}

fn mixed_track(blend: &Blend) -> TrackEntry {
    let (head, pre_skip) = (blend.head(), blend.pre_skip());
    let delay_nanos = u64::from(pre_skip) * 1_000_000_000 / u64::from(FULL_RATE_HZ);
    let mut audio = Vec::new();
    let rate = f64::from(FULL_RATE_HZ);
    ebml::put_element(&mut audio, id::SAMPLING_FREQUENCY, &rate.to_be_bytes());
    ebml::put_uint(&mut audio, id::CHANNELS, 1);
    let mut body = Vec::new();
    ebml::put_uint(&mut body, id::TRACK_NUMBER, 1);
    ebml::put_uint(&mut body, id::TRACK_UID, UID);
    ebml::put_uint(&mut body, id::TRACK_TYPE, 2);
    ebml::put_element(&mut body, id::NAME, NAME.as_bytes());
    ebml::put_element(&mut body, id::CODEC_ID, b"A_OPUS");
    ebml::put_element(&mut body, id::CODEC_PRIVATE, &head);
    ebml::put_uint(&mut body, id::CODEC_DELAY, delay_nanos);
    ebml::put_uint(&mut body, id::SEEK_PRE_ROLL, SEEK_PRE_ROLL_NANOS);
    ebml::put_element(&mut body, id::AUDIO, &audio);
    TrackEntry::parse(&body).expect("what is written here is a track's description")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mixed_track_says_how_far_its_encoder_is_behind() {
        let track = mixed_track(&Blend::new().unwrap());
        let head = opus::OpusHead::parse(&track.codec_private).unwrap();
        assert_eq!((head.pre_skip, head.gain, head.is_plain), (312, 0, true));
        assert!(track.is_opus() && track.kind == TrackKind::Audio);
    }
}
