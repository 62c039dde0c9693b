//! What every [`Ledger`] has to do, as claims that are tried on it. A store's tests run [`all`]; the tests
//! of this crate break each rule on purpose and see that a claim notices.

mod late;

use std::future::Future;

use bytes::Bytes;
use protocol::event::{LossCause, Transport};
use protocol::item::ItemError;
use protocol::limits::counted_bytes;
use protocol::message::Opening;
use protocol::receiver::Verdict;
use protocol::{
    Content, Epoch, Event, Item, Millis, SegmentNo, Seq, SeqSet, SessionId, SessionStatus,
    TokenHash, TrackNo, UnixMillis,
};

use crate::command::{By, Command, MadeOf, Refused};
use crate::jobs::{Beside, JobEnd, JobKind, JobState, Worker};
use crate::limits::{HAVE_RANGES_MAX, JOB_LEASE, JOB_TRIES_MAX, SEQ_AHEAD_MAX};
use crate::rules::Policy;
use crate::session::Session;
use crate::store::{Append, Appended, Applied, Ledger};

/// What the ledgers of the suite are made with.
pub const POLICY: Policy = Policy {
    grace: Millis::from_secs(30),
    resume_window: Millis::from_secs(3_600),
    discarded_kept: Millis::from_secs(7_200),
    failed_kept: Millis::from_secs(14_400),
    session_bytes_max: 8 * 1024 * 1024,
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
        let claimed = self.ledger.claim(JobKind::Assemble, by, now).await;
        let claimed = claimed.map_err(|error| format!("{error:?}"))?;
        Ok(claimed.filter(|(id, _)| *id == self.id).map(|(_, job)| job.tries))
    }

    async fn end(&self, by: Worker, end: JobEnd, now: UnixMillis) -> Result<(), String> {
        let ended = self.ledger.end_job(self.id, JobKind::Assemble, by, end, now).await;
        ended.map(drop).map_err(|error| format!("{error:?}"))
    }

    async fn job_state(&self, kind: JobKind) -> Result<Option<JobState>, String> {
        let job = self.ledger.job(self.id, kind).await.map_err(|error| format!("{error:?}"))?;
        Ok(job.map(|job| job.state))
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
    ($($claim:ident,)+) => {
        /// The names of all claims.
        pub const CLAIMS: &[&str] = &[$(stringify!($claim),)+];

        /// Tries every claim on a ledger of its own that `make` makes, with [`POLICY`].
        pub async fn all<L: Ledger, F: Future<Output = L>>(
            make: impl Fn() -> F,
        ) -> Result<(), Broken> {
            $(
                let ledger = make().await;
                let trial = Trial { ledger: &ledger, id: SessionId::from_parts(START, [7; 10]) };
                let held = claims::$claim(&trial).await;
                held.map_err(|what| Broken { claim: stringify!($claim), what })?;
            )+
            Ok(())
        }
    };
}

claims!(
    a_session_is_made_by_its_first_hello_and_by_no_other,
    creating_it_again_with_the_same_token_is_no_error,
    another_token_opens_and_changes_nothing,
    each_writer_fences_off_the_one_before,
    a_hello_that_comes_late_fences_off_nobody,
    an_older_writer_stores_nothing,
    an_older_writer_neither_finishes_nor_discards_nor_gives_signs_of_life,
    a_request_that_names_its_epoch_is_fenced_off_too,
    an_item_is_stored_once,
    the_first_of_two_in_one_batch_wins,
    what_is_stored_is_told_in_ranges_and_sums,
    numbers_far_ahead_are_refused,
    holes_without_number_are_refused,
    a_session_grows_up_to_its_limit_and_headers_count,
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
    it_is_not_finished_while_items_are_missing,
    it_is_finished_without_what_is_lost,
    a_finish_far_above_what_came_is_refused,
    finishing_twice_is_no_error,
    only_a_recording_of_everything_completes_a_session,
    a_recording_of_a_session_that_goes_on_changes_no_status,
    a_recording_of_everything_is_drawn_and_its_sounds_are_mixed,
    what_is_missing_beside_a_recording_is_made_again,
    a_failed_session_may_be_finished_again_and_expires,
    what_is_completed_cannot_be_discarded,
    a_discarded_session_is_closed_and_erased_in_the_end,
    any_session_can_be_deleted,
    a_job_is_one_workers_at_a_time,
    a_job_that_is_wanted_while_it_runs_is_done_once_more,
    a_job_that_never_ends_is_poison,
    a_job_of_a_server_that_is_gone_is_free_again,
);

mod claims {
    pub(super) use super::late::*;
    use super::*;

