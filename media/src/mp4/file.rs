//! Owns joining the samples of segments into one MP4: which track a sample goes to and when it
//! plays there. Leaves reading to `reader` and the bytes of the file to `writer` and `layout`.

use std::io::{Seek, Write};
use std::time::Duration;

use crate::clock;
use crate::error::{MediaError, Refusal};
use crate::limits;
use crate::opus;
use crate::segment::{RunTrack, Segment};
use crate::tracks::{self, TrackKind};
use crate::units::SourceTime;
use crate::writer::Written;

use super::layout::{self, TrackLayout};
use super::moof::SampleInfo;
use super::moov::{Place, Track};
use super::reader::{Event, Mp4Reader};
use super::table::{Entry, SampleTable};
use super::time::{Ticks, Timescale};
use super::writer::Mp4Writer;

/// The file and its tracks, which the first packet decides.
#[derive(Debug)]
pub(crate) struct Mp4File<W> {
    writer: Mp4Writer<W>,
    tracks: Vec<FileTrack>,
    samples: usize,
    samples_max: usize,
}

/// A track of the file. It counts time as the first run's did.
#[derive(Debug)]
struct FileTrack {
    track: Track,
    descriptions: Vec<Vec<u8>>,
    table: SampleTable,
}

impl FileTrack {
    fn new(track: &Track) -> Self {
        Self { track: track.clone(), descriptions: Vec::new(), table: SampleTable::default() }
    }

    fn timescale(&self) -> Timescale {
        self.track.timescale
    }

    /// The number of a description in this file, from 1; `None` if there is no room for it.
    fn describe(&mut self, description: &[u8]) -> Option<u32> {
        let known = if self.track.describes_itself() && !self.descriptions.is_empty() {
            Some(0)
        } else {
            self.descriptions.iter().position(|known| known == description)
        };
        let index = match known {
            Some(index) => index,
            None if self.descriptions.len() < limits::DESCRIPTIONS_MAX => {
                self.descriptions.push(description.to_vec());
                self.descriptions.len() - 1
            }
            None => return None,
        };
        u32::try_from(index + 1).ok()
    }

    /// By the codec if it can be told, since recorders misstate the last of a fragment.
    fn duration_of(&self, source: Timescale, info: &SampleInfo, payload: &[u8]) -> Ticks {
        let scale = self.timescale();
        let implied = self.track.is_opus().then(|| opus::packet_duration(payload)).flatten();
        let ticks_of = |duration: Duration| scale.nearest(nanos(duration));
        implied.map_or_else(
            || {
                let stated = source.to(scale, Ticks(i64::from(info.duration)));
                stated.min(ticks_of(limits::FRAME_DURATION_MAX))
            },
            ticks_of,
        )
    }

    fn layout(&self) -> TrackLayout<'_> {
        TrackLayout {
            kind: self.track.kind,
            timescale: self.timescale(),
            appearance: &self.track.appearance,
            language: self.track.language,
            descriptions: &self.descriptions,
            name: layout::NAME,
            table: &self.table,
        }
    }
}

fn nanos(duration: Duration) -> i128 {
    i128::try_from(duration.as_nanos()).unwrap_or(i128::MAX)
}

impl<W: Write + Seek> Mp4File<W> {
    /// `out` stands at `origin`, where the file will begin.
    pub(crate) fn new(out: W, origin: u64) -> Self {
        let writer = Mp4Writer::new(out, origin);
        Self { writer, tracks: Vec::new(), samples: 0, samples_max: limits::SAMPLES_MAX }
    }

    /// Nothing was written yet.
    pub(crate) fn is_blank(&self) -> bool {
        self.tracks.is_empty()
    }

    pub(crate) fn into_out(self) -> W {
        self.writer.into_out()
    }

    pub(crate) fn has_video(&self) -> bool {
        self.tracks.iter().any(|one| one.track.kind == TrackKind::Video && one.table.len() > 0)
    }

    pub(crate) fn end(&self) -> Duration {
        let ends = self.tracks.iter().map(|one| one.timescale().duration(one.table.end()));
        ends.max().unwrap_or_default()
    }

