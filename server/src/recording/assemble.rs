//! Makes the files of a session out of its chunks: one for each track, one recording of all that can
//! be put side by side, and the pictures. Nothing of it is in its place yet.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;

use app::format;
use media::{FileType, MediaError, Schedule, Source, Tally, Verifier};
use protocol::{Millis, SegmentNo, SeqSet, SessionId, TrackNo};
use tempfile::NamedTempFile;
use timeline::{Alignment, Shift};

use super::ahead::Begun;
use super::files::writer_into;
use super::packing::{Packing, type_of_all};
use super::pictures::{self, PICTURES_MAX, Pictures};
use super::plan::{Plan, joined};
use super::stitching::{Lacking, MediaFile, Stitched, Stitching, finished};
use crate::store::{LeftOutRun, StitchedRun, Store, StoreError};

/// Files of one track: so many formats. Runs of still another are in none.
const PARTS_MAX: u8 = 8;

#[derive(Debug, thiserror::Error)]
pub(crate) enum AssembleError {
    #[error("nothing was recorded")]
    NothingRecorded,
    #[error("the recorded bytes cannot be made into a file: {0}")]
    Media(#[from] MediaError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the recording cannot be written: {0}")]
    Io(#[from] std::io::Error),
    #[error("the recording cannot be stored: {0}")]
    Files(#[from] object_store::Error),
    #[error("stitching broke off")]
    BrokeOff,
    #[error("the file {0} is not there: the chunks that it was made of are kept")]
    FileGone(String),
    #[error(
        "making the recording ended the server {tries} times, or broke off; its chunks are kept"
    )]
    EndedTheServer { tries: u32 },
}

impl AssembleError {
    /// Why there is no recording, for people: nothing of the server's insides is in it.
    pub(super) fn told(&self) -> String {
        match self {
            Self::NothingRecorded
            | Self::Media(
                MediaError::Refused(_)
                | MediaError::NotFinished { .. }
                | MediaError::OutOfOrder(_)
                | MediaError::TooManySegments,
            )
            | Self::BrokeOff
            | Self::EndedTheServer { .. } => self.to_string(),
            Self::Media(MediaError::Encoding(_)) => "its sound cannot be encoded".to_owned(),
            Self::FileGone(_) => {
                "one of its files is not there: the chunks that it was made of are kept".to_owned()
            }
            Self::Store(_) => "what is stored of it cannot be read".to_owned(),
            Self::Media(MediaError::Io(_)) | Self::Io(_) | Self::Files(_) => {
                "the server's storage does not work".to_owned()
            }
        }
    }
}

/// All files of a session.
#[derive(Debug)]
pub(crate) struct Assembled {
    /// `None`: the first track's own file is the recording.
    pub(super) whole: Option<MediaFile>,
    /// Empty when there is only one: that is the recording.
    pub(super) tracks: Vec<(TrackNo, MediaFile)>,
    /// Recorder runs that do not fit into the file of their track, in a file of their own: which of
    /// the track's it is, counted from 0.
    pub(super) parts: Vec<(TrackNo, u8, MediaFile)>,
    pub(super) pictures: Vec<Pictures>,
    /// Where on the recording the moments of the timeline lie.
    pub(super) alignment: Alignment,
    pub(super) runs: Vec<StitchedRun>,
    /// Recorder runs that hold something which is in no file.
    pub(super) left_out: Vec<LeftOutRun>,
}

pub(super) async fn assemble(
    store: &Store,
    scratch: &Path,
    id: SessionId,
    have: SeqSet,
    mut plan: Plan,
    mut begun: Begun,
) -> Result<Assembled, AssembleError> {
    let have = Arc::new(have);
    let sources = Sources { store, scratch, id, have: Arc::clone(&have) };
    let (mut tracks, mut parts) = (Vec::new(), Vec::new());
    let (mut runs, mut left_out) = (Vec::new(), Vec::new());
    let mut obstacle = None;
    for track in &plan.media {
        let stitched = sources.stitch(*track, begun.take(*track)).await?;
        runs.extend(stitched.runs);
        left_out.extend(stitched.left_out);
        parts.extend(stitched.further.into_iter().map(|(part, file)| (*track, part, file)));
        match stitched.file {
            Ok(file) => tracks.push((*track, file)),
            Err(error) => {
                obstacle.get_or_insert(error);
            }
        }
    }
    if tracks.is_empty() {
        return Err(obstacle.map_or(AssembleError::NothingRecorded, AssembleError::Media));
    }
    plan.note_runs(&runs);
    let of_the_first = plan.alignment(&[tracks[0].0]);
    let (whole, alignment) = match combine(scratch, &plan, &tracks).await? {
        Some((whole, alignment)) => (Some(whole), alignment),
        None if tracks.len() == 1 && parts.is_empty() => {
            (tracks.pop().map(|(_, only)| only), of_the_first)
        }
        None => (None, of_the_first),
    };
    let mut all_pictures = Vec::with_capacity(plan.pictures.len());
    let mut pictures_max = PICTURES_MAX;
    for track in &plan.pictures {
        let pictures = pictures::gather(store, scratch, id, *track, &have, pictures_max).await?;
        pictures_max -= pictures.taken.len();
        left_out.extend(pictures.left_out.iter().cloned());
        if !pictures.taken.is_empty() {
            all_pictures.push(pictures);
        }
    }
    Ok(Assembled { whole, tracks, parts, pictures: all_pictures, alignment, runs, left_out })
}

/// What of each run is in no file, and why.
fn left_out_runs(
    track: TrackNo,
    lacking: BTreeMap<SegmentNo, Lacking>,
    torn: BTreeMap<SegmentNo, u64>,
) -> Vec<LeftOutRun> {
    let mut runs = BTreeMap::new();
    for (segment, Lacking { left_out, why, .. }) in lacking {
        let Tally { packets, bytes } = left_out.all();
        runs.insert(segment, LeftOutRun { track, segment, packets, bytes, why });
    }
    for (segment, chunks) in torn {
        let none = LeftOutRun { track, segment, packets: 0, bytes: 0, why: String::new() };
        let run = runs.entry(segment).or_insert(none);
        let chunks = format::count(chunks, "chunk is damaged", "chunks are damaged");
        let told = format!("{chunks} on the server's disk");
        run.why = if run.why.is_empty() { told } else { format!("{told}; {}", run.why) };
    }
    runs.into_values().collect()
}

/// Where a session's chunks are, which of them are meant, and where its files are made.
pub(super) struct Sources<'a> {
    pub(super) store: &'a Store,
    pub(super) scratch: &'a Path,
    pub(super) id: SessionId,
    pub(super) have: Arc<SeqSet>,
}