    pub(super) async fn a_session_is_made_by_its_first_hello_and_by_no_other<L: Ledger>(
        trial: &Trial<'_, L>,
    ) -> Holds {
        let open = |opening| {
            let transport = Transport::WebSocket;
            Command::Open { token: TOKEN, opening, transport }
        };
        let following = Opening::Following { epoch: Epoch::new(0) };
        let joining = Opening::Joining { epoch: Epoch::new(0) };
        for opening in [Opening::Existing, following, joining] {
            trial.refused(open(opening), at(0), Refused::UnknownSession).await?;
        }
        trial.refused(lost(0), at(0), Refused::UnknownSession).await?;
        trial.refused(finish(By::Reviewer, None), at(0), Refused::UnknownSession).await?;
        let appended = trial.append(writer(0), vec![item(0)]).await?;
        same("an append", appended, Err(Refused::UnknownSession))?;
        let opened = trial.begun().await?;
        same("it is new", opened.is_new(), true)?;
        same("its epoch", opened.after.epoch, Epoch::new(1))?;
        same("its events", opened.events, vec![Event::Created])?;
        same("as it is found", trial.session().await?, opened.after)
    }

    pub(super) async fn creating_it_again_with_the_same_token_is_no_error<L: Ledger>(
        trial: &Trial<'_, L>,
    ) -> Holds {
        let first = trial.done(create(TOKEN), at(0)).await?;
        same("it is new", first.is_new(), true)?;
        let again = trial.done(create(TOKEN), at(5)).await?;
        same("it is new", again.is_new(), false)?;
        same("nothing changed", again.after, first.after)?;
        trial.refused(create(OTHER_TOKEN), at(5), Refused::WrongToken).await
    }

    pub(super) async fn another_token_opens_and_changes_nothing<L: Ledger>(
        trial: &Trial<'_, L>,
    ) -> Holds {
        let before = trial.begun().await?.after;
        let stranger = By::Candidate { token: OTHER_TOKEN, epoch: None };
        let transport = Transport::WebSocket;
        let opening = Opening::Existing;
        for command in [
            Command::Open { token: OTHER_TOKEN, opening, transport },
            Command::Heartbeat { by: stranger },
            finish(stranger, None),
            Command::Discard { by: stranger },
        ] {
            trial.refused(command, at(1), Refused::WrongToken).await?;
        }
        let appended = trial.append(stranger, vec![item(0)]).await?;
        same("an append", appended, Err(Refused::WrongToken))?;
        same("nothing changed", trial.session().await?, before)
    }

    pub(super) async fn each_writer_fences_off_the_one_before<L: Ledger>(
        trial: &Trial<'_, L>,
    ) -> Holds {
        trial.begun().await?;
        let second = trial.open(Opening::Existing, at(10)).await?;
        same("the second's epoch", second.after.epoch, Epoch::new(2))?;
        let following = Opening::Following { epoch: Epoch::new(2) };
        let third = trial.open(following, at(20)).await?;
        same("the third's epoch", third.after.epoch, Epoch::new(3))?;
        let joining = Opening::Joining { epoch: Epoch::new(3) };
        let joined = trial.open(joining, at(30)).await?;
        same("the epoch of one that joins", joined.after.epoch, Epoch::new(3))
    }

    pub(super) async fn a_hello_that_comes_late_fences_off_nobody<L: Ledger>(
        trial: &Trial<'_, L>,
    ) -> Holds {
        trial.begun().await?;
        trial.open(Opening::Existing, at(10)).await?;
        let open = |opening| {
            let transport = Transport::WebSocket;
            Command::Open { token: TOKEN, opening, transport }
        };
        let outdated = Refused::Outdated { current: Epoch::new(2) };
        let following = Opening::Following { epoch: Epoch::new(1) };
        let new = Opening::New { started_at: START };
        for opening in [following, new] {
            trial.refused(open(opening), at(20), outdated.clone()).await?;
        }
        let joining = Opening::Joining { epoch: Epoch::new(1) };
        trial.refused(open(joining), at(20), Refused::Fenced).await?;
        same("the epoch", trial.session().await?.epoch, Epoch::new(2))
    }

    pub(super) async fn an_older_writer_stores_nothing<L: Ledger>(trial: &Trial<'_, L>) -> Holds {
        trial.begun().await?;
        trial.open(Opening::Existing, at(10)).await?;
        let appended = trial.append(writer(1), vec![item(0)]).await?;
        same("an append", appended, Err(Refused::Fenced))?;
        same("what is stored", trial.session().await?.have, SeqSet::new())?;
        // A tail comes under a number that no other writer gives out.
        same("a tail", trial.verdict(candidate(None), item(0)).await?, Verdict::Stored)
    }

    pub(super) async fn an_older_writer_neither_finishes_nor_discards_nor_gives_signs_of_life<
        L: Ledger,
    >(
        trial: &Trial<'_, L>,
    ) -> Holds {
        trial.begun().await?;
        let newest = trial.open(Opening::Existing, at(10)).await?.after;
        for command in [
            finish(writer(1), None),
            Command::Discard { by: writer(1) },
            Command::Heartbeat { by: writer(1) },
        ] {
            trial.refused(command, at(20), Refused::Fenced).await?;
        }
        same("nothing changed", trial.session().await?, newest)
    }

    pub(super) async fn a_request_that_names_its_epoch_is_fenced_off_too<L: Ledger>(
        trial: &Trial<'_, L>,
    ) -> Holds {
        trial.begun().await?;
        trial.open(Opening::Existing, at(10)).await?;
        for command in [
            finish(candidate(Some(1)), None),
            Command::Discard { by: candidate(Some(1)) },
            Command::Heartbeat { by: candidate(Some(1)) },
        ] {
            trial.refused(command, at(20), Refused::Fenced).await?;
        }
        trial.done(Command::Heartbeat { by: candidate(Some(2)) }, at(20)).await?;
        trial.done(Command::Heartbeat { by: candidate(None) }, at(20)).await?;
        trial.done(finish(candidate(None), None), at(20)).await.map(drop)
    }

