//! Makes a supplement of what came after the recording was made: of each track a file of all its late
//! chunks. The recording stays as it is.

use std::collections::{BTreeMap, HashMap};
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Instant;

use ledger::Refused;
use ledger::jobs::JobEnd;
use media::{Headers, MediaError};
use protocol::{Millis, SeqSet, SessionId, SessionStatus, TrackKind, TrackNo};
use tokio::task::spawn_blocking;

use super::assemble::{AssembleError, OfTrack, Sources};
use super::files::Kept;
use super::keeping::LEFT_OUT_LISTED_MAX;
use super::release::end_of;
use super::stitching::{MediaFile, Stitching};
use super::{Inner, Recordings};
use crate::clock;
use crate::store::{
    LateRun, LeftOutRun, MadeSupplement, Session, Store, StoreError, SupplementFile,
};

/// The tracks of which something came late.
struct LateTracks {
    tracks: BTreeMap<TrackNo, LateTrack>,
    bytes: u64,
}

/// What one of them is, as far as anything has said so.
#[derive(Default)]
struct LateTrack {
    kind: Option<TrackKind>,
    label: String,
    chunks: u64,
}

impl LateTracks {
    async fn of(store: &Store, id: SessionId, late: &SeqSet) -> Result<Self, StoreError> {
        let mut named: HashMap<TrackNo, (TrackKind, String)> = HashMap::new();
        for segment in store.segments(id).await? {
            named.entry(segment.track).or_insert((segment.kind, segment.label));
        }
        for start in store.late_starts(id, late).await? {
            named.entry(start.track).or_insert((start.kind, start.label));
        }
        let mut tracks: BTreeMap<TrackNo, LateTrack> = BTreeMap::new();
        let mut all_bytes = 0;
        for LateRun { track, chunks, bytes, .. } in store.late_runs(id, late).await? {
            let entry = tracks.entry(track).or_insert_with(|| match named.remove(&track) {
                Some((kind, label)) => LateTrack { kind: Some(kind), label, chunks: 0 },
                None => LateTrack::default(),
            });
            entry.chunks += chunks;
            all_bytes += bytes;
        }
        Ok(Self { tracks, bytes: all_bytes })
    }
}

impl Recordings {
    /// Of all that has come late so far.
    pub(crate) async fn supplement(&self, id: SessionId, started: Instant) -> JobEnd {
        let _one_at_a_time = self.lock_of(id).lock_owned().await;
        end_of(self.make_supplement(id, started).await)
    }

    async fn make_supplement(&self, id: SessionId, started: Instant) -> Result<(), AssembleError> {
        let Inner { store, scratch, .. } = &*self.0;
        let session = store.session(id).await?;
        if session.status != SessionStatus::Completed || session.late.is_empty() {
            return Ok(());
        }
        let before = store.supplement_files(id).await?;
        let late = LateTracks::of(store, id, &session.late).await?;
        store.room().check(scratch, late.bytes)?;
        let mut made = self.stitch_late(&session, late).await?;
        made.took = clock::millis(started.elapsed());
        match store.noting(store.supplement_made(id, &made, clock::wall())).await {
            Ok(()) => self.delete_files(before).await,
            // It was deleted meanwhile.
            Err(StoreError::Refused(Refused::NotCompleted)) => self.delete_files(made.files).await,
            Err(error) => return Err(error.into()),
        }
        tracing::info!(session = %id, items = made.of.len(), "supplement durable");
        if made.left_out > 0 {
            let segments = made.left_out;
            tracing::warn!(session = %id, segments, "not everything fits into the supplement");
        }
        Ok(())
    }

    /// Every file is in its place on return.
    async fn stitch_late(
        &self,
        session: &Session,
        late: LateTracks,
    ) -> Result<MadeSupplement, AssembleError> {
        let Inner { store, scratch, files, .. } = &*self.0;
        let (id, have) = (session.id, Arc::new(session.late.clone()));
        let sources = Sources { store, scratch, id, have };
        let (mut kept, mut left_out, mut pictures) = (Vec::new(), Vec::<LeftOutRun>::new(), 0);
        for (track, LateTrack { kind, label, chunks }) in late.tracks {
            if kind == Some(TrackKind::Stills) {
                pictures += chunks;
                continue;
            }
            let headers = self.headers_of(session, track).await?;
            let stitching = Stitching::begin_knowing(scratch, id, track, headers)?;
            let stitched = sources.stitch(track, Some(stitching)).await?;
            let OfTrack { file, further, left_out: lacking, .. } = stitched;
            left_out.extend(lacking);
            let own = file.ok().map(|file| (0, file));
            for (part, MediaFile { file, file_type, duration, .. }) in
                own.into_iter().chain(further)
            {
                let Kept { key, bytes } = files.keep(id, file, file_type.extension()).await?;
                let (mime, label) = (file_type.mime().to_owned(), label.clone());
                kept.push(SupplementFile { track, part, kind, label, key, mime, bytes, duration });
            }
        }
        Ok(MadeSupplement {
            of: session.late.clone(),
            pictures,
            files: kept,
            left_out: u32::try_from(left_out.len()).unwrap_or(u32::MAX),
            left_out_runs: left_out.into_iter().take(LEFT_OUT_LISTED_MAX).collect(),
            took: Millis::ZERO,
        })
    }

    /// What the recording's files of a track begin with: the header of a run that came late in part
    /// came in time.
    async fn headers_of(
        &self,
        session: &Session,
        track: TrackNo,
    ) -> Result<Headers, AssembleError> {
        let Inner { files, stopping, .. } = &*self.0;
        let mut headers = Headers::default();
        for key in self.recorded_files(session, track).await? {
            let file = match files.seekable(&key, stopping).await {
                Ok(file) => file,
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    tracing::warn!(session = %session.id, key, "a file of the recording is gone");
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            let known = headers.clone();
            let reading = spawn_blocking(move || {
                let mut headers = known;
                headers.note_file(file).map(|()| headers)
            });
            match reading.await.map_err(|_| AssembleError::BrokeOff)? {
                Ok(noted) => headers = noted,
                Err(error @ MediaError::Io(_)) => return Err(error.into()),
                Err(error) => {
                    tracing::warn!(session = %session.id, key, %error, "its tracks are not known");
                }
            }
        }
        Ok(headers)
    }

    /// The keys of the recording's files of a track. The last one counts most: most runs are in it. A track
    /// that is alone has none of its own, its file is the recording.
    async fn recorded_files(
        &self,
        session: &Session,
        track: TrackNo,
    ) -> Result<Vec<String>, AssembleError> {
        let store = &self.0.store;
        let files = store.track_files(session.id).await?;
        let has_file = |track| files.iter().any(|file| file.track == track);
        if has_file(track) {
            let own = files.iter().rev().filter(|file| file.track == track);
            return Ok(own.map(|file| file.key.clone()).collect());
        }
        let runs = store.chunk_runs(session.id).await?;
        let mut without_file = runs.iter().filter(|run| !has_file(run.track));
        let is_alone = without_file.all(|run| run.track == track);
        let whole = session.recording.as_ref().filter(|_| is_alone);
        Ok(whole.map(|recording| recording.key.clone()).into_iter().collect())
    }

    async fn delete_files(&self, replaced: Vec<SupplementFile>) {
        for SupplementFile { key, .. } in replaced {
            self.0.files.delete(&key).await;
        }
    }
}
