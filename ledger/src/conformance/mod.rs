//! What every [`Ledger`] has to do, as claims that are tried on it. A store's tests run [`all`]; the tests
//! of this crate break each rule on purpose and see that a claim notices.

mod connections;
mod endings;
mod items;
mod jobs;
mod late;
mod recordings;
mod writers;

use std::future::Future;

use bytes::Bytes;
use protocol::event::{Asker, LossCause, Transport};
use protocol::item::ItemError;
use protocol::limits::counted_bytes;
use protocol::message::Opening;
use protocol::receiver::Verdict;
use protocol::{
    Content, Epoch, Event, Item, Millis, SegmentNo, Seq, SeqSet, SessionId, SessionStatus,
    TokenHash, TrackNo, UnixMillis,
};

use crate::command::{By, Command, MadeOf, Refused};
use crate::jobs::{JobEnd, JobState, Worker};
use crate::limits::{JOB_LEASE, JOB_TRIES_MAX};
use crate::rules::Policy;
use crate::session::Session;
use crate::store::{Append, Appended, Applied, Ledger};
use crate::work::{Beside, Format, JobKey, Work};

/// What the ledgers of the suite are made with.
pub const POLICY: Policy = Policy {
    grace: Millis::from_secs(30),
    resume_window: Millis::from_secs(3_600),
    discarded_kept: Millis::from_secs(7_200),
    failed_kept: Millis::from_secs(14_400),
    session_bytes_max: 8 * 1024 * 1024,
    seq_ahead_max: 1_000,
    holes_max: 63,
};

/// A claim that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{claim}: {what}")]
pub struct Broken {
    pub claim: &'static str,
    pub what: String,
}

type Holds = Result<(), String>;

const TOKEN: TokenHash = TokenHash([1; 32]);
const OTHER_TOKEN: TokenHash = TokenHash([2; 32]);
const START: UnixMillis = UnixMillis::new(1_795_257_600_000);

fn at(millis: u64) -> UnixMillis {
    START.plus(Millis::new(millis))
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, found: T, expected: T) -> Holds {
    if found == expected {
        Ok(())
    } else {
        Err(format!("{what}: found {found:?}, expected {expected:?}"))
    }
}

/// One session of a ledger on trial.
struct Trial<'a, L> {
    ledger: &'a L,
    id: SessionId,
}