    pub(super) async fn an_item_is_stored_once<L: Ledger>(trial: &Trial<'_, L>) -> Holds {
        trial.begun().await?;
        trial.stores([0]).await?;
        let again = trial.verdict(writer(1), item(0)).await?;
        same("the same again", again, Verdict::Duplicate)?;
        let other = trial.verdict(writer(1), item_with(0, b"other")).await?;
        same("another one", other, Verdict::Refused(ItemError::DigestConflict))?;
        let stored = trial.ledger.digests(trial.id, &[Seq::new(0), Seq::new(1)]).await;
        let stored = stored.map_err(|error| format!("{error:?}"))?;
        same("what is stored", stored, vec![(Seq::new(0), item(0).digest)])
    }

    pub(super) async fn the_first_of_two_in_one_batch_wins<L: Ledger>(
        trial: &Trial<'_, L>,
    ) -> Holds {
        trial.begun().await?;
        let batch = vec![item(0), item(0), item_with(0, b"other"), item(1)];
        let judged = trial.append(writer(1), batch).await?;
        let verdicts = vec![
            (Seq::new(0), Verdict::Stored),
            (Seq::new(0), Verdict::Duplicate),
            (Seq::new(0), Verdict::Refused(ItemError::DigestConflict)),
            (Seq::new(1), Verdict::Stored),
        ];
        same("verdicts", judged, Ok(verdicts))?;
        let session = trial.session().await?;
        same("bytes", session.payload_bytes, 6)?;
        let two = [2_u64, 3].map(|seq| Append {
            session: trial.id,
            by: writer(1),
            transport: Transport::WebSocket,
            items: vec![item(2), item(seq)],
        });
        let both = trial.ledger.append(&[&two[0], &two[1]], at(1)).await;
        let both = both.map_err(|error| format!("{error:?}"))?;
        let first = vec![(Seq::new(2), Verdict::Stored), (Seq::new(2), Verdict::Duplicate)];
        let second = vec![(Seq::new(2), Verdict::Duplicate), (Seq::new(3), Verdict::Stored)];
        same("two batches at once", both, vec![Ok(first), Ok(second)])
    }

    pub(super) async fn what_is_stored_is_told_in_ranges_and_sums<L: Ledger>(
        trial: &Trial<'_, L>,
    ) -> Holds {
        trial.begun().await?;
        trial.stores([0, 1, 2, 7, 8]).await?;
        trial.stores([4]).await?;
        let session = trial.session().await?;
        let have: SeqSet = [0, 1, 2, 4, 7, 8].map(Seq::new).into_iter().collect();
        same("what is stored", session.have, have)?;
        same("bytes", session.payload_bytes, 18)?;
        same("the newest", session.captured, Millis::new(800))
    }

    pub(super) async fn numbers_far_ahead_are_refused<L: Ledger>(trial: &Trial<'_, L>) -> Holds {
        trial.begun().await?;
        let refused = Verdict::Refused(ItemError::SeqTooLarge);
        let past = trial.verdict(writer(1), item(SEQ_AHEAD_MAX + 1)).await?;
        same("one past the limit", past, refused)?;
        let at_the_limit = trial.verdict(writer(1), item(SEQ_AHEAD_MAX)).await?;
        same("at the limit", at_the_limit, Verdict::Stored)?;
        let past = trial.verdict(writer(1), item(2 * SEQ_AHEAD_MAX + 2)).await?;
        same("one past the next limit", past, refused)
    }

    pub(super) async fn holes_without_number_are_refused<L: Ledger>(trial: &Trial<'_, L>) -> Holds {
        trial.begun().await?;
        let most = HAVE_RANGES_MAX as u64;
        for first in (0..most).step_by(256) {
            trial.stores((first..(first + 256).min(most)).map(|nth| 2 * nth)).await?;
        }
        let another = trial.verdict(writer(1), item(2 * most)).await?;
        same("one more range", another, Verdict::Refused(ItemError::SeqTooLarge))?;
        let beside = trial.verdict(writer(1), item(2 * most - 1)).await?;
        same("beside the last range", beside, Verdict::Stored)?;
        let filling = trial.verdict(writer(1), item(1)).await?;
        same("between two ranges", filling, Verdict::Stored)?;
        let another = trial.verdict(writer(1), item(2 * most + 2)).await?;
        same("a range where there is room again", another, Verdict::Stored)
    }

