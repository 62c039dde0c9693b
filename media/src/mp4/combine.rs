//! Owns putting finished MP4s side by side: all their tracks in one, each at its place on one
//! timeline. Reads nothing damaged: what comes in was stitched here.

use std::io::{Read, Seek, Write};
use std::time::Duration;

use crate::combine::{Combined, Source};
use crate::error::{MediaError, Refusal};
use crate::schedule::Schedule;
use crate::writer::Written;

use super::finished::FinishedMp4;
use super::moof::SampleInfo;
use super::moov::Track;
use super::plain::{IN_A_ROW, PlainMp4, PlainSample, PlainTrack, placed, shift};
use super::quiet::{Silence, Voice};
use super::time::Ticks;

/// Writes all tracks of `sources` into one MP4. No packet is touched; where a voice has nothing for
/// [`limits::SILENCE_FROM`](crate::limits::SILENCE_FROM), it is given silence, but not for longer
/// than [`limits::MP4_SILENCE_MAX`](crate::limits::MP4_SILENCE_MAX). Of one source this makes the
/// same recording with its gaps in time. What an edit list cuts off of a sound is left out.
///
/// # Errors
/// [`MediaError::Io`]; [`MediaError::NotFinished`] if a source is no finished MP4;
/// [`MediaError::Refused`] if all of them have more than
/// [`limits::TRACKS_MAX`](crate::limits::TRACKS_MAX) tracks, there would be more than
/// [`limits::SAMPLES_MAX`](crate::limits::SAMPLES_MAX) samples, or there is not one.
pub fn combine_mp4<R: Read + Seek, W: Write + Seek>(
    sources: Vec<Source<R>>,
    out: W,
) -> Result<(W, Combined), MediaError> {
    let mut playing = Vec::with_capacity(sources.len());
    let mut tracks = Vec::new();
    for source in sources {
        let source = Playing::open(source, tracks.len(), &mut tracks)?;
        playing.push(source);
    }
    let mut file = PlainMp4::begin(out, tracks)?;
    let (mut packets, mut silences) = (0, 0);
    let mut last = None;
    while let Some(next) = choose(&playing, last) {
        last = Some(next);
        if playing[next].write_next(&mut file)? {
            packets += 1;
        } else {
            silences += 1;
        }
    }
    if packets == 0 {
        return Err(Refusal::NoMedia.into());
    }
    let duration = file.end();
    let (out, Written { bytes, .. }) = file.finish()?;
    Ok((out, Combined { duration, bytes, packets, silences }))
}

/// The source whose packet is the earliest, or the last one as long as it is not too far ahead.
fn choose<R: Read + Seek>(playing: &[Playing<R>], last: Option<usize>) -> Option<usize> {
    let next = |source: usize| Some((playing[source].next_at()?, source));
    let (earliest, source) = (0..playing.len()).filter_map(next).min()?;
    let goes_on = last.and_then(next).filter(|(at, _)| *at <= earliest.saturating_add(IN_A_ROW));
    Some(goes_on.map_or(source, |(_, last)| last))
}

/// A source that is being read.
struct Playing<R> {
    file: FinishedMp4<R>,
    tracks: Vec<Track>,
    schedule: Schedule,
    /// Those of its tracks that are voices.
    voices: Vec<Option<Voice>>,
    /// The place of its first track among those of the file.
    first_place: usize,
    next: Option<Next>,
    /// The last one's room.
    spare: Vec<u8>,
}

/// The sample that comes next.
#[derive(Debug)]
struct Next {
    /// Index among its source's.
    track: usize,
    info: SampleInfo,
    /// Where it is decoded, on the common timeline.
    at: Duration,
    payload: Vec<u8>,
}

