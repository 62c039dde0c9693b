//! Has `media` stitch a track's chunks, read in their order, into one verified file.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime};

use media::limits::FILE_BUFFER_BYTES;
use media::{FileType, Headers, LeftOut, MediaError, Stitcher, TrackKind, Verified, Verifier};
use protocol::{Millis, SegmentNo, Seq, SeqSet, SessionId, TrackNo};
use tempfile::NamedTempFile;
use timeline::PauseCut;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use super::assemble::AssembleError;
use crate::store::{Payload, StitchedRun, Store, StoredChunk, Unchecked};

/// Payload bytes read from the database at once.
pub(super) const READ_BYTES: usize = 4 * 1024 * 1024;
/// Portions of that size read ahead of the stitcher.
const READ_AHEAD: usize = 1;

/// Payload bytes taken in ahead of the end after which what was written is verified and synced: less
/// is quickly done at the end.
const SETTLED_BYTES: u64 = 16 * 1024 * 1024;

/// Problems of one file that the log tells of.
const PROBLEMS_LOGGED_MAX: usize = 200;

/// A finished, verified file that is not yet in its place.
#[derive(Debug)]
pub(crate) struct MediaFile {
    pub(super) file: NamedTempFile,
    pub(super) file_type: FileType,
    pub(super) duration: Millis,
    /// Sound tracks in it that can be drawn.
    pub(super) sounds: u32,
}

/// What became of the runs of a track that were put into one file.
#[derive(Debug)]
pub(super) struct Stitched {
    /// Or why there is nothing of it.
    pub(super) file: Result<MediaFile, MediaError>,
    pub(super) runs: Vec<StitchedRun>,
    /// Recorder runs that hold something which is not in the file.
    pub(super) lacking: BTreeMap<SegmentNo, Lacking>,
    /// Of each run, stored chunks that could not be read: no other file holds more of them.
    pub(super) torn: BTreeMap<SegmentNo, u64>,
    /// By which a run could be read whose own header is missing.
    pub(super) headers: Headers,
}

/// What of a recorder run is not in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lacking {
    pub(super) left_out: LeftOut,
    /// In words.
    pub(super) why: String,
    /// Nothing of the run is in the file: another one may take it.
    pub(super) is_all: bool,
}

/// A track on its way into a file.
#[derive(Debug)]
pub(super) struct Stitching {
    session: SessionId,
    track: TrackNo,
    file: NamedTempFile,
    stitcher: Stitcher<BufWriter<File>>,
    verifier: Verifier,
    /// The chunk that was taken in last. All before it are in the file.
    last: Option<Taken>,
    /// No chunk before this one is still to be read.
    next: Seq,
    taken_bytes: u64,
    /// As many of them as had been when last the file was verified and synced.
    settled_bytes: u64,
    /// `None`: all of them.
    only: Option<BTreeSet<SegmentNo>>,
    /// When pauses were over, on the session's timeline, as far as that has come.
    pauses_over: Vec<Millis>,
    /// Those before this were noted with a run.
    noted_before: Millis,
    /// Of the run that is being taken in: where in the file it begins, and its pauses.
    run_begins: Millis,
    cuts: Vec<PauseCut>,
    runs: Vec<StitchedRun>,
    lacking: BTreeMap<SegmentNo, Lacking>,
    torn: BTreeMap<SegmentNo, u64>,
    /// A chunk could not be read since the last that was taken in.
    is_torn_here: bool,
    problems_logged: usize,
}

/// A chunk that is in the file.
#[derive(Debug, Clone, Copy)]
struct Taken {
    seq: Seq,
    segment: SegmentNo,
    at: Millis,
}

impl Stitching {
    pub(super) fn begin(
        scratch: &Path,
        session: SessionId,
        track: TrackNo,
    ) -> Result<Self, AssembleError> {
        Self::begin_knowing(scratch, session, track, Headers::default())
    }

    /// The same, for a track among whose runs some may lack a header like these.
    pub(super) fn begin_knowing(
        scratch: &Path,
        session: SessionId,
        track: TrackNo,
        headers: Headers,
    ) -> Result<Self, AssembleError> {
        let file = NamedTempFile::new_in(scratch)?;
        // No thread of its own: there is one of these for each session in progress.
        let out = BufWriter::with_capacity(FILE_BUFFER_BYTES, file.reopen()?);
        let stitcher = Stitcher::knowing(out, headers)?;
        Ok(Self {
            session,
            track,
            file,
            stitcher,
            verifier: Verifier::default(),
            last: None,
            next: Seq::ZERO,
            taken_bytes: 0,
            settled_bytes: 0,
            only: None,
            pauses_over: Vec::new(),
            noted_before: Millis::ZERO,
            run_begins: Millis::ZERO,
            cuts: Vec::new(),
            runs: Vec::new(),
            lacking: BTreeMap::new(),
            torn: BTreeMap::new(),
            is_torn_here: false,
            problems_logged: 0,
        })
    }

