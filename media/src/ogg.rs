//! Owns putting Opus packets into an Ogg file (RFC 7845), for players and tools that know no WebM.
//! Decodes only what isn't Opus.

use std::io::{self, Read, Seek, Write};
use std::time::Duration;

use ::ogg::writing::{PacketWriteEndInfo, PacketWriter};

use crate::decode::{DescribedSound, IN_FULL};
use crate::error::{MediaError, Refusal};
use crate::limits;
use crate::mix::{Blend, Heard, PACKET_BYTES_MAX};
use crate::mp4::{self, FinishedMp4};
use crate::opus::{self, OpusHead};
use crate::reader::{Event, WebmReader};
use crate::tracks::{TrackEntry, TrackKind};
use crate::units::TrackNumber;

/// Samples a second by which Ogg counts Opus, whatever it was made of (RFC 7845 section 4).
const RATE: u64 = 48_000;
/// There is one stream in the file, so any number will do.
const SERIAL: u32 = u32::from_le_bytes(*b"HOLD");
const VENDOR: &[u8] = b"Holdfast";
/// A page is ended once it holds so much: a player seeks by pages.
const PAGE: Duration = Duration::from_secs(1);

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OggReport {
    /// Packets written.
    pub packets: u64,
    /// What they play for, the pre-skip not counted.
    pub duration: Duration,
    /// Packets that say no duration, and were left out; or that could not be decoded, and are
    /// silent.
    pub bad: u64,
}