    pub(super) async fn a_session_grows_up_to_its_limit_and_headers_count<L: Ledger>(
        trial: &Trial<'_, L>,
    ) -> Holds {
        trial.begun().await?;
        let half = POLICY.session_bytes_max / 2;
        same(
            "half of it",
            trial.verdict(writer(1), item_counted(0, half)).await?,
            Verdict::Stored,
        )?;
        let past = trial.verdict(writer(1), item_counted(1, half + 1)).await?;
        same("one byte past the limit", past, Verdict::SessionFull)?;
        let smaller = trial.verdict(writer(1), item_counted(1, half)).await?;
        same("at the limit", smaller, Verdict::Stored)?;
        let header = trial.verdict(writer(1), item_counted(2, 0)).await?;
        same("a header alone", header, Verdict::SessionFull)?;
        let again = trial.verdict(writer(1), item_counted(1, half)).await?;
        same("what is stored", again, Verdict::Duplicate)?;
        same("the status", trial.status().await?, SessionStatus::Active)?;
        same("what is stored", trial.session().await?.have, seqs(0..=1))?;
        trial.done(finish(writer(1), Some(1)), at(1_000)).await.map(drop)
    }

    pub(super) async fn a_lost_connection_interrupts_only_its_own_writers_session<L: Ledger>(
        trial: &Trial<'_, L>,
    ) -> Holds {
        trial.begun().await?;
        trial.open(Opening::Existing, at(10)).await?;
        trial.done(lost(1), at(20)).await?;
        same("after the older one", trial.status().await?, SessionStatus::Active)?;
        let applied = trial.done(lost(2), at(30)).await?;
        same("the status", applied.after.status, SessionStatus::Interrupted)?;
        same("away since", applied.after.away_since, Some(at(30)))?;
        same("the deadline", applied.after.deadline, Some(at(30).plus(POLICY.grace)))?;
        let event = Event::ConnectionLost { cause: LossCause::Broken };
        same("the events", applied.events, vec![event])?;
        let again = trial.done(lost(2), at(40)).await?;
        same("once more", again.after, applied.after)
    }

    pub(super) async fn silence_interrupts_an_active_session<L: Ledger>(
        trial: &Trial<'_, L>,
    ) -> Holds {
        trial.begun().await?;
        trial.done(Command::Heartbeat { by: writer(1) }, at(50)).await?;
        let silent = |since| trial.ledger.silent(Some(since), 10);
        let found = silent(at(49)).await.map_err(|error| format!("{error:?}"))?;
        same("silent before the last sign of life", found, Vec::new())?;
        trial.done(Command::NoteSilence { since: Some(at(49)) }, at(100)).await?;
        same("the status", trial.status().await?, SessionStatus::Active)?;
        let found = silent(at(50)).await.map_err(|error| format!("{error:?}"))?;
        same("silent since then", found, vec![trial.id])?;
        let noted = trial.done(Command::NoteSilence { since: Some(at(50)) }, at(100)).await?;
        same("the status", noted.after.status, SessionStatus::Interrupted)?;
        same("away since", noted.after.away_since, Some(at(50)))?;
        same("the deadline", noted.after.deadline, Some(at(100).plus(POLICY.grace)))?;
        let found = silent(at(200)).await.map_err(|error| format!("{error:?}"))?;
        same("silent once it is interrupted", found, Vec::new())
    }

    pub(super) async fn a_server_that_starts_interrupts_whatever_was_active<L: Ledger>(
        trial: &Trial<'_, L>,
    ) -> Holds {
        trial.begun().await?;
        let found = trial.ledger.silent(None, 10).await.map_err(|error| format!("{error:?}"))?;
        same("active", found, vec![trial.id])?;
        let noted = trial.done(Command::NoteSilence { since: None }, at(1)).await?;
        same("the status", noted.after.status, SessionStatus::Interrupted)?;
        let event = Event::ConnectionLost { cause: LossCause::ServerGone };
        same("the events", noted.events, vec![event])
    }

    pub(super) async fn a_writer_that_comes_back_makes_the_session_active_again<L: Ledger>(
        trial: &Trial<'_, L>,
    ) -> Holds {
        trial.left_alone().await?;
        let back = trial.open(Opening::Existing, at(5_000)).await?;
        same("the status", back.after.status, SessionStatus::Active)?;
        same("the deadline", back.after.deadline, None)?;
        same("away since", back.after.away_since, None)?;
        same("heard at", back.after.heard_at, at(5_000))?;
        let resumed = Event::Resumed { away_ms: Millis::new(4_000), within_grace: true };
        same("the events", back.events, vec![resumed])?;
        trial.done(lost(2), at(6_000)).await?;
        trial.done(Command::CheckDeadline, at(36_000)).await?;
        same("after the grace period", trial.status().await?, SessionStatus::Incomplete)?;
        let back = trial.open(Opening::Existing, at(66_000)).await?;
        same("the status", back.after.status, SessionStatus::Active)?;
        same("the deadline", back.after.deadline, None)?;
        let resumed = Event::Resumed { away_ms: Millis::new(60_000), within_grace: false };
        same("the events", back.events, vec![resumed])
    }

    pub(super) async fn a_sign_of_life_makes_the_session_active_again<L: Ledger>(
        trial: &Trial<'_, L>,
    ) -> Holds {
        trial.left_alone().await?;
        let back = trial.done(Command::Heartbeat { by: writer(1) }, at(2_000)).await?;
        same("the status", back.after.status, SessionStatus::Active)?;
        same("the deadline", back.after.deadline, None)?;
        same("heard at", back.after.heard_at, at(2_000))?;
        // A clock that goes back makes nobody silent.
        let back = trial.done(Command::Heartbeat { by: writer(1) }, at(1_500)).await?;
        same("heard at", back.after.heard_at, at(2_000))
    }