    /// A further file of the track, for recorder runs that do not fit into an earlier one.
    pub(super) fn begin_with(
        scratch: &Path,
        session: SessionId,
        track: TrackNo,
        only: BTreeSet<SegmentNo>,
        headers: Headers,
    ) -> Result<Self, AssembleError> {
        Ok(Self { only: Some(only), ..Self::begin_knowing(scratch, session, track, headers)? })
    }

    /// Whether there may be more to take in up to here.
    pub(super) fn lacks(&self, until: Seq) -> bool {
        self.next <= until
    }

    /// Payload bytes that were taken in.
    pub(super) const fn taken_bytes(&self) -> u64 {
        self.taken_bytes
    }

    /// Tells whoever clears the folder that the file is still wanted.
    pub(super) fn touch(&self) -> std::io::Result<()> {
        self.file.as_file().set_modified(SystemTime::now())
    }

    /// Takes in all chunks that follow and are among these.
    pub(super) async fn take_all(
        mut self,
        store: &Store,
        have: &Arc<SeqSet>,
    ) -> Result<Self, AssembleError> {
        let (session, track) = (self.session, self.track);
        let first = have.ranges().next().map_or(Seq::ZERO, |range| *range.start());
        let mut from = self.next.max(first);
        let until = have.last().unwrap_or(Seq::ZERO);
        self.pauses_over = store.pauses_over(session).await?;
        let (portions, taking) = mpsc::channel(READ_AHEAD);
        let have = Arc::clone(have);
        let stitching = spawn_blocking(move || self.take_portions(taking, &have));
        let feed = async {
            loop {
                let chunks = store.chunks(session, track, from..=until, READ_BYTES).await?;
                let Some(last) = chunks.last_seq() else { return Ok(()) };
                from = last.next();
                // A stitcher that is gone tells why itself.
                if portions.send(chunks).await.is_err() {
                    return Ok::<_, AssembleError>(());
                }
            }
        };
        let fed = feed.await;
        drop(portions);
        // The stitcher's error is the cause when both have one.
        let stitching = stitching.await.map_err(|_| AssembleError::BrokeOff)??;
        fed?;
        Ok(stitching)
    }

    /// Takes in one portion of the chunks that follow up to `until`, if nothing is missing up to there.
    pub(super) async fn take_some(
        mut self,
        store: &Store,
        until: Seq,
    ) -> Result<Self, AssembleError> {
        let span = self.next..=until;
        let chunks = store.chunks(self.session, self.track, span, READ_BYTES).await?;
        if chunks.last_seq().is_some() {
            // Read after the chunks: what is over before one of them is known.
            self.pauses_over = store.pauses_over(self.session).await?;
        }
        // A track that has ended must not be looked through again and again.
        let last = chunks.last_seq().filter(|_| chunks.is_full(READ_BYTES));
        self.next = last.unwrap_or(until).next();
        let taking = spawn_blocking(move || {
            let nothing_missing = SeqSet::up_to(until);
            for chunk in chunks.checked() {
                self.take(&chunk, &nothing_missing)?;
            }
            self.settle()?;
            Ok(self)
        });
        taking.await.map_err(|_| AssembleError::BrokeOff)?
    }

    /// What has been written need not wait for the end to be verified, and to go to the disk.
    fn settle(&mut self) -> Result<(), MediaError> {
        if self.taken_bytes - self.settled_bytes >= SETTLED_BYTES {
            self.verifier.advance(self.file.reopen()?)?;
            self.file.as_file().sync_data()?;
            self.settled_bytes = self.taken_bytes;
        }
        Ok(())
    }

    fn take_portions(
        mut self,
        mut portions: mpsc::Receiver<Unchecked>,
        have: &SeqSet,
    ) -> Result<Self, MediaError> {
        while let Some(chunks) = portions.blocking_recv() {
            for chunk in chunks.checked() {
                self.take(&chunk, have)?;
            }
        }
        Ok(self)
    }

    fn take(&mut self, chunk: &StoredChunk, have: &SeqSet) -> Result<(), MediaError> {
        let StoredChunk { seq, segment, ref payload, at } = *chunk;
        let is_meant = self.only.as_ref().is_none_or(|only| only.contains(&segment));
        if !is_meant || !have.contains(seq) {
            return Ok(());
        }
        let bytes = match payload {
            Payload::Intact(bytes) => bytes,
            Payload::Unreadable(why) => {
                self.is_torn_here = true;
                let torn = self.torn.entry(segment).or_default();
                *torn += 1;
                if *torn == 1 {
                    tracing::error!(
                        session = %self.session, %segment, %seq, %why,
                        "a stored chunk cannot be read: it is a hole, and all chunks are kept"
                    );
                }
                return Ok(());
            }
        };
        let mut pauses = Vec::new();
        match self.last {
            Some(last) if last.segment == segment => {
                let is_missing = |seq| !have.contains(Seq::new(seq));
                if self.is_torn_here || (last.seq.get()..seq.get()).any(is_missing) {
                    self.stitcher.hole()?;
                }
                pauses = self.pauses_between(last.at, at);
            }
            Some(last) => {
                self.end_segment(last.segment)?;
                self.stitcher.begin_segment()?;
            }
            None => self.stitcher.begin_segment()?,
        }
        self.last = Some(Taken { seq, segment, at });
        self.is_torn_here = false;
        self.taken_bytes += bytes.len() as u64;
        if pauses.is_empty() {
            return self.stitcher.push(bytes);
        }
        let before = millis(self.stitcher.push_marking(bytes)?).since(self.run_begins);
        self.cuts.extend(pauses.into_iter().map(|over| PauseCut { over, before }));
        Ok(())
    }

