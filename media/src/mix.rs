//! Owns putting one sound track before the others in which all of them are heard, for players that
//! play only one. The other tracks are copied as they are.

use std::collections::VecDeque;
use std::io::{self, Read, Seek, Write};
use std::time::Duration;

use ropus::{Application, Bitrate, Channels, Encoder};

use crate::block::{Block, BlockBody, BlockCopy};
use crate::decode::{FULL_RATE_HZ, IN_FULL, SoundTrack};
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
const BITS_PER_SECOND: u32 = 64_000;
/// Of ten: half the work of the most, and no difference in speech.
const COMPLEXITY: u8 = 5;
const SAMPLES_PER_MILLI: u64 = FULL_RATE_HZ as u64 / 1000;
/// 20 ms.
const PACKET_SAMPLES: usize = 960;
/// The longest frame (RFC 6716 section 3.2.1).
const PACKET_BYTES_MAX: usize = 1275;
/// Track 1, at its cluster's time, a keyframe: a SimpleBlock to be put where it belongs.
const BLOCK_HEAD: [u8; 4] = [0x81, 0, 0, 0x80];
/// How long a decoder needs after a seek (RFC 7845 section 4.6), in nanoseconds.
const SEEK_PRE_ROLL_NANOS: u64 = 80_000_000;
/// Up to here the sum is heard as it is; louder is pressed into what is left.
const KNEE: i32 = 24_576;
const LOUDEST: i32 = i16::MAX as i32;

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
            Some(Event::Cluster { .. } | Event::Damage(_)) => {}
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
    sum: Sum,
    encoder: Encoder,
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

struct Heard {
    sound: SoundTrack,
    /// Where what was decoded so far ends, in samples from the zero of the file.
    until: u64,
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
            heard: SoundTrack::of_webm(entry, IN_FULL).map(|sound| Heard { sound, until: 0 }),
        };
        let tracks: Vec<Copied> = entries.iter().enumerate().map(copied).collect();
        let sounds = tracks.iter().filter(|track| track.heard.is_some()).count();
        if sounds < 2 {
            return Err(Refusal::NothingToMix { sounds }.into());
        }
        if entries.len() >= limits::TRACKS_MAX {
            return Err(Refusal::TooManyTracks { tracks: entries.len() + 1 }.into());
        }
        let encoder = Encoder::builder(FULL_RATE_HZ, Channels::Mono, Application::Audio)
            .bitrate(Bitrate::Bits(BITS_PER_SECOND))
            .complexity(COMPLEXITY)
            .build()
            .map_err(|error| MediaError::Encoding(error.to_string()))?;
        entries.insert(place, mixed_track(encoder.lookahead()));
        let mut file = WebmFile::new(out, origin);
        file.begin(doc_type, &entries)?;
        Ok(Self {
            file,
            tracks,
            blocks: 0,
            held: VecDeque::new(),
            held_bytes: 0,
            spare: Vec::new(),
            sum: Sum::default(),
            encoder,
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
            heard.take(at, block, &mut self.sum);
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
        let until = Millis::nearest(until.min(limits::SOUND_DURATION_MAX)).0 * SAMPLES_PER_MILLI;
        while self.sum.begins_at + PACKET_SAMPLES as u64 <= until {
            self.write_mixed()?;
        }
        Ok(())
    }

    fn write_mixed(&mut self) -> Result<(), MediaError> {
        let at = Millis(self.sum.begins_at / SAMPLES_PER_MILLI);
        self.write_held(at)?;
        let pcm = self.sum.next_packet();
        let room = &mut self.packet[BLOCK_HEAD.len()..];
        let encoded = self.encoder.encode(&pcm, room);
        let bytes = encoded.map_err(|error| MediaError::Encoding(error.to_string()))?;
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
        // The encoder is behind by as much.
        let end = self.sum.end() + u64::from(self.encoder.lookahead());
        while self.sum.begins_at < end {
            self.write_mixed()?;
        }
        self.write_held(Millis(u64::MAX))?;
        let duration = self.file.end();
        let (out, Written { bytes, .. }) = self.file.finish()?;
        let (packets, late_samples) = (self.packets, self.sum.late);
        Ok((out, Mixed { duration, bytes, packets, late_samples }))
    }
}

impl Heard {
    /// Adds the sound of a packet, or of several in one block, to the sum.
    fn take(&mut self, at: Millis, block: &Block<'_>, sum: &mut Sum) {
        let mut at = at.as_duration();
        for packet in block.body.lacing().frames(block.payload()).unwrap_or_default() {
            let sound = self.sound.decode(at, packet);
            self.until += sound.silence;
            sum.add(self.until, sound.samples);
            self.until += sound.samples.len() as u64;
            at = at.saturating_add(opus::packet_duration(packet).unwrap_or_default());
        }
    }
}