    /// A moment between the packets so far and those that follow; zero before the first.
    pub(crate) fn frontier(&self) -> Duration {
        let of_track = |one: &FileTrack| {
            let (scale, table) = (one.timescale(), &one.table);
            let last = scale.duration(table.last()?);
            Some(clock::frontier(one.track.kind, last, scale.duration(table.end())))
        };
        self.tracks.iter().filter_map(of_track).max().unwrap_or_default()
    }

    /// What comes next stands in chunks of its own.
    pub(crate) fn close_chunks(&mut self) {
        for one in &mut self.tracks {
            one.table.close_chunk();
        }
    }

    pub(crate) fn finish(mut self) -> Result<(W, Written), MediaError> {
        // A track that was declared and never came would have nothing to say.
        self.tracks.retain(|one| one.table.len() > 0);
        for one in &mut self.tracks {
            one.table.complete();
        }
        let layouts: Vec<_> = self.tracks.iter().map(FileTrack::layout).collect();
        let moov = layout::moov(&layouts);
        let clusters = layouts.iter().map(|track| track.table.chunks.len() as u64).sum();
        let listed = layouts.iter().filter(|track| track.lists_syncs());
        let cues = listed.map(|track| track.table.syncs.len() as u64).sum();
        let (out, bytes) = self.writer.finish(&moov)?;
        Ok((out, Written { bytes, clusters, cues }))
    }

    pub(crate) fn drain(
        &mut self,
        reader: &mut Mp4Reader,
        segment: &mut Segment<Track>,
    ) -> Result<(), MediaError> {
        while let Some(event) = reader.next_event() {
            match event {
                Event::Header => segment.begin_run(self.end()),
                Event::Tracks(tracks) => segment.declare_tracks(tracks),
                Event::Damage(damage) => segment.add_damage(damage),
                Event::Fragment { first } => {
                    self.close_chunks();
                    if let Some(first) = first {
                        segment.begin_at(first);
                    }
                }
                Event::Sample { info, payload } => self.handle_sample(segment, &info, payload)?,
            }
        }
        Ok(())
    }

    fn handle_sample(
        &mut self,
        segment: &mut Segment<Track>,
        info: &SampleInfo,
        payload: &[u8],
    ) -> Result<(), MediaError> {
        if segment.is_refused() {
            return Ok(());
        }
        let Some(index) = segment.find_track(info.track) else {
            return Ok(());
        };
        let source = segment.tracks()[index].timescale;
        let Some(time) = segment.tracks()[index].presented(info.at) else {
            segment.count_too_late();
            return Ok(());
        };
        let Some((_, moved)) = segment.locate(time) else {
            return Ok(());
        };
        if segment.place_of(index).is_none() {
            self.place_tracks(segment, time);
        }
        if self.samples >= self.samples_max {
            segment.refuse(Refusal::TooManySamples);
        }
        let Some(place) = segment.place_of(index).filter(|_| !segment.is_refused()) else {
            return Ok(());
        };
        match self.write_sample(place, source, info, payload)? {
            Some(went_back) => segment.count_packet(moved || went_back),
            None => segment.count_too_late(),
        }
        Ok(())
    }

    /// The first packet of a run: its tracks become the file's, or continue them.
    fn place_tracks(&mut self, segment: &mut Segment<Track>, time: SourceTime) {
        if self.tracks.is_empty() {
            self.tracks = segment.tracks().iter().map(FileTrack::new).collect();
        }
        let ours: Vec<_> = self.tracks.iter().map(|one| &one.track).collect();
        let places = tracks::match_tracks(&ours, segment.tracks()).and_then(|places| {
            let first = segment.first().unwrap_or(time);
            let moved = nanos(segment.run_start()) - i128::from(first.as_nanos());
            let tracks = segment.tracks().iter().zip(places);
            tracks.map(|(track, index)| self.place_track(track, index, moved)).collect()
        });
        match places {
            Ok(places) => segment.set_places(places),
            Err(refusal) => segment.refuse(refusal),
        }
    }

