//! Owns joining the samples of segments into one MP4: which track a sample goes to and when it
//! plays there. Leaves reading to `reader` and the bytes of the file to `writer` and `layout`.

use std::io::{Seek, Write};
use std::time::Duration;

use crate::clock;
use crate::error::{MediaError, Refusal};
use crate::limits;
use crate::opus;
use crate::segment::{Muxer, RunTrack as _, Wrote};
use crate::tracks::{self, TrackKind};
use crate::units::nanos_of;
use crate::writer::Written;

use super::layout::{self, TrackLayout};
use super::moof::SampleInfo;
use super::moov::{Place, Track};
use super::sample::{Sample, SampleCopy};
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
        let ticks_of = |duration: Duration| scale.nearest(nanos_of(duration));
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

    /// Where a run's track goes.
    fn place_track(&mut self, track: &Track, index: usize) -> Result<Place, Refusal> {
        let ours = &mut self.tracks[index];
        let numbers = track.descriptions.iter().map(|description| ours.describe(description));
        let descriptions = numbers
            .collect::<Option<_>>()
            .ok_or_else(|| Refusal::TrackMismatch { kind: track.kind, codec: track.codec() })?;
        let (timescale, ahead) = (track.timescale, track.ahead);
        Ok(Place { track: index, timescale, ahead, lead: None, descriptions })
    }
}

impl<W: Write + Seek> Muxer<SampleCopy> for Mp4File<W> {
    fn end(&self) -> Duration {
        Self::end(self)
    }

    fn edge(&self, place: &Place) -> Option<i128> {
        let ours = self.tracks.get(place.track)?;
        Some(nanos_of(ours.timescale().duration(ours.table.last()?)))
    }

    fn begin_cluster(&mut self) {
        self.close_chunks();
    }

    fn end_of(&self, place: &Place) -> Duration {
        let track = self.tracks.get(place.track);
        track.map_or(Duration::ZERO, |one| one.timescale().duration(one.table.end()))
    }

    fn place(&mut self, _: &str, tracks: &[Track]) -> Result<Vec<Place>, MediaError> {
        if self.tracks.is_empty() {
            self.tracks = tracks.iter().map(FileTrack::new).collect();
        }
        let ours: Vec<_> = self.tracks.iter().map(|one| &one.track).collect();
        let places = tracks::match_tracks(&ours, tracks)?;
        let places = tracks.iter().zip(places).map(|(track, index)| self.place_track(track, index));
        Ok(places.collect::<Result<_, _>>()?)
    }

    /// A sample is shown exactly where its stamp has it. When it is decoded, it is not before the one
    /// before it.
    fn write(
        &mut self,
        place: &mut Place,
        sample: Sample<'_>,
        shift: i128,
    ) -> Result<Wrote, MediaError> {
        let Sample { info, payload } = sample;
        if self.samples >= self.samples_max {
            return Ok(Wrote::Full);
        }
        let ours = &mut self.tracks[place.track];
        let scale = ours.timescale();
        let in_file = |ticks: i64| place.timescale.to(scale, Ticks(ticks)).0;
        let delay = in_file(i64::from(info.shift));
        let lead = place.lead.get_or_insert(Ticks(delay)).0;
        let presented =
            i64::from(info.shift).saturating_add(info.at.0).saturating_sub(place.ahead.0);
        let shown = scale.nearest(shift).0.saturating_add(in_file(presented));
        let decoded = shown.saturating_sub(delay).saturating_add(lead);
        let at = Ticks(decoded).max(ours.table.last().unwrap_or_default());
        let Ok(delay) = i32::try_from(shown.max(0).saturating_sub(at.0)) else {
            return Ok(Wrote::TooLate);
        };
        if ours.table.check(at).is_err() {
            return Ok(Wrote::TooLate);
        }
        // Without another order of decoding, a sample that is late by rounding is moved as a whole.
        let is_moved = delay < 0 && info.shift == 0 && lead == 0;
        let entry = Entry {
            at,
            duration: ours.duration_of(place.timescale, &info, payload),
            shift: if is_moved { 0 } else { delay },
            bytes: payload.len() as u32,
            is_sync: info.is_sync && ours.track.kind == TrackKind::Video,
            description: place.descriptions.get(info.description).copied().unwrap_or(1),
            offset: self.writer.write_sample(payload)?,
        };
        // Checked above, before the sample was written.
        if ours.table.add(&entry).is_ok() {
            self.samples += 1;
        }
        Ok(if is_moved { Wrote::Moved } else { Wrote::AtItsTime })
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::mp4::Mp4Reader;
    use crate::report::SegmentReport;
    use crate::segment::{Reader as _, Segment};

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
            reader.frame_mut().push(chunk);
            reader.drain_into(&mut file, &mut segment).unwrap();
        }
        reader.frame_mut().end();
        reader.drain_into(&mut file, &mut segment).unwrap();
        let report = segment.into_report(file.end(), reader.frame().account());
        (file, report)
    }

    #[test]
    fn as_many_samples_as_the_limit_are_written_and_the_rest_is_refused() {
        let (_, report) = stitch_with_room_for(limits::SAMPLES_MAX);
        let all = report.packets();
        assert_eq!((all, report.problems.len()), (35, 0));

        let (_, at_limit) = stitch_with_room_for(35);
        assert_eq!((at_limit.packets(), at_limit.refusal()), (35, None));

        let (file, past_limit) = stitch_with_room_for(34);
        assert_eq!(past_limit.packets(), 34);
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