impl<L: Ledger> Trial<'_, L> {
    async fn apply(
        &self,
        command: Command,
        now: UnixMillis,
    ) -> Result<Result<Applied, Refused>, String> {
        self.ledger.apply(self.id, &command, now).await.map_err(|error| format!("{error:?}"))
    }

    async fn done(&self, command: Command, now: UnixMillis) -> Result<Applied, String> {
        self.apply(command, now).await?.map_err(|refused| format!("refused: {refused}"))
    }

    async fn refused(&self, command: Command, now: UnixMillis, expected: Refused) -> Holds {
        match self.apply(command.clone(), now).await? {
            Err(refused) => same(&format!("{command:?} is refused"), refused, expected),
            Ok(_) => Err(format!("{command:?} is carried out; expected: {expected}")),
        }
    }

    async fn session(&self) -> Result<Session, String> {
        let found = self.ledger.find(self.id).await.map_err(|error| format!("{error:?}"))?;
        found.ok_or_else(|| "the session is gone".to_owned())
    }

    async fn status(&self) -> Result<SessionStatus, String> {
        Ok(self.session().await?.status)
    }

    async fn open(&self, opening: Opening, now: UnixMillis) -> Result<Applied, String> {
        let transport = Transport::WebSocket;
        self.done(Command::Open { token: TOKEN, opening, transport }, now).await
    }

    /// A session with a writer of epoch 1.
    async fn begun(&self) -> Result<Applied, String> {
        self.open(Opening::New { started_at: START }, at(0)).await
    }

    async fn append(&self, by: By, items: Vec<Item>) -> Result<Appended, String> {
        self.append_over(Transport::Http, by, items, at(1)).await
    }

    async fn append_over(
        &self,
        transport: Transport,
        by: By,
        items: Vec<Item>,
        now: UnixMillis,
    ) -> Result<Appended, String> {
        let append = Append { session: self.id, by, transport, items };
        let appended = self.ledger.append(&[&append], now).await;
        let mut results = appended.map_err(|error| format!("{error:?}"))?;
        results.pop().ok_or_else(|| "no result of an append".to_owned())
    }

    async fn stores(&self, seqs: impl IntoIterator<Item = u64>) -> Holds {
        let items: Vec<Item> = seqs.into_iter().map(item).collect();
        let all = items.iter().map(|item| (item.seq, Verdict::Stored)).collect();
        same("items are stored", self.append(writer(1), items).await?, Ok(all))
    }

    async fn verdict(&self, by: By, item: Item) -> Result<Verdict, String> {
        let judged = self.append(by, vec![item]).await?.map_err(|refused| refused.to_string())?;
        judged.first().map(|(_, verdict)| *verdict).ok_or_else(|| "no verdict".to_owned())
    }

    async fn claim(&self, by: Worker, now: UnixMillis) -> Result<Option<u32>, String> {
        self.claim_of(Work::Assemble, by, now).await
    }

    /// How often it was begun then, if it was this work that was claimed.
    async fn claim_of(
        &self,
        work: Work,
        by: Worker,
        now: UnixMillis,
    ) -> Result<Option<u32>, String> {
        let claimed = self.ledger.claim(work.kind(), by, now).await;
        let claimed = claimed.map_err(|error| format!("{error:?}"))?;
        let key = JobKey::new(self.id, work);
        Ok(claimed.filter(|(found, _)| *found == key).map(|(_, job)| job.tries))
    }

    async fn end(&self, by: Worker, end: JobEnd, now: UnixMillis) -> Holds {
        self.end_of(Work::Assemble, by, end, now).await
    }

    async fn end_of(&self, work: Work, by: Worker, end: JobEnd, now: UnixMillis) -> Holds {
        let ended = self.ledger.end_job(JobKey::new(self.id, work), by, end, now).await;
        ended.map(drop).map_err(|error| format!("{error:?}"))
    }

    async fn job_state(&self, work: Work) -> Result<Option<JobState>, String> {
        let job = self.ledger.job(JobKey::new(self.id, work)).await;
        Ok(job.map_err(|error| format!("{error:?}"))?.map(|job| job.state))
    }

    /// Begun as often as it may be without coming to an end, and once more; then given up.
    async fn gives_up(&self, work: Work, begins: UnixMillis) -> Result<UnixMillis, String> {
        let mut now = begins;
        for tries in 1..=JOB_TRIES_MAX + 1 {
            same("the try", self.claim_of(work, Worker(tries.into()), now).await?, Some(tries))?;
            same("at once again", self.claim_of(work, Worker(9), now).await?, None)?;
            now = now.plus(Millis::from_secs(3_600));
        }
        let failed = JobEnd::Failed("it ended the server".into());
        self.end_of(work, Worker(u64::from(JOB_TRIES_MAX) + 1), failed, now).await?;
        same("the job", self.job_state(work).await?, Some(JobState::Stopped))?;
        Ok(now)
    }

    /// Interrupted at 1 s, with the items 0..=2.
    async fn left_alone(&self) -> Holds {
        self.begun().await?;
        self.stores(0..3).await?;
        self.done(lost(1), at(1_000)).await.map(drop)
    }

    /// The same, finalizing.
    async fn finalizing(&self) -> Holds {
        self.begun().await?;
        self.stores(0..3).await?;
        self.done(finish(writer(1), Some(2)), at(1_000)).await.map(drop)
    }

    async fn made(&self, began_in: SessionStatus) -> Result<Applied, String> {
        self.done(recording_playable(began_in), at(2_000)).await?;
        self.done(recording_done(began_in), at(2_000)).await
    }
}

fn writer(epoch: u64) -> By {
    By::Writer(Epoch::new(epoch))
}

fn candidate(epoch: Option<u64>) -> By {
    By::Candidate { token: TOKEN, epoch: epoch.map(Epoch::new) }
}

fn create(token: TokenHash) -> Command {
    Command::Create { token, started_at: START }
}

fn lost(epoch: u64) -> Command {
    Command::LoseConnection { epoch: Epoch::new(epoch), cause: LossCause::Broken }
}

fn finish(by: By, last_seq: Option<u64>) -> Command {
    Command::Finish { by, last_seq: last_seq.map(Seq::new), lost: SeqSet::new() }
}

/// Of the items 0..=2, like all recordings here.
fn made_of(began_in: SessionStatus) -> MadeOf {
    MadeOf { began_in, items: 3 }
}

fn recording_playable(began_in: SessionStatus) -> Command {
    Command::RecordingPlayable { of: made_of(began_in) }
}

/// Of one sound.
fn recording_done(began_in: SessionStatus) -> Command {
    recording_done_of(1, began_in)
}

fn recording_done_of(sounds: u32, began_in: SessionStatus) -> Command {
    let (duration, took) = (Millis::from_secs(3), Millis::new(50));
    Command::RecordingDone { of: made_of(began_in), duration, bytes: 1_000, took, sounds }
}

fn recording_failed() -> Command {
    Command::RecordingFailed { reason: "nothing was recorded".into(), took: Millis::new(5) }
}

/// Another one under each number, of 3 bytes.
fn item(seq: u64) -> Item {
    item_with(seq, b"abc")
}