    /// `moved` is how far the run is moved to stand behind the one before, in nanoseconds.
    fn place_track(&mut self, track: &Track, index: usize, moved: i128) -> Result<Place, Refusal> {
        let ours = &mut self.tracks[index];
        let scale = ours.timescale();
        let ahead = track.timescale.to(scale, track.ahead);
        let origin = Ticks(scale.nearest(moved).0.saturating_sub(ahead.0));
        let numbers = track.descriptions.iter().map(|description| ours.describe(description));
        let descriptions = numbers
            .collect::<Option<_>>()
            .ok_or_else(|| Refusal::TrackMismatch { kind: track.kind, codec: track.codec() })?;
        Ok(Place { track: index, origin, descriptions })
    }

    /// Returns whether the sample's time went back in its track; `None` if it plays too late for
    /// the track's table, and was not written.
    fn write_sample(
        &mut self,
        place: &Place,
        source: Timescale,
        info: &SampleInfo,
        payload: &[u8],
    ) -> Result<Option<bool>, MediaError> {
        let ours = &mut self.tracks[place.track];
        let scale = ours.timescale();
        let time = Ticks(place.origin.0.saturating_add(source.to(scale, info.at).0));
        let at = time.max(ours.table.last().unwrap_or_default());
        if ours.table.check(at).is_err() {
            return Ok(None);
        }
        let shift = source.to(scale, Ticks(i64::from(info.shift))).0;
        let entry = Entry {
            at,
            duration: ours.duration_of(source, info, payload),
            shift: i32::try_from(shift).unwrap_or(info.shift),
            bytes: payload.len() as u32,
            is_sync: info.is_sync && ours.track.kind == TrackKind::Video,
            description: place.descriptions.get(info.description).copied().unwrap_or(1),
            offset: self.writer.write_sample(payload)?,
        };
        // Checked above, before the sample was written.
        if ours.table.add(&entry).is_ok() {
            self.samples += 1;
        }
        Ok(Some(at > time))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::report::SegmentReport;

    /// 35 samples, into a file that has room for so many.
    fn stitch_with_room_for(samples_max: usize) -> (Mp4File<Cursor<Vec<u8>>>, SegmentReport) {
        let mut file = Mp4File::new(Cursor::new(Vec::new()), 0);
        file.samples_max = samples_max;
        let mut reader = Mp4Reader::new();
        let mut segment = Segment::starting_at(Duration::ZERO);
        for chunk in [
            &include_bytes!("../../tests/fixtures/g_audiomp4.000.chunk")[..],
            include_bytes!("../../tests/fixtures/g_audiomp4.001.chunk"),
        ] {
            reader.push(chunk);
            segment.count_bytes(chunk.len());
            file.drain(&mut reader, &mut segment).unwrap();
        }
        let report = segment.into_report(file.end(), 0);
        (file, report)
    }

    #[test]
    fn as_many_samples_as_the_limit_are_written_and_the_rest_is_refused() {
        let (_, report) = stitch_with_room_for(limits::SAMPLES_MAX);
        let all = report.packets;
        assert_eq!((all, report.problems.len()), (35, 0));

        let (_, at_limit) = stitch_with_room_for(35);
        assert_eq!((at_limit.packets, at_limit.refusal()), (35, None));

        let (file, past_limit) = stitch_with_room_for(34);
        assert_eq!(past_limit.packets, 34);
        assert_eq!(past_limit.refusal(), Some(&Refusal::TooManySamples));
        let (out, _) = file.finish().unwrap();
        assert_eq!(crate::verify(Cursor::new(out.into_inner())).unwrap().packets, 34);
    }

    #[test]
    fn a_sample_costs_the_table_no_more_than_it_says() {
        let entry = size_of::<u32>()
            + size_of::<super::super::table::Run<u32>>()
            + size_of::<super::super::table::Run<i32>>()
            + size_of::<u32>()
            + size_of::<super::super::table::Chunk>();
        assert!(entry <= limits::SAMPLE_ENTRY_BYTES_MAX, "{entry} bytes");
        let moov = limits::WRITTEN_MOOV_BYTES_MAX as u64;
        assert!(moov < u64::from(u32::MAX), "a box has a size of 32 bits");
    }
}