    pub(super) async fn what_comes_over_http_leaves_the_connection_alone<L: Ledger>(
        trial: &Trial<'_, L>,
    ) -> Holds {
        trial.left_alone().await?;
        let before = trial.session().await?;
        for opening in [Opening::Joining { epoch: Epoch::new(1) }, Opening::Existing] {
            let transport = Transport::Http;
            let open = Command::Open { token: TOKEN, opening, transport };
            let opened = trial.done(open, at(2_000)).await?;
            let expected = Session { epoch: opened.after.epoch, ..before.clone() };
            same("the session", opened.after, expected)?;
            same("the events", opened.events, Vec::new())?;
        }
        let newest = trial.session().await?;
        same("its epoch", newest.epoch, Epoch::new(2))?;
        trial.append(writer(2), vec![item(3)]).await?.map_err(|refused| refused.to_string())?;
        trial.append(candidate(None), vec![item(4)]).await?.map_err(|one| one.to_string())?;
        let after = trial.session().await?;
        same("the items", after.have.clone(), seqs(0..=4))?;
        let link = |one: &Session| (one.status, one.heard_at, one.away_since, one.deadline);
        same("its connection", link(&after), link(&before))
    }

    pub(super) async fn items_of_a_connection_are_signs_of_life<L: Ledger>(
        trial: &Trial<'_, L>,
    ) -> Holds {
        trial.begun().await?;
        let heard_at = async || Ok::<_, String>(trial.session().await?.heard_at);
        let append = async |transport, seq, now| {
            let appended = trial.append_over(transport, writer(1), vec![item(seq)], now).await?;
            appended.map(drop).map_err(|refused| refused.to_string())
        };
        append(Transport::WebSocket, 0, at(7_000)).await?;
        same("after an item", heard_at().await?, at(7_000))?;
        append(Transport::Http, 1, at(8_000)).await?;
        same("after one over HTTP", heard_at().await?, at(7_000))?;
        // A clock that was set back does not make it older.
        append(Transport::WebSocket, 2, at(1_000)).await?;
        same("after one by a clock that went back", heard_at().await?, at(7_000))
    }

    pub(super) async fn grace_and_resume_window_end_at_their_deadlines<L: Ledger>(
        trial: &Trial<'_, L>,
    ) -> Holds {
        trial.left_alone().await?;
        let grace_over = at(1_000).plus(POLICY.grace);
        let due = |now| trial.ledger.due(now, 10);
        let just_before = UnixMillis::new(grace_over.get() - 1);
        let found = due(just_before).await.map_err(|error| format!("{error:?}"))?;
        same("due before", found, Vec::new())?;
        trial.done(Command::CheckDeadline, just_before).await?;
        same("the status", trial.status().await?, SessionStatus::Interrupted)?;
        let found = due(grace_over).await.map_err(|error| format!("{error:?}"))?;
        same("due then", found, vec![trial.id])?;
        let over = trial.done(Command::CheckDeadline, grace_over).await?;
        same("the status", over.after.status, SessionStatus::Incomplete)?;
        same("the events", over.events, vec![Event::GraceOver])?;
        let window_over = grace_over.plus(POLICY.resume_window);
        same("the deadline", over.after.deadline, Some(window_over))?;
        trial.done(Command::CheckDeadline, UnixMillis::new(window_over.get() - 1)).await?;
        same("the status", trial.status().await?, SessionStatus::Incomplete)?;
        let over = trial.done(Command::CheckDeadline, window_over).await?;
        same("the status", over.after.status, SessionStatus::Finalizing)?;
        same("the events", over.events, vec![Event::ResumeWindowOver])?;
        same("the deadline", over.after.deadline, None)
    }

    pub(super) async fn a_recording_is_due_in_the_moment_when_the_grace_period_ends<L: Ledger>(
        trial: &Trial<'_, L>,
    ) -> Holds {
        trial.left_alone().await?;
        let assemble = || trial.job_state(JobKind::Assemble);
        same("before", assemble().await?, None)?;
        trial.done(Command::CheckDeadline, at(31_000)).await?;
        same("then", assemble().await?, Some(JobState::Waiting))?;
        same("it is begun", trial.claim(Worker(1), at(31_000)).await?, Some(1))?;
        trial.end(Worker(1), JobEnd::Done, at(32_000)).await?;
        same("once it is done", assemble().await?, None)?;
        let window_over = at(31_000).plus(POLICY.resume_window);
        trial.done(Command::CheckDeadline, window_over).await?;
        same("after the resume window", assemble().await?, Some(JobState::Waiting))
    }

    pub(super) async fn a_session_that_was_never_used_is_erased<L: Ledger>(
        trial: &Trial<'_, L>,
    ) -> Holds {
        trial.begun().await?;
        trial.done(lost(1), at(0)).await?;
        trial.done(Command::CheckDeadline, at(30_000)).await?;
        same("a recording", trial.job_state(JobKind::Assemble).await?, None)?;
        same("the status", trial.status().await?, SessionStatus::Incomplete)?;
        let over = trial.done(Command::CheckDeadline, at(30_000).plus(POLICY.resume_window));
        same("the status", over.await?.after.status, SessionStatus::Discarded)?;
        let erase = trial.job_state(JobKind::Erase).await?;
        same("erasing", erase, Some(JobState::Waiting))
    }

