//! Owns decoding a track whose packets are described differently, as when a recording goes on with
//! another microphone: each description has a decoder of its own, and all of them are one sound.

use std::time::Duration;

use super::{DecodeReport, Rate, Sound, SoundTrack};
use crate::mp4;
use crate::tracks::TrackEntry;

/// The sound of a track, of whichever container.
#[derive(Debug)]
pub(crate) struct DescribedSound {
    /// For each description; `None` of what can't be decoded.
    sounds: Vec<Option<OfDescription>>,
    /// Where the sound so far ends, in samples of the output.
    until: u64,
    /// The description of the last packet.
    last: usize,
    /// Packets that are described by nothing that can be decoded.
    bad: u64,
}

#[derive(Debug)]
struct OfDescription {
    sound: SoundTrack,
    /// Where its own sound so far ends.
    until: u64,
}

impl DescribedSound {
    /// Of a WebM, which has one description.
    pub(crate) fn of_webm(track: &TrackEntry, rate: Rate) -> Option<Self> {
        SoundTrack::of_webm(track, rate).map(|sound| Self::of(vec![Some(sound)]))
    }

    /// `None` if nothing of the track can be decoded.
    pub(crate) fn of_mp4(track: &mp4::Track, rate: Rate) -> Option<Self> {
        let sound = |index| SoundTrack::of_mp4(track, index, rate);
        let sounds: Vec<_> = (0..track.descriptions.len()).map(sound).collect();
        sounds.iter().any(Option::is_some).then(|| Self::of(sounds))
    }

    fn of(sounds: Vec<Option<SoundTrack>>) -> Self {
        let described = |sound: Option<SoundTrack>| Some(OfDescription { sound: sound?, until: 0 });
        let sounds = sounds.into_iter().map(described).collect();
        Self { sounds, until: 0, last: 0, bad: 0 }
    }

    /// What the next packet adds, as [`SoundTrack::decode`] does; `description` is its index.
    pub(crate) fn decode(&mut self, description: usize, at: Duration, packet: &[u8]) -> Sound<'_> {
        self.last = description;
        let Some(Some(own)) = self.sounds.get_mut(description) else {
            self.bad += 1;
            return Sound::NONE;
        };
        let sound = own.sound.decode(at, packet);
        join(&mut self.until, &mut own.until, sound)
    }

    /// What is still to be heard when no packet follows.
    pub(crate) fn rest(&mut self) -> Sound<'_> {
        let Some(Some(own)) = self.sounds.get_mut(self.last) else {
            return Sound::NONE;
        };
        join(&mut self.until, &mut own.until, own.sound.rest())
    }

    /// What became of all packets so far.
    pub(crate) fn report(&self) -> DecodeReport {
        let nothing = DecodeReport { bad: self.bad, ..DecodeReport::default() };
        self.sounds.iter().flatten().fold(nothing, |sum, own| {
            let report = own.sound.report();
            DecodeReport {
                decoded: sum.decoded + report.decoded,
                bad: sum.bad + report.bad,
                overlapping: sum.overlapping + report.overlapping,
                too_late: sum.too_late + report.too_late,
            }
        })
    }
}

/// Puts a piece of one decoder behind what all of them said so far. What the others have said
/// already of its time stands.
fn join<'a>(until: &mut u64, own_until: &mut u64, sound: Sound<'a>) -> Sound<'a> {
    let starts = *own_until + sound.silence;
    *own_until = starts + sound.samples.len() as u64;
    let said = usize::try_from(until.saturating_sub(starts)).unwrap_or(usize::MAX);
    let samples = &sound.samples[said.min(sound.samples.len())..];
    let silence = starts.saturating_sub(*until);
    *until = (*until).max(*own_until);
    Sound { silence, samples }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_several_decoders_follow_one_another_without_a_gap_or_an_overlap() {
        let samples = [1; 100];
        let (mut until, mut one, mut other) = (0, 0, 0);
        let piece = |silence, samples| Sound { silence, samples };
        let first = join(&mut until, &mut one, piece(20, &samples));
        assert_eq!((first, until), (piece(20, &samples), 120));
        // The other one begins at zero, too.
        let second = join(&mut until, &mut other, piece(130, &samples));
        assert_eq!((second, until), (piece(10, &samples), 230));
        let back = join(&mut until, &mut one, piece(80, &samples));
        assert_eq!((back, until), (piece(0, &samples[30..]), 300));
        let over = join(&mut until, &mut other, piece(0, &samples[..50]));
        assert_eq!((over, until), (piece(0, &[]), 300), "all of it was said");
    }
}