impl<R: Read + Seek> Playing<R> {
    /// Adds its tracks to those of the file.
    fn open(
        source: Source<R>,
        first_place: usize,
        tracks: &mut Vec<PlainTrack>,
    ) -> Result<Self, MediaError> {
        let Source { file, schedule, labels } = source;
        let file = FinishedMp4::open(file)?;
        let mut labels = labels.into_iter();
        let own = file.tracks().to_vec();
        for (track, name) in own.iter().zip(file.names()) {
            let label = labels.next().filter(|label| !label.is_empty());
            let name = label.unwrap_or_else(|| name.clone());
            tracks.push(PlainTrack::of(track, name, schedule.longest()));
        }
        let voices = own.iter().map(Voice::of).collect();
        let (next, spare) = (None, Vec::new());
        let mut playing = Self { file, tracks: own, schedule, voices, first_place, next, spare };
        playing.advance()?;
        Ok(playing)
    }

    /// Where a track goes on. In the file that may stand far behind what another goes on with.
    fn goes_on_at(&self, track: usize) -> Option<Duration> {
        match &self.next {
            Some(next) if next.track == track => Some(next.at),
            Some(_) | None => {
                let own = &self.tracks[track];
                placed(own, &self.file.upcoming(own.number)?, &self.schedule)
            }
        }
    }

    /// The earliest silence that a voice needs before it goes on, and which of the tracks that is.
    fn silence(&self) -> Option<(usize, Silence)> {
        let silence = |(track, voice): (usize, &Option<Voice>)| {
            Some((track, voice.as_ref()?.silence_before(self.goes_on_at(track)?)?))
        };
        let silences = self.voices.iter().enumerate().filter_map(silence);
        silences.min_by_key(|(_, silence)| silence.at)
    }

    fn next_at(&self) -> Option<Duration> {
        let next = self.next.as_ref()?.at;
        Some(self.silence().map_or(next, |(_, silence)| silence.at.min(next)))
    }

    /// Returns whether it was a packet of its own.
    fn write_next<W: Write + Seek>(&mut self, file: &mut PlainMp4<W>) -> Result<bool, MediaError> {
        let Some(next) = &self.next else { return Ok(false) };
        if let Some((track, silence)) = self.silence().filter(|(_, silence)| silence.at <= next.at)
        {
            return self.write_silence(file, track, &silence);
        }
        let track = &self.tracks[next.track];
        let place = self.first_place + next.track;
        let Next { info, at, payload, .. } = next;
        if let Some(voice) = &mut self.voices[next.track] {
            voice.sounds(*at, info.description, payload);
        }
        let sample = PlainSample {
            at: *at,
            duration: track.timescale.duration(Ticks(i64::from(info.duration))),
            shift: shift(track, info, file.timescale(place)),
            is_sync: info.is_sync,
            description: info.description,
            payload,
        };
        file.write(place, &sample)?;
        self.advance()?;
        Ok(true)
    }

    fn write_silence<W: Write + Seek>(
        &mut self,
        file: &mut PlainMp4<W>,
        track: usize,
        silence: &Silence,
    ) -> Result<bool, MediaError> {
        let goes_on = self.goes_on_at(track);
        if let (Some(voice), Some(goes_on)) = (&mut self.voices[track], goes_on) {
            let description = voice.description();
            file.write(self.first_place + track, &quiet(silence, description))?;
            voice.is_silent_until(goes_on);
        }
        Ok(false)
    }

    /// Reads up to the next sample that is presented.
    fn advance(&mut self) -> Result<(), MediaError> {
        if let Some(next) = self.next.take() {
            self.spare = next.payload;
        }
        while let Some((info, payload)) = self.file.next_sample()? {
            let mut tracks = self.tracks.iter();
            let Some(track) = tracks.position(|track| track.number == info.track) else {
                continue;
            };
            let Some(at) = placed(&self.tracks[track], &info, &self.schedule) else {
                continue;
            };
            let mut own = std::mem::take(&mut self.spare);
            own.clear();
            own.extend_from_slice(payload);
            self.next = Some(Next { track, info, at, payload: own });
            break;
        }
        Ok(())
    }
}

fn quiet(silence: &Silence, description: usize) -> PlainSample<'_> {
    PlainSample {
        at: silence.at,
        duration: silence.lasts,
        shift: 0,
        is_sync: true,
        description,
        payload: &silence.packet,
    }
}
