//! Owns putting finished files side by side: all their tracks in one WebM, each at its place on one
//! timeline. Reads nothing damaged: what comes in was stitched here.

use std::io::{self, Read, Seek, Write};
use std::time::Duration;

use crate::block::{Block, BlockCopy};
use crate::error::{MediaError, Refusal};
use crate::limits;
use crate::opus;
use crate::reader::{Event, WebmReader};
use crate::schedule::Schedule;
use crate::silence::{Silence, Voice};
use crate::tracks::TrackEntry;
use crate::units::{Millis, SourceTime, TrackNumber};
use crate::webm_file::WebmFile;
use crate::writer::Written;

/// A finished file and when it plays.
#[derive(Debug)]
pub struct Source<R> {
    /// From its first byte on.
    pub file: R,
    /// Where each of its moments lies on the common timeline.
    pub schedule: Schedule,
    /// What its tracks are called, in the order of the file. A track without a name here keeps its
    /// own.
    pub labels: Vec<String>,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Combined {
    /// From the zero of the timeline to the end of the last packet.
    pub duration: Duration,
    /// Of the file.
    pub bytes: u64,
    /// Of all tracks; those of silence are counted apart.
    pub packets: u64,
    /// Packets of silence that were put into gaps.
    pub silences: u64,
}

/// Writes all tracks of `sources` into one WebM, in the order of time. No packet is touched; where
/// a voice has nothing for [`limits::SILENCE_FROM`], it is given silence. Of one source this makes
/// the same recording with its gaps in time.
///
/// # Errors
/// [`MediaError::Io`]; [`MediaError::Refused`] if a source has no tracks, or all of them more than
/// [`limits::TRACKS_MAX`], or there is not one packet.
pub fn combine<R: Read, W: Write + Seek>(
    sources: Vec<Source<R>>,
    mut out: W,
) -> Result<(W, Combined), MediaError> {
    let mut playing = Vec::with_capacity(sources.len());
    let mut tracks = Vec::new();
    let mut doc_type = "webm".to_owned();
    for source in sources {
        let mut source = Playing::open(source, tracks.len())?;
        if source.doc_type != "webm" {
            doc_type.clone_from(&source.doc_type);
        }
        tracks.append(&mut source.tracks);
        playing.push(source);
    }
    if tracks.len() > limits::TRACKS_MAX {
        return Err(Refusal::TooManyTracks { tracks: tracks.len() }.into());
    }
    let origin = out.stream_position()?;
    let mut file = WebmFile::new(out, origin);
    file.begin(&doc_type, &tracks)?;
    let (mut packets, mut silences) = (0, 0);
    // The source whose next packet is the earliest; of equal ones the first.
    while let Some(next) =
        playing.iter_mut().filter(|source| source.next.is_some()).min_by_key(|one| one.next_at())
    {
        match next.silence() {
            Some((track, silence)) => {
                next.write_silence(&mut file, track, silence)?;
                silences += 1;
            }
            None => {
                next.write_next(&mut file)?;
                packets += 1;
            }
        }
    }
    if packets == 0 {
        return Err(Refusal::NoMedia.into());
    }
    let duration = file.end();
    let (out, Written { bytes, .. }) = file.finish()?;
    Ok((out, Combined { duration, bytes, packets, silences }))
}

/// A source that is being read.
struct Playing<R> {
    file: R,
    reader: WebmReader,
    schedule: Schedule,
    doc_type: String,
    /// Taken by the file when all sources are open.
    tracks: Vec<TrackEntry>,
    numbers: Vec<TrackNumber>,
    /// Of the tracks that are Opus.
    voices: Vec<Option<Voice>>,
    /// The place of its first track among those of the file.
    first_place: usize,
    /// The packet that comes next, and its track's place in the file.
    next: Option<(usize, BlockCopy)>,
    /// The last one, for its room.
    spare: BlockCopy,
    piece: Vec<u8>,
    is_over: bool,
}

impl<R: Read> Playing<R> {
    fn open(source: Source<R>, first_place: usize) -> Result<Self, MediaError> {
        let Source { file, schedule, labels } = source;
        let mut playing = Self {
            file,
            reader: WebmReader::new(),
            schedule,
            doc_type: String::new(),
            tracks: Vec::new(),
            numbers: Vec::new(),
            voices: Vec::new(),
            first_place,
            next: None,
            spare: BlockCopy::default(),
            piece: vec![0; limits::PUSH_PIECE_BYTES],
            is_over: false,
        };
        playing.advance()?;
        if playing.tracks.is_empty() {
            return Err(Refusal::NoTracks.into());
        }
        for (track, label) in playing.tracks.iter_mut().zip(labels) {
            track.rename(&label);
        }
        Ok(playing)
    }