/// What became of a track.
pub(super) struct OfTrack {
    /// Or why there is nothing of it.
    pub(super) file: Result<MediaFile, MediaError>,
    /// Each of another format than those before.
    pub(super) further: Vec<(u8, MediaFile)>,
    pub(super) runs: Vec<StitchedRun>,
    pub(super) left_out: Vec<LeftOutRun>,
}

impl Sources<'_> {
    pub(super) async fn stitch(
        &self,
        track: TrackNo,
        begun: Option<Stitching>,
    ) -> Result<OfTrack, AssembleError> {
        let stitching = match begun {
            Some(stitching) => stitching,
            None => Stitching::begin(self.scratch, self.id, track)?,
        };
        let Stitched { file, mut runs, lacking: mut all_lacking, torn, mut headers } =
            self.finish(stitching).await?;
        let mut further = Vec::new();
        let places: HashMap<SegmentNo, usize> =
            (0..).zip(&runs).map(|(place, run)| (run.segment, place)).collect();
        for part in 1..PARTS_MAX {
            // Runs of which nothing is in a file yet.
            let apart =
                |(segment, lacking): (&SegmentNo, &Lacking)| lacking.is_all.then_some(*segment);
            let refused: BTreeSet<SegmentNo> = all_lacking.iter().filter_map(apart).collect();
            if file.is_err() || refused.is_empty() {
                break;
            }
            let (scratch, id) = (self.scratch, self.id);
            let stitching = Stitching::begin_with(scratch, id, track, refused.clone(), headers)?;
            let stitched = self.finish(stitching).await?;
            headers = stitched.headers;
            let Ok(file) = stitched.file else { break };
            further.push((part, file));
            for StitchedRun { segment, duration, .. } in stitched.runs {
                if let Some(run) = places.get(&segment).and_then(|place| runs.get_mut(*place)) {
                    run.duration = run.duration.max(duration);
                }
            }
            all_lacking.retain(|segment, _| !refused.contains(segment));
            all_lacking.extend(stitched.lacking);
        }
        let left_out = left_out_runs(track, all_lacking, torn);
        Ok(OfTrack { file, further, runs, left_out })
    }

    async fn finish(&self, stitching: Stitching) -> Result<Stitched, AssembleError> {
        stitching.take_all(self.store, &self.have).await?.finish().await
    }
}

/// The recording that several tracks become together; `None` when they cannot be put side by side.
async fn combine(
    scratch: &Path,
    plan: &Plan,
    tracks: &[(TrackNo, MediaFile)],
) -> Result<Option<(MediaFile, Alignment)>, AssembleError> {
    let places = joined(tracks.iter().map(|(_, media)| media.file_type.mime()));
    if places.len() < 2 {
        return Ok(None);
    }
    let numbers: Vec<TrackNo> = places.iter().map(|place| tracks[*place].0).collect();
    let alignment = plan.alignment(&numbers);
    let mut sources = Vec::with_capacity(places.len());
    let types: Vec<FileType> = places.iter().map(|place| tracks[*place].1.file_type).collect();
    let file_type = type_of_all(&types);
    let packing = Packing::of(file_type.mime());
    for (order, place) in places.into_iter().enumerate() {
        let (track, media) = &tracks[place];
        sources.push(Source {
            file: media.file.reopen()?,
            schedule: schedule(&alignment.shifts(order)),
            labels: labels(plan, *track),
        });
    }
    let file = NamedTempFile::new_in(scratch)?;
    let combining = tokio::task::spawn_blocking(move || {
        let out = writer_into(&file)?;
        let (out, combined) = match packing {
            Some(Packing::Mp4) => media::combine_mp4(sources, out)?,
            Some(Packing::Webm) | None => media::combine(sources, out)?,
        };
        let packets = combined.packets + combined.silences;
        finished(file, out, Verifier::default(), file_type, combined.duration, packets)
    });
    match combining.await.map_err(|_| AssembleError::BrokeOff)? {
        Ok(whole) => Ok(Some((whole, alignment))),
        Err(MediaError::Refused(refusal)) => {
            tracing::warn!(%refusal, "the tracks stay apart");
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// A file's tracks are all called like the source that they come from.
pub(crate) fn labels(plan: &Plan, track: TrackNo) -> Vec<String> {
    vec![plan.name_of(track); media::limits::TRACKS_MAX]
}

pub(crate) fn schedule(shifts: &[Shift]) -> Schedule {
    let duration = |millis: Millis| std::time::Duration::from_millis(millis.get());
    let mut schedule = Schedule::new();
    for Shift { from, by } in shifts {
        schedule.shift(duration(*from), duration(*by));
    }
    schedule
}