    pub(super) async fn it_is_not_finished_while_items_are_missing<L: Ledger>(
        trial: &Trial<'_, L>,
    ) -> Holds {
        trial.begun().await?;
        trial.stores([0, 2]).await?;
        let missing = Refused::Missing([1, 3].map(Seq::new).into_iter().collect());
        trial.refused(finish(writer(1), Some(3)), at(1), missing).await?;
        same("the status", trial.status().await?, SessionStatus::Active)?;
        trial.stores([1, 3]).await?;
        let done = trial.done(finish(writer(1), Some(3)), at(2)).await?;
        same("the status", done.after.status, SessionStatus::Finalizing)?;
        same("the last item", done.after.last_seq, Some(Seq::new(3)))?;
        let assemble = trial.job_state(JobKind::Assemble).await?;
        same("a recording", assemble, Some(JobState::Waiting))
    }

    pub(super) async fn it_is_finished_without_what_is_lost<L: Ledger>(
        trial: &Trial<'_, L>,
    ) -> Holds {
        trial.begun().await?;
        trial.stores([0, 2]).await?;
        let lost = seqs(1..=1);
        let finish = Command::Finish { by: writer(1), last_seq: Some(Seq::new(2)), lost };
        let done = trial.done(finish, at(1)).await?;
        same("the status", done.after.status, SessionStatus::Finalizing)?;
        same("what is missing", done.after.missing(), seqs(1..=1))
    }

    pub(super) async fn a_finish_far_above_what_came_is_refused<L: Ledger>(
        trial: &Trial<'_, L>,
    ) -> Holds {
        trial.begun().await?;
        trial.stores([0]).await?;
        let last = SEQ_AHEAD_MAX + 1;
        let finish = |last| Command::Finish {
            by: writer(1),
            last_seq: Some(Seq::new(last)),
            lost: SeqSet::up_to(Seq::new(last)),
        };
        trial.refused(finish(last + 1), at(1), Refused::TooFarAhead).await?;
        trial.done(finish(last), at(1)).await.map(drop)
    }

    pub(super) async fn finishing_twice_is_no_error<L: Ledger>(trial: &Trial<'_, L>) -> Holds {
        trial.finalizing().await?;
        let again = trial.done(finish(writer(1), Some(2)), at(1_500)).await?;
        same("the status", again.after.status, SessionStatus::Finalizing)?;
        same("the events", again.events, Vec::new())?;
        let made = trial.made(SessionStatus::Finalizing).await?;
        let again = trial.done(finish(writer(1), Some(2)), at(3_000)).await?;
        same("once it is completed", again.after, made.after)
    }

    pub(super) async fn only_a_recording_of_everything_completes_a_session<L: Ledger>(
        trial: &Trial<'_, L>,
    ) -> Holds {
        trial.finalizing().await?;
        for command in [
            recording_playable(SessionStatus::Active),
            recording_done(SessionStatus::Active),
            recording_done(SessionStatus::Incomplete),
        ] {
            trial.refused(command, at(2_000), Refused::RecordingOutdated).await?;
        }
        same("the status", trial.status().await?, SessionStatus::Finalizing)?;
        let made = trial.made(SessionStatus::Finalizing).await?;
        same("the status", made.after.status, SessionStatus::Completed)?;
        same("it can be played", made.after.playable, true)?;
        let complete = |event: &Event| matches!(event, Event::RecordingMade { complete: true, .. });
        same("it is told", made.events.iter().any(complete), true)?;
        let release = trial.job_state(JobKind::Release).await?;
        same("its chunks may go", release, Some(JobState::Waiting))
    }

    pub(super) async fn a_recording_of_a_session_that_goes_on_changes_no_status<L: Ledger>(
        trial: &Trial<'_, L>,
    ) -> Holds {
        trial.left_alone().await?;
        trial.done(Command::CheckDeadline, at(31_000)).await?;
        let made = trial.made(SessionStatus::Incomplete).await?;
        same("the status", made.after.status, SessionStatus::Incomplete)?;
        same("it can be played", made.after.playable, true)?;
        same("its chunks may go", trial.job_state(JobKind::Release).await?, None)?;
        let failed = trial.done(recording_failed(), at(32_000)).await?;
        same("once another one failed", failed.after.status, SessionStatus::Incomplete)
    }