fn item_with(seq: u64, bytes: &'static [u8]) -> Item {
    item_of(seq, Bytes::from_static(bytes))
}

/// One that counts for so many bytes.
fn item_counted(seq: u64, bytes: u64) -> Item {
    let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
    item_of(seq, vec![0; bytes.saturating_sub(counted_bytes(0))].into())
}

fn item_of(seq: u64, bytes: Bytes) -> Item {
    let content = Content::Chunk { track: TrackNo::new(0), segment: SegmentNo::new(0), bytes };
    Item::new(Seq::new(seq), Millis::new(seq * 100), content)
}

fn seqs(range: std::ops::RangeInclusive<u64>) -> SeqSet {
    range.map(Seq::new).collect()
}

macro_rules! claims {
    ($($subject:ident: [$($claim:ident,)+],)+) => {
        /// The names of all claims.
        pub const CLAIMS: &[&str] = &[$($(stringify!($claim),)+)+];

        /// Tries every claim on a ledger of its own that `make` makes, with [`POLICY`].
        pub async fn all<L: Ledger, F: Future<Output = L>>(
            make: impl Fn() -> F,
        ) -> Result<(), Broken> {
            $($(
                let ledger = make().await;
                let trial = Trial { ledger: &ledger, id: SessionId::from_parts(START, [7; 10]) };
                let held = $subject::$claim(&trial).await;
                held.map_err(|what| Broken { claim: stringify!($claim), what })?;
            )+)+
            Ok(())
        }
    };
}

claims!(
    writers: [
        a_session_is_made_by_its_first_hello_and_by_no_other,
        creating_it_again_with_the_same_token_is_no_error,
        another_token_opens_and_changes_nothing,
        each_writer_fences_off_the_one_before,
        a_hello_that_comes_late_fences_off_nobody,
        an_older_writer_stores_nothing,
        an_older_writer_neither_finishes_nor_discards_nor_gives_signs_of_life,
        a_request_that_names_its_epoch_is_fenced_off_too,
    ],
    items: [
        an_item_is_stored_once,
        the_first_of_two_in_one_batch_wins,
        what_is_stored_is_told_in_ranges_and_sums,
        numbers_far_ahead_are_refused,
        holes_without_number_are_refused,
        a_session_grows_up_to_its_limit_and_headers_count,
    ],
    late: [
        what_comes_after_the_end_is_stored_and_counts_as_late,
        what_comes_late_is_bounded_like_what_is_stored,
        late_ranges_without_number_are_refused,
        a_supplement_is_due_once_nothing_more_comes_late,
        a_supplement_waits_for_an_endless_stream_only_so_long,
        what_comes_late_while_the_recording_is_made_waits_for_that,
        what_comes_late_while_the_supplement_is_made_makes_another,
        a_recording_made_once_more_has_what_was_late,
        what_is_brought_to_a_failed_session_is_kept_like_the_rest,
        a_recording_that_lacks_items_completes_nothing,
    ],
    connections: [
        a_lost_connection_interrupts_only_its_own_writers_session,
        silence_interrupts_an_active_session,
        a_server_that_starts_interrupts_whatever_was_active,
        a_writer_that_comes_back_makes_the_session_active_again,
        a_sign_of_life_makes_the_session_active_again,
        what_comes_over_http_leaves_the_connection_alone,
        items_of_a_connection_are_signs_of_life,
        grace_and_resume_window_end_at_their_deadlines,
        a_recording_is_due_in_the_moment_when_the_grace_period_ends,
        a_session_that_was_never_used_is_erased,
    ],
    endings: [
        it_is_not_finished_while_items_are_missing,
        it_is_finished_without_what_is_lost,
        a_finish_far_above_what_came_is_refused,
        finishing_twice_is_no_error,
        a_failed_session_may_be_finished_again_and_expires,
        what_is_completed_cannot_be_discarded,
        a_discarded_session_is_closed_and_erased_in_the_end,
        any_session_can_be_deleted,
    ],
    recordings: [
        only_a_recording_of_everything_completes_a_session,
        a_recording_of_a_session_that_goes_on_changes_no_status,
        a_recording_of_everything_is_drawn_and_its_sounds_are_mixed,
        what_is_missing_beside_a_recording_is_made_again,
        each_form_of_a_completed_recording_is_a_job_of_its_own,
        an_export_that_was_given_up_is_tried_again_by_whoever_asks_for_it,
    ],
    jobs: [
        a_job_is_one_workers_at_a_time,
        a_job_that_is_wanted_while_it_runs_is_done_once_more,
        a_job_that_never_ends_is_poison,
        a_job_of_a_server_that_is_gone_is_free_again,
        only_a_job_that_was_given_up_is_retried,
        a_session_that_failed_with_its_recording_is_finished_once_more_by_a_retry,
    ],
);
