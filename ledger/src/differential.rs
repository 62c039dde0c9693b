//! A store beside the reference: the same random commands to both, and the same answers from both.

use protocol::event::{LossCause, Transport};
use protocol::limits::ITEM_HEADER_BYTES_COUNTED;
use protocol::message::Opening;
use protocol::{
    Content, Epoch, Item, Marker, Millis, Seq, SeqSet, SessionId, SessionStatus, TokenHash,
    UnixMillis,
};

use crate::command::{By, Command, MadeOf};
use crate::conformance;
use crate::jobs::{JobEnd, Worker};
use crate::memory::Memory;
use crate::rules::Policy;
use crate::session::Session;
use crate::store::{Append, Ledger};
use crate::work::{Beside, Format, JobKey, Work};

/// What both are to be made with: a session is full before all numbers are stored.
pub const POLICY: Policy = Policy {
    session_bytes_max: (SEQS * 3 / 4) * ITEM_HEADER_BYTES_COUNTED as u64,
    ..conformance::POLICY
};

const START: UnixMillis = UnixMillis::new(1_795_257_600_000);
/// Few, so that commands meet.
const SESSIONS: u64 = 3;
const SEQS: u64 = 40;

/// Gives both the same `steps` random commands, the same ones each time for one seed. Tells the first
/// about which they do not agree.
pub async fn agree<L: Ledger>(
    ledger: &L,
    reference: &Memory,
    seed: u64,
    steps: usize,
) -> Result<(), String> {
    let mut dice = Dice(seed);
    let mut now = START;
    for step in 0..steps {
        now = now.plus(Millis::new(dice.below(60_000)));
        let id = SessionId::from_parts(START, [dice.below(SESSIONS) as u8; 10]);
        let told = format!("seed {seed}, step {step}");
        match dice.below(10) {
            0..=4 => {
                let known = reference.find(id).await.ok().flatten();
                let command = dice.command(known.as_ref());
                let found = ledger.apply(id, &command, now).await;
                let expected = reference.apply(id, &command, now).await;
                same(&format!("{told}: {command:?}"), found, expected)?;
            }
            5..=7 => {
                let appends = [dice.append(id), dice.append(id)];
                let appends: Vec<&Append> = appends.iter().collect();
                let found = ledger.append(&appends, now).await;
                let expected = reference.append(&appends, now).await;
                same(&format!("{told}: {appends:?}"), found, expected)?;
            }
            8 => {
                let (kind, by) = (dice.work().kind(), Worker(dice.below(2)));
                let found = ledger.claim(kind, by, now).await;
                let expected = reference.claim(kind, by, now).await;
                same(&format!("{told}: claim {kind:?}"), found, expected)?;
            }
            _ => {
                let key = JobKey::new(id, dice.work());
                let (by, end) = (Worker(dice.below(2)), dice.end());
                let found = ledger.end_job(key, by, end.clone(), now).await;
                let expected = reference.end_job(key, by, end.clone(), now).await;
                same(&format!("{told}: {key} {end:?}"), found, expected)?;
            }
        }
        compare(&told, ledger, reference, id, now).await?;
    }
    Ok(())
}

/// Everything that can be read.
async fn compare<L: Ledger>(
    told: &str,
    ledger: &L,
    reference: &Memory,
    id: SessionId,
    now: UnixMillis,
) -> Result<(), String> {
    let seqs: Vec<Seq> = (0..SEQS).map(Seq::new).collect();
    same(told, ledger.find(id).await, reference.find(id).await)?;
    same(told, ledger.digests(id, &seqs).await, reference.digests(id, &seqs).await)?;
    same(told, ledger.due(now, 10).await, reference.due(now, 10).await)?;
    for work in Work::all() {
        let key = JobKey::new(id, work);
        same(told, ledger.job(key).await, reference.job(key).await)?;
    }
    let sorted = |found: Vec<SessionId>| {
        let mut found = found;
        found.sort_unstable();
        found
    };
    let (found, expected) = (ledger.silent(None, 10).await, reference.silent(None, 10).await);
    same(told, found.map(sorted), expected.map(sorted))
}

fn same<T: PartialEq + std::fmt::Debug, E: std::fmt::Debug, N>(
    told: &str,
    found: Result<T, E>,
    expected: Result<T, N>,
) -> Result<(), String> {
    match (found, expected) {
        (Ok(found), Ok(expected)) if found == expected => Ok(()),
        (Ok(found), Ok(expected)) => {
            Err(format!("{told}\nfound    {found:?}\nexpected {expected:?}"))
        }
        (Err(error), _) => Err(format!("{told}: {error:?}")),
        (Ok(_), Err(_)) => Ok(()),
    }
}