    pub(super) async fn a_recording_of_everything_is_drawn_and_its_sounds_are_mixed<L: Ledger>(
        trial: &Trial<'_, L>,
    ) -> Holds {
        let waiting = Some(JobState::Waiting);
        for (sounds, drawn, mixed) in [(0, None, None), (1, waiting, None), (2, waiting, waiting)] {
            let id = SessionId::from_parts(START, [sounds as u8; 10]);
            let of_another = Trial { ledger: trial.ledger, id };
            of_another.finalizing().await?;
            let began_in = SessionStatus::Finalizing;
            of_another.done(recording_done_of(sounds, began_in), at(2_000)).await?;
            let told = |what| format!("{what} a recording of {sounds} sounds");
            same(&told("drawing"), of_another.job_state(JobKind::Waveform).await?, drawn)?;
            same(&told("mixing"), of_another.job_state(JobKind::Mix).await?, mixed)?;
        }
        trial.left_alone().await?;
        trial.done(Command::CheckDeadline, at(31_000)).await?;
        let began_in = SessionStatus::Incomplete;
        trial.done(recording_playable(began_in), at(32_000)).await?;
        trial.done(recording_done_of(2, began_in), at(32_000)).await?;
        same("drawing half of it", trial.job_state(JobKind::Waveform).await?, None)?;
        same("mixing half of it", trial.job_state(JobKind::Mix).await?, None)
    }

    pub(super) async fn what_is_missing_beside_a_recording_is_made_again<L: Ledger>(
        trial: &Trial<'_, L>,
    ) -> Holds {
        let want = |beside| Command::Want { beside };
        let both = [Beside::Waveform, Beside::Mix];
        for beside in both {
            trial.refused(want(beside), at(0), Refused::UnknownSession).await?;
        }
        trial.left_alone().await?;
        for beside in both {
            trial.refused(want(beside), at(2_000), Refused::NoRecording).await?;
        }
        let began_in = SessionStatus::Interrupted;
        let before = trial.done(recording_playable(began_in), at(2_000)).await?.after;
        let jobs = async || {
            let drawing = trial.job_state(JobKind::Waveform).await?;
            Ok::<_, String>((drawing, trial.job_state(JobKind::Mix).await?))
        };
        trial.done(want(Beside::Waveform), at(3_000)).await?;
        same("once it is to be drawn", jobs().await?, (Some(JobState::Waiting), None))?;
        let wanted = trial.done(want(Beside::Mix), at(3_000)).await?;
        let waiting = Some(JobState::Waiting);
        same("once it is to be mixed, too", jobs().await?, (waiting, waiting))?;
        same("nothing else changed", (wanted.after, wanted.events), (before, Vec::new()))?;
        trial.done(Command::Delete, at(4_000)).await?;
        for beside in both {
            trial.refused(want(beside), at(5_000), Refused::NoRecording).await?;
        }
        Ok(())
    }

    pub(super) async fn a_failed_session_may_be_finished_again_and_expires<L: Ledger>(
        trial: &Trial<'_, L>,
    ) -> Holds {
        trial.finalizing().await?;
        let failed = trial.done(recording_failed(), at(2_000)).await?;
        same("the status", failed.after.status, SessionStatus::Failed)?;
        let expires = at(2_000).plus(POLICY.failed_kept);
        same("the deadline", failed.after.deadline, Some(expires))?;
        let again = trial.done(finish(writer(1), Some(2)), at(3_000)).await?;
        same("the status", again.after.status, SessionStatus::Finalizing)?;
        same("the deadline", again.after.deadline, None)?;
        trial.done(recording_failed(), at(2_000)).await?;
        trial.done(Command::CheckDeadline, UnixMillis::new(expires.get() - 1)).await?;
        same("the status", trial.status().await?, SessionStatus::Failed)?;
        trial.done(Command::CheckDeadline, expires).await?;
        same("in the end", trial.status().await?, SessionStatus::Discarded)
    }

    pub(super) async fn what_is_completed_cannot_be_discarded<L: Ledger>(
        trial: &Trial<'_, L>,
    ) -> Holds {
        trial.finalizing().await?;
        let discard = || Command::Discard { by: By::Reviewer };
        let illegal = trial.apply(discard(), at(1_500)).await?;
        same("while it is finalizing", matches!(illegal, Err(Refused::Illegal(_))), true)?;
        let made = trial.made(SessionStatus::Finalizing).await?;
        let illegal = trial.apply(discard(), at(3_000)).await?;
        same("once it is completed", matches!(illegal, Err(Refused::Illegal(_))), true)?;
        same("nothing changed", trial.session().await?, made.after)
    }

    pub(super) async fn a_discarded_session_is_closed_and_erased_in_the_end<L: Ledger>(
        trial: &Trial<'_, L>,
    ) -> Holds {
        trial.begun().await?;
        trial.stores(0..3).await?;
        let discarded = trial.done(Command::Discard { by: writer(1) }, at(1_000)).await?;
        same("the status", discarded.after.status, SessionStatus::Discarded)?;
        same("the events", discarded.events, vec![Event::Discarded])?;
        let erase = trial.job_state(JobKind::Erase).await?;
        same("erasing", erase, Some(JobState::Waiting))?;
        let again = trial.done(Command::Discard { by: writer(1) }, at(2_000)).await?;
        same("once more", (again.after, again.events), (discarded.after.clone(), Vec::new()))?;
        let transport = Transport::WebSocket;
        let open = Command::Open { token: TOKEN, opening: Opening::Existing, transport };
        trial.refused(open, at(2_000), Refused::Discarded).await?;
        let refused = trial.verdict(writer(1), item(3)).await?;
        same("an item", refused, Verdict::Refused(ItemError::SessionFinished))?;
        let playable = recording_playable(SessionStatus::Finalizing);
        trial.refused(playable, at(2_000), Refused::RecordingOutdated).await?;
        let gone = at(1_000).plus(POLICY.discarded_kept);
        same("the deadline", discarded.after.deadline, Some(gone))?;
        let checked = trial.done(Command::CheckDeadline, gone).await?;
        same("the deadline", checked.after.deadline, None)
    }