    /// When the pauses of a run were over that lie between two of its chunks. They do in the file, too:
    /// a recorder hands over what it has when it is paused. A pause is one of the run that was open
    /// then, and of no other of its track, whatever a browser says of its chunks' times.
    fn pauses_between(&mut self, last: Millis, next: Millis) -> Vec<Millis> {
        let open = self.pauses_over.partition_point(|over| *over < last.max(self.noted_before));
        let over = self.pauses_over.partition_point(|over| *over < next);
        let mut pauses = self.pauses_over.get(open..over).unwrap_or_default().to_vec();
        pauses.dedup();
        if let Some(newest) = pauses.last() {
            self.noted_before = *newest + Millis::new(1);
        }
        pauses
    }

    fn end_segment(&mut self, segment: SegmentNo) -> Result<(), MediaError> {
        let report = self.stitcher.end_segment()?;
        // Damage never stops a recording; the operator should know of it.
        for problem in report.problems.iter().take(PROBLEMS_LOGGED_MAX - self.problems_logged) {
            tracing::warn!(session = %self.session, %segment, ?problem, "damaged recorder output");
            self.problems_logged += 1;
        }
        let left_out = report.account.left_out;
        if !left_out.is_nothing() {
            let causes: Vec<_> = left_out.causes().collect();
            let why = match (report.refusal(), &causes[..]) {
                (Some(refusal), _) => refusal.to_string(),
                (None, [(cause, _)]) => cause.to_string(),
                (None, _) => left_out.to_string(),
            };
            let is_all = report.packets() == 0;
            self.lacking.insert(segment, Lacking { left_out, why, is_all });
        }
        // What is cut off of each end must not add up.
        let end = millis(report.start + report.duration);
        let duration = end.since(millis(report.start));
        self.runs.push(StitchedRun {
            track: self.track,
            segment,
            duration,
            in_file: duration,
            cuts: std::mem::take(&mut self.cuts),
        });
        self.run_begins = end;
        Ok(())
    }

    /// Nothing follows.
    pub(super) async fn finish(self) -> Result<Stitched, AssembleError> {
        let finishing = spawn_blocking(move || self.finish_blocking());
        Ok(finishing.await.map_err(|_| AssembleError::BrokeOff)??)
    }

    fn finish_blocking(mut self) -> Result<Stitched, MediaError> {
        if let Some(last) = self.last {
            self.end_segment(last.segment)?;
        }
        let Self { file, stitcher, verifier, runs, lacking, torn, .. } = self;
        let headers = stitcher.headers().clone();
        let file = match stitcher.finish() {
            // What is left out was noted run by run.
            Ok(stitched) => {
                let (out, report) = stitched.accept(|_| ());
                finished(file, out, verifier, report.file_type, report.duration, report.packets)
            }
            Err(error) => Err(error),
        };
        let file = match file {
            Err(error @ MediaError::Refused(_)) => Err(error),
            file => Ok(file?),
        };
        Ok(Stitched { file, runs, lacking, torn, headers })
    }
}

/// Reads back what was written into the file, while it goes to the disk.
pub(super) fn finished(
    file: NamedTempFile,
    mut out: impl Write,
    verifier: Verifier,
    file_type: FileType,
    duration: Duration,
    packets: u64,
) -> Result<MediaFile, MediaError> {
    out.flush()?;
    let written = file.reopen()?;
    let (verified, synced) = thread::scope(|threads| {
        let syncing = threads.spawn(|| file.as_file().sync_all());
        let verified = verifier.finish(written);
        (verified, syncing.join().map_err(|_| io::Error::other("syncing the file broke off")))
    });
    let (verified, ()) = (verified?, synced??);
    if verified.packets != packets {
        let told = format!("{} packets are in the file, not {packets}", verified.packets);
        return Err(io::Error::other(told).into());
    }
    let sounds = sounds_in(&verified);
    Ok(MediaFile { file, file_type, duration: millis(duration), sounds })
}

fn sounds_in(verified: &Verified) -> u32 {
    let is_drawn = |track: &&media::VerifiedTrack| {
        let is_decoded = ["A_OPUS", "Opus", "mp4a"].contains(&&*track.codec);
        track.kind == TrackKind::Audio && is_decoded
    };
    u32::try_from(verified.tracks.iter().filter(is_drawn).count()).unwrap_or(u32::MAX)
}

fn millis(duration: Duration) -> Millis {
    Millis::new(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}
