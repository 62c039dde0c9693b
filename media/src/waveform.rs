//! Owns going over a recording once to draw the sound of all its tracks. What is drawn is in
//! `peaks`.

use std::io::{self, Read, Seek};
use std::time::Duration;

use crate::decode::{DRAWN, DecodeReport, DescribedSound};
use crate::error::MediaError;
use crate::limits;
use crate::mp4::{self, FinishedMp4, SampleInfo};
use crate::observer::{Observer, PlacedBlock};
use crate::opus;
use crate::peaks::{Loudest, Peaks, PeaksBuilder};
use crate::reader::WebmReader;
use crate::stitch::{Input, Reading};
use crate::tracks::TrackEntry;
use crate::units::{SourceTime, TrackNumber};
use crate::webm_file::WebmFile;

/// Draws the sound of a file.
///
/// Tracks that are neither Opus nor AAC-LC, or have more than two channels, are left out, and so is
/// every track after the first [`limits::WAVEFORM_TRACKS_MAX`].
#[derive(Debug, Default)]
pub struct Waveforms {
    tracks: Vec<Drawing>,
}

/// The sound of one track.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waveform {
    /// The file's track.
    pub track: TrackNumber,
    /// From the zero of the file to the end of the track, at most
    /// [`limits::SOUND_DURATION_MAX`].
    pub peaks: Peaks,
    /// Of all of it; finer than what the peaks tell.
    pub loudest: Loudest,
    /// What became of its packets.
    pub report: DecodeReport,
    /// Laced blocks that could not be taken apart; they are silent.
    pub bad_blocks: u64,
}

#[derive(Debug)]
struct Drawing {
    number: TrackNumber,
    sound: DescribedSound,
    peaks: PeaksBuilder,
    end: Duration,
    bad_blocks: u64,
}

impl Waveforms {
    /// What was drawn, in the order of the file.
    fn finish(self) -> Vec<Waveform> {
        let finished = |mut drawing: Drawing| {
            let rest = drawing.sound.rest();
            drawing.peaks.silence(rest.silence);
            drawing.peaks.samples(rest.samples);
            Waveform {
                track: drawing.number,
                loudest: drawing.peaks.loudest(),
                peaks: drawing.peaks.build(drawing.end),
                report: drawing.sound.report(),
                bad_blocks: drawing.bad_blocks,
            }
        };
        self.tracks.into_iter().map(finished).collect()
    }

    /// Draws a WebM from where `input` stands to its end, finished or as a recorder wrote it. Times
    /// are those that a stitched file of it has; a finished file keeps its own.
    ///
    /// # Errors
    /// [`MediaError::Io`]; [`MediaError::Refused`] if there is not one packet. Damage is stepped
    /// over as in stitching.
    pub fn from_webm(mut input: impl Read) -> Result<Vec<Waveform>, MediaError> {
        // Where a packet plays is for the file to say; what it writes is not wanted.
        let mut file = WebmFile::observed(io::empty(), 0, Self::default());
        let mut reading = Reading::new(WebmReader::new(), Duration::ZERO);
        let mut piece = vec![0; limits::PUSH_PIECE_BYTES];
        loop {
            match input.read(&mut piece) {
                Ok(0) => break,
                Ok(bytes) => reading.tell(Input::Bytes(&piece[..bytes]), &mut file)?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        reading.tell(Input::End, &mut file)?;
        let report = reading.into_report(file.end());
        match report.refusal() {
            Some(refusal) if report.packets() == 0 => Err(refusal.clone().into()),
            Some(_) | None => Ok(file.into_observer().finish()),
        }
    }

    /// Draws a finished MP4 from where `input` stands to its end.
    ///
    /// # Errors
    /// [`MediaError::Io`]; [`MediaError::NotFinished`] if it is none; [`MediaError::Refused`] if
    /// there is not one packet.
    pub fn from_mp4(input: impl Read + Seek) -> Result<Vec<Waveform>, MediaError> {
        let mut file = FinishedMp4::open(input)?;
        let mut drawn = Self::default();
        let sounds = file.tracks().iter().filter_map(|track| {
            DescribedSound::of_mp4(track, DRAWN).map(|sound| (track.clone(), sound))
        });
        let (tracks, sounds): (Vec<_>, Vec<_>) = sounds.take(limits::WAVEFORM_TRACKS_MAX).unzip();
        for (track, sound) in tracks.iter().zip(sounds) {
            drawn.add(track.number, sound);
        }
        if tracks.is_empty() {
            return Ok(Vec::new());
        }
        while let Some((info, packet)) = file.next_sample()? {
            let Some(place) = tracks.iter().position(|track| track.number == info.track) else {
                continue;
            };
            drawn.tracks[place].add_sample(&tracks[place], &info, packet);
        }
        Ok(drawn.finish())
    }

    fn add(&mut self, number: TrackNumber, sound: DescribedSound) {
        self.tracks.push(Drawing {
            number,
            sound,
            peaks: PeaksBuilder::default(),
            end: Duration::ZERO,
            bad_blocks: 0,
        });
    }
}

impl Observer for Waveforms {
    fn track(&mut self, number: TrackNumber, entry: &TrackEntry) {
        if self.tracks.len() >= limits::WAVEFORM_TRACKS_MAX {
            return;
        }
        if let Some(sound) = DescribedSound::of_webm(entry, DRAWN) {
            self.add(number, sound);
        }
    }

    fn block(&mut self, block: &PlacedBlock<'_>) {
        if let Some(drawing) = self.tracks.iter_mut().find(|track| track.number == block.track) {
            drawing.add(block);
        }
    }
}

impl Drawing {
    fn add(&mut self, block: &PlacedBlock<'_>) {
        self.end = block.end;
        let Some(frames) = block.frames() else {
            self.bad_blocks += 1;
            return;
        };
        let mut at = block.at.as_duration();
        for packet in frames {
            self.draw(0, at, packet);
            // Only the first frame of a block has a timestamp (RFC 9559 section 10.3).
            at = at.saturating_add(opus::packet_duration(packet).unwrap_or_default());
        }
    }

    fn add_sample(&mut self, track: &mp4::Track, info: &SampleInfo, packet: &[u8]) {
        let end = track.presentation_end(info).since(SourceTime::ZERO);
        self.end = self.end.max(end);
        self.draw(info.description, track.decoded_at(info), packet);
    }

    fn draw(&mut self, description: usize, at: Duration, packet: &[u8]) {
        let sound = self.sound.decode(description, at, packet);
        self.peaks.silence(sound.silence);
        self.peaks.samples(sound.samples);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tracks::{TrackKind, test_track};

    fn drawn_of(tracks: u64) -> Vec<TrackNumber> {
        let mut waveforms = Waveforms::default();
        waveforms.track(TrackNumber(1), &test_track(TrackKind::Video, "V_VP8"));
        for number in 2..tracks + 2 {
            waveforms.track(TrackNumber(number), &test_track(TrackKind::Audio, "A_OPUS"));
        }
        waveforms.finish().iter().map(|waveform| waveform.track).collect()
    }

    #[test]
    fn as_many_tracks_as_the_limit_are_drawn_and_one_more_is_not() {
        let max = limits::WAVEFORM_TRACKS_MAX as u64;
        let all: Vec<_> = (2..max + 2).map(TrackNumber).collect();
        assert_eq!(drawn_of(max), all);
        assert_eq!(drawn_of(max + 1), all);
    }
}