    /// Where on the common timeline the next packet of the file plays.
    fn packet_at(&self) -> Option<Duration> {
        let (_, block) = self.next.as_ref()?;
        Some(self.schedule.place(block.time()?.since(SourceTime::ZERO)))
    }

    /// Where the next packet plays, of silence or of the file.
    fn next_at(&self) -> Option<Duration> {
        self.silence().map(|(_, silence)| silence.at).or_else(|| self.packet_at())
    }

    /// What has to be put in before the next packet of the file, and into which of its tracks.
    fn silence(&self) -> Option<(usize, Silence)> {
        let next = self.packet_at()?;
        let voices = self.voices.iter().enumerate();
        voices
            .filter_map(|(track, voice)| Some((track, voice.as_ref()?.silence_before(next)?)))
            .min_by_key(|(_, silence)| silence.at)
    }

    fn write_silence<W: Write + Seek>(
        &mut self,
        file: &mut WebmFile<W>,
        track: usize,
        silence: Silence,
    ) -> Result<(), MediaError> {
        let copy = BlockCopy::of_sound(silence.packet());
        if let Some(block) = copy.block() {
            file.write_block(self.first_place + track, &block, Millis::nearest(silence.at))?;
        }
        if let Some(Some(voice)) = self.voices.get_mut(track) {
            voice.is_silent_for(silence);
        }
        Ok(())
    }

    fn write_next<W: Write + Seek>(&mut self, file: &mut WebmFile<W>) -> Result<(), MediaError> {
        let at = self.packet_at();
        if let (Some((place, copy)), Some(at)) = (self.next.take(), at) {
            if let Some(block) = copy.block() {
                file.write_block(place, &block, Millis::nearest(at))?;
                self.hear(place - self.first_place, at, &block);
            }
            self.spare = copy;
        }
        self.advance()
    }

    fn hear(&mut self, track: usize, at: Duration, block: &Block<'_>) {
        if let Some(Some(voice)) = self.voices.get_mut(track) {
            let frames = block.body.lacing().frames(block.payload()).unwrap_or_default();
            let lasts = frames.into_iter().filter_map(opus::packet_duration).sum();
            voice.sounds(at, lasts);
        }
    }

    /// Reads up to the next packet.
    fn advance(&mut self) -> Result<(), MediaError> {
        loop {
            match self.reader.next_event()? {
                Some(Event::Header { doc_type }) => self.doc_type = doc_type,
                Some(Event::Tracks(tracks)) => {
                    self.numbers = tracks.iter().map(|track| track.number).collect();
                    let voice = |track: &TrackEntry| track.is_opus().then(Voice::default);
                    self.voices = tracks.iter().map(voice).collect();
                    self.tracks = tracks;
                }
                Some(Event::Block(block)) => {
                    let number = block.track();
                    if let Some(track) = self.numbers.iter().position(|one| *one == number) {
                        self.spare.copy(&block);
                        let copy = std::mem::take(&mut self.spare);
                        self.next = Some((self.first_place + track, copy));
                        return Ok(());
                    }
                }
                Some(Event::Cluster { .. } | Event::ClockBreak | Event::Damage(_)) => {}
                None if self.is_over => return Ok(()),
                None => self.read_on()?,
            }
        }
    }

    fn read_on(&mut self) -> Result<(), MediaError> {
        match self.file.read(&mut self.piece) {
            Ok(0) => {
                self.is_over = true;
                self.reader.end();
            }
            Ok(bytes) => self.reader.push(&self.piece[..bytes]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }
}
