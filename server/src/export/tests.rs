//! About what an export will take, and how many there may be.

use ledger::jobs::Worker;
use ledger::{Command, JobKind};
use protocol::{Millis, SessionId, TrackNo, UnixMillis};

use super::*;
use crate::store::TrackFile;
use crate::testing::World;

const HOUR: u64 = 3_600 * 1_000;

fn recording() -> Recording {
    Recording {
        key: "recordings/a/b.webm".to_owned(),
        mime: "audio/webm".to_owned(),
        bytes: 1_000_000,
        digest: None,
        duration: Millis::new(HOUR),
        left_out: 0,
    }
}

fn session(captured: Millis) -> Session {
    let at = UnixMillis::new(0);
    Session {
        id: SessionId::from_parts(at, [0; 10]),
        status: SessionStatus::Completed,
        created_at: at,
        started_at: at,
        last_heartbeat_at: at,
        completed_at: Some(at),
        last_seq: None,
        have: protocol::SeqSet::up_to(protocol::Seq::ZERO),
        late: protocol::SeqSet::new(),
        payload_bytes: 1_000_000,
        captured,
        loudest: None,
        recording: Some(recording()),
        failure: None,
    }
}

fn going_on() -> CancellationToken {
    CancellationToken::new()
}

fn voice(track: u8) -> TrackFile {
    let Recording { key, mime, bytes, duration, .. } = recording();
    let (track, duration) = (TrackNo::new(track), Some(duration));
    TrackFile { track, part: 0, key, mime, bytes, duration, sounds: 1 }
}

#[test]
fn a_timeline_takes_the_room_of_its_silence_too_for_each_voice_and_up_to_the_limit() {
    let silence = |hours: u64, voices: &[TrackFile]| {
        let session = session(Millis::new(hours * HOUR));
        let room = form::room(Format::Timeline, &session, &recording(), voices);
        (room - recording().bytes) / (media::limits::SILENCE_BYTES_PER_SECOND_MAX * 3_600)
    };
    let two = [voice(0), voice(1)];
    assert_eq!((silence(2, &[]), silence(2, &two)), (2, 4));
    assert_eq!((silence(20, &[]), silence(20, &two)), (20, 40));
    assert_eq!((silence(31 * 24, &[]), silence(31 * 24, &two)), (24, 48));
}

#[tokio::test]
async fn as_many_exports_as_the_limit_may_be_open_and_no_more() {
    const FORMATS: [Format; 3] = [Format::Timeline, Format::Ogg, Format::Zip];
    let world = World::new().await;
    let mut wanted = Vec::new();
    for number in 0..=(OPEN_MAX as u8 / 3) {
        let (id, recording) = world.completed(number).await;
        wanted.extend(FORMATS.map(|format| (id, recording.clone(), format)));
    }
    let start = async |(id, recording, format): &(SessionId, Recording, Format)| {
        world.exports.start(*id, recording, *format).await
    };
    let (open, past) = wanted.split_at(OPEN_MAX as usize);
    for one in open {
        assert_eq!(start(one).await, Ok(()));
    }
    assert_eq!(start(&past[0]).await, Err(ExportError::TooMany));
    assert_eq!(start(&open[0]).await, Ok(()), "it is one of them");
    let (me, now) = (Worker(1), clock::wall());
    let (key, _) = world.store.claim(JobKind::Export, me, now).await.unwrap().unwrap();
    assert_eq!(start(&past[0]).await, Err(ExportError::TooMany), "one of them is made");
    world.store.end_job(key, me, JobEnd::Failed("no".into()), now).await.unwrap();
    assert_eq!(start(&past[0]).await, Ok(()), "what failed is not open");
}

#[tokio::test]
async fn an_export_that_has_to_wait_says_why_and_is_due_at_once_when_somebody_asks() {
    let world = World::new().await;
    let (id, recording) = world.completed(1).await;
    let standing = async || world.exports.standing(id, &recording, Format::Ogg).await.unwrap();
    let me = Worker(1);
    let claim = async || world.store.claim(JobKind::Export, me, clock::wall()).await.unwrap();
    assert_eq!(standing().await, Standing::NotMade);
    world.exports.start(id, &recording, Format::Ogg).await.unwrap();
    assert_eq!(standing().await, Standing::Making { thousandths: 0 });
    let (key, _) = claim().await.unwrap();
    world.store.renew(key, me, 437, clock::wall()).await.unwrap();
    assert_eq!(standing().await, Standing::Making { thousandths: 437 });
    let full = ExportError::DiskFull.end();
    world.store.end_job(key, me, full, clock::wall()).await.unwrap();
    assert_eq!(standing().await, Standing::PutOff(ExportError::DiskFull));
    assert_eq!(claim().await, None);
    world.exports.start(id, &recording, Format::Ogg).await.unwrap();
    assert_eq!(standing().await, Standing::Making { thousandths: 0 });
    assert!(claim().await.is_some());
}

#[tokio::test]
async fn of_a_deleted_session_no_export_is_made_or_known() {
    let world = World::new().await;
    let (id, recording) = world.completed(1).await;
    world.exports.start(id, &recording, Format::Zip).await.unwrap();
    let made = world.exports.make(id, Format::Zip, &Progress::default(), &going_on()).await;
    assert_eq!(made, JobEnd::Done);
    let file = world.folder.path().join(form::key(Format::Zip, &recording));
    assert!(file.exists());
    world.exports.start(id, &recording, Format::Ogg).await.unwrap();
    world.tell(id, Command::Delete).await;
    assert_eq!(world.recordings.erase(id).await, JobEnd::Done);
    assert!(!file.exists());
    assert_eq!(world.store.jobs(10).await.unwrap(), []);
    for format in [Format::Zip, Format::Ogg] {
        let made = world.exports.make(id, format, &Progress::default(), &going_on()).await;
        assert_eq!(made, JobEnd::Done);
    }
    assert!(!file.exists());
}

#[tokio::test]
async fn an_export_that_is_cut_off_leaves_nothing_and_is_no_failure() {
    let world = World::new().await;
    let (id, recording) = world.completed(1).await;
    let stopping = going_on();
    stopping.cancel();
    let made = world.exports.make(id, Format::Zip, &Progress::default(), &stopping).await;
    assert_eq!(made, JobEnd::HandedBack);
    assert!(!world.folder.path().join(form::key(Format::Zip, &recording)).exists());
    assert_eq!(std::fs::read_dir(&world.scratch).unwrap().count(), 0);
}