/// The same numbers each time for one seed (splitmix64).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    fn token(&mut self) -> TokenHash {
        TokenHash([u8::from(self.once_in(12)); 32])
    }

    fn epoch(&mut self) -> Epoch {
        Epoch::new(self.below(4))
    }

    fn by(&mut self) -> By {
        match self.below(3) {
            0 => By::Writer(self.epoch()),
            1 => By::Candidate { token: self.token(), epoch: None },
            _ => By::Reviewer,
        }
    }

    fn status(&mut self) -> SessionStatus {
        let all = SessionStatus::ALL;
        all[self.below(all.len() as u64) as usize]
    }

    fn command(&mut self, known: Option<&Session>) -> Command {
        match self.below(19) {
            0 => Command::Create { token: self.token(), started_at: START },
            1..=3 => {
                let opening = match self.below(4) {
                    0 => Opening::New { started_at: START },
                    1 => Opening::Existing,
                    2 => Opening::Joining { epoch: self.epoch() },
                    _ => Opening::Following { epoch: self.epoch() },
                };
                let transport =
                    if self.once_in(3) { Transport::Http } else { Transport::WebSocket };
                Command::Open { token: self.token(), opening, transport }
            }
            4 => Command::Heartbeat { by: self.by() },
            5 | 6 => Command::LoseConnection { epoch: self.epoch(), cause: LossCause::Broken },
            7 => {
                let since = START.plus(Millis::new(self.below(2_000_000)));
                Command::NoteSilence { since: Some(since).filter(|_| self.once_in(2)) }
            }
            8..=10 => Command::CheckDeadline,
            11 | 12 => {
                let last_seq = self.once_in(2).then(|| Seq::new(self.below(SEQS)));
                let lost =
                    if self.once_in(2) { SeqSet::up_to(Seq::new(SEQS)) } else { SeqSet::new() };
                Command::Finish { by: self.by(), last_seq, lost }
            }
            13 => Command::RecordingPlayable { of: self.made_of(known) },
            14 if self.once_in(2) => Command::RecordingDone {
                of: self.made_of(known),
                duration: Millis::from_secs(3),
                bytes: 1_000,
                took: Millis::new(20),
                sounds: self.below(3) as u32,
            },
            14 => Command::RecordingFailed { reason: "no".into(), took: Millis::new(5) },
            15 => Command::Want {
                beside: match self.below(4) {
                    0 => Beside::Waveform,
                    1 => Beside::Mix,
                    _ => Beside::Export(self.format()),
                },
            },
            16 => Command::Retry { work: self.work() },
            17 => Command::SupplementMade {
                of: known.map(|known| known.late.clone()).unwrap_or_default(),
                duration: Millis::from_secs(1),
                bytes: 500,
                took: Millis::new(10),
            },
            _ if self.once_in(3) => Command::Delete,
            _ => Command::Discard { by: self.by() },
        }
    }

    /// Mostly of all that a recording is made of.
    fn made_of(&mut self, known: Option<&Session>) -> MadeOf {
        let items = known.map_or(0, |known| known.in_time().len());
        let items = if self.once_in(4) { items + 1 } else { items };
        MadeOf { began_in: self.status(), items }
    }

    fn append(&mut self, session: SessionId) -> Append {
        let by = self.by();
        let count = self.below(6);
        let item = |dice: &mut Self| {
            let content = if dice.once_in(8) { Marker::Paused } else { Marker::Resumed };
            let seq = Seq::new(dice.below(SEQS));
            Item::new(seq, Millis::new(seq.get() * 100), Content::Marker(content))
        };
        let transport = if self.once_in(2) { Transport::Http } else { Transport::WebSocket };
        Append { session, by, transport, items: (0..count).map(|_| item(self)).collect() }
    }

    /// Of few, so that their jobs meet.
    fn format(&mut self) -> Format {
        if self.once_in(2) { Format::Ogg } else { Format::Mp3 }
    }

    /// Most often that on which the session depends.
    fn work(&mut self) -> Work {
        match self.below(9) {
            0 => Work::Release,
            1 => Work::Erase,
            2 => Work::Waveform,
            3 => Work::Mix,
            4 => Work::Export(self.format()),
            5 => Work::Supplement,
            _ => Work::Assemble,
        }
    }

    fn end(&mut self) -> JobEnd {
        match self.below(5) {
            0 | 1 => JobEnd::Done,
            2 => JobEnd::Postponed("no room".into()),
            3 => JobEnd::BrokeOff("it broke off".into()),
            _ => JobEnd::Failed("never".into()),
        }
    }
}