    pub(super) async fn any_session_can_be_deleted<L: Ledger>(trial: &Trial<'_, L>) -> Holds {
        trial.finalizing().await?;
        trial.made(SessionStatus::Finalizing).await?;
        let deleted = trial.done(Command::Delete, at(3_000)).await?;
        same("the status", deleted.after.status, SessionStatus::Discarded)?;
        same("the deadline", deleted.after.deadline, Some(at(3_000)))?;
        same("it can be played", deleted.after.playable, false)?;
        let erase = trial.job_state(JobKind::Erase).await?;
        same("erasing", erase, Some(JobState::Waiting))
    }

    pub(super) async fn a_job_is_one_workers_at_a_time<L: Ledger>(trial: &Trial<'_, L>) -> Holds {
        trial.finalizing().await?;
        same("the first", trial.claim(Worker(1), at(1_000)).await?, Some(1))?;
        same("the second", trial.claim(Worker(2), at(1_000)).await?, None)?;
        let renew = |by, now| trial.ledger.renew(trial.id, JobKind::Assemble, by, 500, now);
        let late = at(1_000).plus(JOB_LEASE);
        let renewed = renew(Worker(1), late).await.map_err(|error| format!("{error:?}"))?;
        same("it still works on it", renewed, true)?;
        let renewed = renew(Worker(2), late).await.map_err(|error| format!("{error:?}"))?;
        same("somebody else does", renewed, false)?;
        trial.end(Worker(2), JobEnd::Done, late).await?;
        let running = JobState::Running { by: Worker(1), until: late.plus(JOB_LEASE) };
        same("the job", trial.job_state(JobKind::Assemble).await?, Some(running))?;
        trial.end(Worker(1), JobEnd::Postponed("no room".into()), late).await?;
        same("at once", trial.claim(Worker(2), late).await?, None)?;
        let a_second_later = late.plus(Millis::from_secs(1));
        same("a second later", trial.claim(Worker(2), a_second_later).await?, Some(1))
    }

    pub(super) async fn a_job_that_is_wanted_while_it_runs_is_done_once_more<L: Ledger>(
        trial: &Trial<'_, L>,
    ) -> Holds {
        trial.left_alone().await?;
        trial.done(Command::CheckDeadline, at(31_000)).await?;
        same("the first", trial.claim(Worker(1), at(31_000)).await?, Some(1))?;
        trial.done(finish(writer(1), Some(2)), at(32_000)).await?;
        trial.end(Worker(1), JobEnd::Done, at(33_000)).await?;
        same("once more", trial.claim(Worker(1), at(33_000)).await?, Some(1))?;
        trial.end(Worker(1), JobEnd::Done, at(34_000)).await?;
        same("never more", trial.claim(Worker(1), at(35_000)).await?, None)
    }

    pub(super) async fn a_job_that_never_ends_is_poison<L: Ledger>(trial: &Trial<'_, L>) -> Holds {
        trial.finalizing().await?;
        let mut now = at(1_000);
        for tries in 1..=JOB_TRIES_MAX + 1 {
            same("the try", trial.claim(Worker(tries.into()), now).await?, Some(tries))?;
            same("at once again", trial.claim(Worker(9), now).await?, None)?;
            now = now.plus(Millis::from_secs(3_600));
        }
        let failed = JobEnd::Failed("it ended the server".into());
        trial.end(Worker(u64::from(JOB_TRIES_MAX) + 1), failed, now).await?;
        let assemble = || trial.job_state(JobKind::Assemble);
        same("the job", assemble().await?, Some(JobState::Stopped))?;
        trial.done(recording_failed(), now).await?;
        trial.done(finish(writer(1), Some(2)), now).await?;
        let tries = trial.claim(Worker(1), now).await?;
        same("if the candidate asks", tries, Some(JOB_TRIES_MAX + 2))?;
        trial.end(Worker(1), JobEnd::Failed("the same".into()), now).await?;
        trial.done(recording_failed(), now).await?;
        trial.done(finish(By::Reviewer, None), now).await?;
        let tries = trial.claim(Worker(1), now).await?;
        same("if a reviewer asks", tries, Some(JOB_TRIES_MAX))
    }

    pub(super) async fn a_job_of_a_server_that_is_gone_is_free_again<L: Ledger>(
        trial: &Trial<'_, L>,
    ) -> Holds {
        trial.finalizing().await?;
        same("the first", trial.claim(Worker(1), at(1_000)).await?, Some(1))?;
        let expired = trial.ledger.expire_jobs(at(2_000)).await;
        same("expired", expired.map_err(|error| format!("{error:?}"))?, 1)?;
        same("at once", trial.claim(Worker(2), at(2_000)).await?, None)?;
        same("after the wait", trial.claim(Worker(2), at(4_000)).await?, Some(2))
    }
}