/// What all tracks sound like together, of the time that is not encoded yet.
#[derive(Debug, Default)]
struct Sum {
    /// In samples from the zero of the file.
    begins_at: u64,
    samples: VecDeque<i32>,
    late: u64,
}

impl Sum {
    fn add(&mut self, at: u64, samples: &[i16]) {
        let late = usize::try_from(self.begins_at.saturating_sub(at)).unwrap_or(usize::MAX);
        let (late, in_time) = samples.split_at(late.min(samples.len()));
        self.late += late.len() as u64;
        if in_time.is_empty() {
            return;
        }
        let start = at.saturating_sub(self.begins_at);
        let start = usize::try_from(start).unwrap_or(usize::MAX);
        let end = start.saturating_add(in_time.len());
        if self.samples.len() < end {
            self.samples.resize(end, 0);
        }
        for (sum, sample) in self.samples.range_mut(start..end).zip(in_time) {
            *sum += i32::from(*sample);
        }
    }

    fn end(&self) -> u64 {
        self.begins_at + self.samples.len() as u64
    }

    fn next_packet(&mut self) -> [i16; PACKET_SAMPLES] {
        self.begins_at += PACKET_SAMPLES as u64;
        std::array::from_fn(|_| soft(self.samples.pop_front().unwrap_or(0)))
    }
}

/// As it is up to the knee; louder ever less so, and never past the loudest.
fn soft(sum: i32) -> i16 {
    let room = i64::from(LOUDEST - KNEE);
    let over = i64::from(sum.unsigned_abs()) - i64::from(KNEE);
    let pressed = match over {
        ..=0 => i64::from(sum.unsigned_abs()),
        over => i64::from(KNEE) + room * over / (over + room),
    };
    let pressed = i16::try_from(pressed).unwrap_or(i16::MAX);
    if sum < 0 { -pressed } else { pressed }
}

/// The description of the mixed track, whose encoder is behind by `lookahead` samples.
fn mixed_track(lookahead: u32) -> TrackEntry {
    let pre_skip = u16::try_from(lookahead).unwrap_or(u16::MAX);
    let mut head = b"OpusHead\x01\x01".to_vec();
    head.extend_from_slice(&pre_skip.to_le_bytes());
    head.extend_from_slice(&FULL_RATE_HZ.to_le_bytes());
    head.extend_from_slice(&[0, 0, 0]);
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
    fn what_is_not_too_loud_is_the_sum_and_nothing_wraps() {
        let both = |one: i16, other: i16| soft(i32::from(one) + i32::from(other));
        assert_eq!(both(10_000, 14_576), 24_576);
        assert_eq!(both(-10_000, -14_576), -24_576);
        assert_eq!((both(1_000, -1_000), both(300, -1_000)), (0, -700));
        assert!(both(i16::MAX, i16::MAX) > 30_000);
        assert!(both(i16::MIN, i16::MIN) < -30_000);
        let loud = i32::from(i16::MIN) * limits::TRACKS_MAX as i32;
        assert!(soft(loud) < -32_000 && soft(-loud) > 32_000);
    }

    #[test]
    fn louder_never_sounds_quieter() {
        let mut before = i16::MIN;
        for sum in (-140_000..140_000).step_by(7) {
            let now = soft(sum);
            assert!(now >= before, "{sum}");
            before = now;
        }
    }

    #[test]
    fn samples_are_added_where_they_belong_and_late_ones_are_counted() {
        let mut sum = Sum::default();
        sum.add(0, &[1; 960]);
        sum.add(950, &[2; 20]);
        assert_eq!(sum.end(), 970);
        let first = sum.next_packet();
        assert_eq!((first[0], first[949], first[950], first[959]), (1, 1, 3, 3));
        sum.add(955, &[5; 10]);
        assert_eq!(sum.late, 5);
        let second = sum.next_packet();
        assert_eq!((second[0], second[4], second[5], second[10]), (7, 7, 2, 0));
        assert_eq!(sum.begins_at, 1_920);
        sum.add(0, &[9; 3]);
        assert_eq!((sum.late, sum.end()), (8, 1_920), "and add nothing");
    }

    #[test]
    fn the_mixed_track_says_how_far_its_encoder_is_behind() {
        let track = mixed_track(312);
        let head = opus::OpusHead::parse(&track.codec_private).unwrap();
        assert_eq!((head.pre_skip, head.gain, head.is_plain), (312, 0, true));
        assert!(track.is_opus() && track.kind == TrackKind::Audio);
    }
}