/// Writes the first Opus track of a finished WebM as Ogg. Not one packet is touched; where packets
/// are missing, the ones around follow each other at once.
///
/// # Errors
/// [`MediaError::Io`]; [`MediaError::Refused`] if there is no Opus, or not one packet of it.
pub fn to_ogg(mut input: impl Read, out: impl Write) -> Result<OggReport, MediaError> {
    let mut reader = WebmReader::new();
    let mut stream = Stream::new(out);
    let mut piece = vec![0; limits::PUSH_PIECE_BYTES];
    let mut is_over = false;
    loop {
        match reader.next_event()? {
            Some(Event::Tracks(tracks)) => stream.begin(&tracks)?,
            Some(Event::Block(block)) => {
                if stream.is_of(block.track()) {
                    let frames = block.body.lacing().frames(block.payload()).unwrap_or_default();
                    frames.into_iter().try_for_each(|frame| stream.packet(frame))?;
                }
            }
            Some(
                Event::Header { .. } | Event::Cluster { .. } | Event::ClockBreak | Event::Damage(_),
            ) => {}
            None if is_over => return stream.finish(),
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

/// Writes the first sound of a finished MP4 as Ogg: of Opus not one packet is touched, as
/// [`to_ogg`] does; AAC becomes Opus in one channel, with its gaps as silence.
///
/// # Errors
/// [`MediaError::Io`]; [`MediaError::NotFinished`]; [`MediaError::Refused`] if there is no sound of
/// one of the two, or not one packet of it; [`MediaError::Encoding`].
pub fn mp4_to_ogg(input: impl Read + Seek, out: impl Write) -> Result<OggReport, MediaError> {
    let mut file = FinishedMp4::open(input)?;
    let decoded = |track: &mp4::Track| DescribedSound::of_mp4(track, IN_FULL);
    let first = file.tracks().iter().find_map(|track| Some((track.clone(), decoded(track)?)));
    let (track, sound) = first.ok_or(Refusal::NoSound)?;
    let mut stream = Stream::new(out);
    if let Some(head) = track.opus_head() {
        stream.begin_with(track.number, head)?;
        while let Some((info, packet)) = file.next_sample()? {
            if info.track == track.number {
                stream.packet(packet)?;
            }
        }
        return stream.finish();
    }
    let mut blend = Blend::new()?;
    let mut heard = Heard::new(sound);
    let mut packet = vec![0; PACKET_BYTES_MAX];
    stream.begin_with(track.number, blend.head())?;
    while let Some((info, sample)) = file.next_sample()? {
        if info.track != track.number {
            continue;
        }
        let at = track.decoded_at(&info);
        let heard_at = at.saturating_add(track.late_by()).saturating_sub(track.cut_off());
        // A decoder is a little behind.
        while blend.is_next_over(heard_at.saturating_sub(limits::MIX_WAIT_MAX)) {
            let bytes = blend.encode(&mut packet)?;
            stream.packet(&packet[..bytes])?;
        }
        heard.hear(info.description, at, sample, &mut blend);
    }
    heard.end(&mut blend);
    // The last packet is longer (RFC 7845 section 4.4).
    stream.ends_at = Some(blend.end() + u64::from(blend.pre_skip()));
    for _ in 0..blend.packets_left() {
        let bytes = blend.encode(&mut packet)?;
        stream.packet(&packet[..bytes])?;
    }
    let report = stream.finish()?;
    Ok(OggReport { bad: heard.bad(), ..report })
}

struct Stream<W: Write> {
    writer: PacketWriter<'static, W>,
    track: Option<TrackNumber>,
    pre_skip: u64,
    /// The last packet so far: the very last one ends the stream, and is known late.
    held: Option<Vec<u8>>,
    /// Where the held packet ends, in samples.
    position: u64,
    /// Where the sound ends, if that is inside the last packet.
    ends_at: Option<u64>,
    in_page: Duration,
    packets: u64,
    bad: u64,
}

impl<W: Write> Stream<W> {
    fn new(out: W) -> Self {
        Self {
            writer: PacketWriter::new(out),
            track: None,
            pre_skip: 0,
            held: None,
            position: 0,
            ends_at: None,
            in_page: Duration::ZERO,
            packets: 0,
            bad: 0,
        }
    }

    fn is_of(&self, track: TrackNumber) -> bool {
        self.track == Some(track)
    }

    fn begin(&mut self, tracks: &[TrackEntry]) -> Result<(), MediaError> {
        let is_opus = |track: &&TrackEntry| track.kind == TrackKind::Audio && track.is_opus();
        let track = tracks.iter().find(is_opus).ok_or(Refusal::NoOpus)?;
        if self.track.is_some() {
            return Ok(());
        }
        let is_head = OpusHead::parse(&track.codec_private).is_some();
        let head = if is_head { track.codec_private.clone() } else { plain_head() };
        self.begin_with(track.number, head)
    }

    /// Each of the two headers has a page of its own (RFC 7845 section 3).
    fn begin_with(&mut self, track: TrackNumber, head: Vec<u8>) -> Result<(), MediaError> {
        self.track = Some(track);
        self.pre_skip = OpusHead::parse(&head).map_or(0, |head| head.pre_skip.into());
        self.writer.write_packet(head, SERIAL, PacketWriteEndInfo::EndPage, 0)?;
        self.writer.write_packet(tags(), SERIAL, PacketWriteEndInfo::EndPage, 0)?;
        Ok(())
    }

    fn packet(&mut self, packet: &[u8]) -> Result<(), MediaError> {
        let Some(duration) = opus::packet_duration(packet) else {
            self.bad += 1;
            return Ok(());
        };
        let is_full = self.in_page >= PAGE;
        let end =
            if is_full { PacketWriteEndInfo::EndPage } else { PacketWriteEndInfo::NormalPacket };
        self.write_held(end)?;
        self.in_page = if is_full { duration } else { self.in_page + duration };
        self.position += samples_in(duration);
        self.held = Some(packet.to_vec());
        self.packets += 1;
        Ok(())
    }

    fn write_held(&mut self, end: PacketWriteEndInfo) -> Result<(), MediaError> {
        if let Some(packet) = self.held.take() {
            self.writer.write_packet(packet, SERIAL, end, self.position)?;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<OggReport, MediaError> {
        if self.packets == 0 {
            return Err(
                if self.track.is_some() { Refusal::NoMedia } else { Refusal::NoTracks }.into()
            );
        }
        self.position = self.position.min(self.ends_at.unwrap_or(u64::MAX));
        self.write_held(PacketWriteEndInfo::EndStream)?;
        let played = self.position.saturating_sub(self.pre_skip);
        let duration = Duration::from_nanos(played.saturating_mul(1_000_000_000) / RATE);
        Ok(OggReport { packets: self.packets, duration, bad: self.bad })
    }
}

/// Packets last whole numbers of 2.5 ms, so this is exact.
fn samples_in(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX).saturating_mul(RATE) / 1_000_000
}

/// One channel, no pre-skip: for a track that does not describe itself.
fn plain_head() -> Vec<u8> {
    let mut head = b"OpusHead\x01\x01\0\0".to_vec();
    head.extend_from_slice(&(RATE as u32).to_le_bytes());
    head.extend_from_slice(&[0, 0, 0]);
    head
}

fn tags() -> Vec<u8> {
    let length = (VENDOR.len() as u32).to_le_bytes();
    [&b"OpusTags"[..], &length, VENDOR, &[0; 4]].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_for_a_track_without_one_is_read_as_it_is_meant() {
        let head = OpusHead { pre_skip: 0, gain: 0, is_plain: true, channels: 1, family: 0 };
        assert_eq!(OpusHead::parse(&plain_head()), Some(head));
        assert_eq!(plain_head().len(), 19);
    }

    #[test]
    fn samples_are_counted_exactly() {
        assert_eq!(samples_in(Duration::from_micros(2_500)), 120);
        assert_eq!(samples_in(Duration::from_millis(60)), 2_880);
    }
}
