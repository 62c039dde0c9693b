//! Owns putting one sound track before the others of an MP4 in which all of them are heard, for
//! players that play only one. The other tracks are copied as they are.

use std::io::{Read, Seek, Write};
use std::time::Duration;

use crate::decode::{DescribedSound, FULL_RATE_HZ, IN_FULL};
use crate::error::{MediaError, Refusal};
use crate::limits;
use crate::mix::{Blend, Heard, Mixed, PACKET_BYTES_MAX, PACKET_DURATION};
use crate::schedule::Schedule;
use crate::tracks::TrackKind;
use crate::writer::Written;

use super::finished::FinishedMp4;
use super::moof::SampleInfo;
use super::moov::Track;
use super::plain::{IN_A_ROW, PlainMp4, PlainSample, PlainTrack, placed, shift};
use super::sound;
use super::time::{Ticks, Timescale};

/// What the mixed track is called.
const NAME: &str = "All sound";

/// Writes a finished MP4 once more, with a sound track of Opus before its others in which all of
/// them are heard, in one channel. No packet of the others is touched.
///
/// # Errors
/// [`MediaError::Io`]; [`MediaError::NotFinished`]; [`MediaError::Refused`] if there are not two
/// tracks of AAC-LC or Opus in one or two channels, if there would be more than
/// [`limits::TRACKS_MAX`] tracks or [`limits::SAMPLES_MAX`] samples, or there is not one packet;
/// [`MediaError::Encoding`].
pub fn mix_mp4<R: Read + Seek, W: Write + Seek>(
    input: R,
    out: W,
) -> Result<(W, Mixed), MediaError> {
    let mut file = FinishedMp4::open(input)?;
    let tracks = file.tracks().to_vec();
    let mut mixer = Mixer::begin(out, &tracks, file.names())?;
    while let Some((info, payload)) = file.next_sample()? {
        let Some(index) = tracks.iter().position(|track| track.number == info.track) else {
            continue;
        };
        let track = &tracks[index];
        mixer.hear(index, track, &info, payload)?;
        let Some(at) = placed(track, &info, &Schedule::new()) else { continue };
        let place = mixer.place_of(index);
        let sample = PlainSample {
            at,
            duration: track.timescale.duration(Ticks(i64::from(info.duration))),
            shift: shift(track, &info, track.timescale),
            is_sync: info.is_sync,
            description: info.description,
            payload,
        };
        mixer.file.write(place, &sample)?;
    }
    mixer.finish()
}

struct Mixer<W> {
    file: PlainMp4<W>,
    /// For each track of the source; `None` of what is no sound.
    heard: Vec<Option<Heard>>,
    blend: Blend,
    /// The mixed track's place in the file.
    place: usize,
    packets: u64,
    packet: Vec<u8>,
}

impl<W: Write + Seek> Mixer<W> {
    fn begin(out: W, tracks: &[Track], names: &[String]) -> Result<Self, MediaError> {
        let sound = |track: &Track| DescribedSound::of_mp4(track, IN_FULL).map(Heard::new);
        let heard: Vec<_> = tracks.iter().map(sound).collect();
        let sounds = heard.iter().flatten().count();
        if sounds < 2 {
            return Err(Refusal::NothingToMix { sounds }.into());
        }
        let blend = Blend::new()?;
        let named = tracks.iter().zip(names);
        let mut all: Vec<_> = named
            .map(|(track, name)| PlainTrack::of(track, name.clone(), Duration::ZERO))
            .collect();
        let first = tracks.iter().enumerate().find(|(_, track)| track.kind == TrackKind::Audio);
        let (place, like) = first.ok_or(Refusal::NoSound)?;
        all.insert(place, mixed_track(like, &blend));
        Ok(Self {
            file: PlainMp4::begin(out, all)?,
            heard,
            blend,
            place,
            packets: 0,
            packet: vec![0; PACKET_BYTES_MAX],
        })
    }

    /// Where a track of the source is in the file.
    fn place_of(&self, index: usize) -> usize {
        index + usize::from(index >= self.place)
    }

    /// Mixes in a packet of a track, if that is sound.
    fn hear(
        &mut self,
        index: usize,
        track: &Track,
        info: &SampleInfo,
        packet: &[u8],
    ) -> Result<(), MediaError> {
        let Some(heard) = &mut self.heard[index] else {
            return Ok(());
        };
        // What comes later in the file plays later, but for so much.
        let at = track.decoded_at(info);
        let heard_at = at.saturating_add(track.late_by()).saturating_sub(track.cut_off());
        let until = heard_at.saturating_sub(limits::MP4_MIX_WAIT_MAX);
        if self.blend.is_next_over(until.saturating_sub(IN_A_ROW)) {
            while self.blend.is_next_over(until) {
                write_mixed(&mut self.file, self.place, &mut self.blend, &mut self.packet)?;
                self.packets += 1;
            }
        }
        heard.hear(info.description, at, packet, &mut self.blend);
        Ok(())
    }

    fn finish(mut self) -> Result<(W, Mixed), MediaError> {
        for heard in self.heard.iter_mut().flatten() {
            heard.end(&mut self.blend);
        }
        for _ in 0..self.blend.packets_left() {
            write_mixed(&mut self.file, self.place, &mut self.blend, &mut self.packet)?;
            self.packets += 1;
        }
        let (packets, late_samples) = (self.packets, self.blend.late_samples());
        let duration = self.file.end();
        let (out, Written { bytes, .. }) = self.file.finish()?;
        Ok((out, Mixed { duration, bytes, packets, late_samples }))
    }
}

fn write_mixed<W: Write + Seek>(
    file: &mut PlainMp4<W>,
    place: usize,
    blend: &mut Blend,
    room: &mut [u8],
) -> Result<(), MediaError> {
    let at = blend.next_at().as_duration();
    let bytes = blend.encode(room)?;
    let (duration, payload) = (PACKET_DURATION, &room[..bytes]);
    let sample = PlainSample { at, duration, shift: 0, is_sync: true, description: 0, payload };
    file.write(place, &sample)
}

/// It is placed and heard like another sound.
fn mixed_track(like: &Track, blend: &Blend) -> PlainTrack {
    PlainTrack {
        timescale: Timescale::new(FULL_RATE_HZ).unwrap_or(like.timescale),
        descriptions: vec![sound::opus_description(FULL_RATE_HZ, blend.pre_skip())],
        ..PlainTrack::of(like, NAME.to_owned(), Duration::ZERO)
    }
}
