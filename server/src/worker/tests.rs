//! What goes, and above all what must not.

use ledger::conformance::POLICY;
use ledger::jobs::JobState;
use ledger::{By, Command, Ledger as _};
use protocol::{SessionId, UnixMillis};

use super::*;
use crate::clock;
use crate::testing::{START, World};

impl World {
    /// Does every job that is due, one after the other.
    async fn do_all(&self) {
        for kind in [JobKind::Release, JobKind::Erase] {
            while let Some((key, job)) = self.leases.claim(kind).await.unwrap() {
                let permit = Arc::clone(&self.worker.0.permits).acquire_owned().await.unwrap();
                self.worker.do_job(key, job, permit).await;
            }
        }
    }

    async fn release_job(&self, id: SessionId) -> Option<JobState> {
        self.store.job(JobKey::new(id, Work::Release)).await.unwrap().map(|job| job.state)
    }

    async fn discard(&self, id: SessionId) {
        self.tell(id, Command::Discard { by: By::Reviewer }).await;
    }
}

#[tokio::test]
async fn the_chunks_go_once_the_recording_is_there() {
    let world = World::new().await;
    let (id, recording) = world.completed(1).await;
    assert_eq!(world.payloads(id).await, 3);
    world.do_all().await;
    assert_eq!((world.payloads(id).await, world.release_job(id).await), (0, None));
    assert!(world.folder.path().join(&recording.key).exists());
}

#[tokio::test]
async fn the_chunks_stay_while_the_recording_is_missing_or_of_another_size() {
    let world = World::new().await;
    for (number, bytes) in [(1, None), (2, Some(&b"half of"[..]))] {
        let (id, recording) = world.completed(number).await;
        match bytes {
            None => std::fs::remove_file(world.folder.path().join(&recording.key)).unwrap(),
            Some(bytes) => drop(world.write(&recording.key, bytes)),
        }
        world.do_all().await;
        assert_eq!(world.payloads(id).await, 3);
        assert_eq!(world.release_job(id).await, Some(JobState::Stopped), "and somebody is told");
    }
}

#[tokio::test]
async fn the_chunks_stay_while_the_file_of_a_single_track_is_missing() {
    let world = World::new().await;
    let (id, _) = world.completed_with(1, &[0, 1]).await;
    let second = world.folder.path().join(format!("recordings/{id}/track1.webm"));
    std::fs::remove_file(&second).unwrap();
    world.do_all().await;
    assert_eq!(world.payloads(id).await, 3);
}

#[tokio::test]
async fn the_chunks_of_a_session_that_is_not_completed_stay() {
    let world = World::new().await;
    for id in [world.incomplete(1, 3).await, world.failed(2, 3).await] {
        assert_eq!(world.recordings.release(id).await, JobEnd::Done);
        assert_eq!(world.recordings.erase(id).await, JobEnd::Done);
        world.do_all().await;
        assert_eq!(world.payloads(id).await, 3);
    }
}

#[tokio::test]
async fn a_discarded_session_is_emptied_at_once_and_remembered_for_a_while() {
    let world = World::new().await;
    let id = world.incomplete(1, 1_200).await;
    let file = world.write(&format!("recordings/{id}/partial.webm"), b"half of it");
    world.discard(id).await;
    world.store.erase_payloads(id).await.unwrap();
    assert_eq!(world.payloads(id).await, 0);
    assert!(world.exists(id).await);
    // By the clock of the machine its time is over.
    assert!(clock::wall() > START.plus(POLICY.discarded_kept), "the clock is wrong");
    world.do_all().await;
    assert!(!world.exists(id).await && !file.exists());
    assert!(world.store.events(id).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_discarded_session_whose_time_is_not_over_keeps_its_row_alone() {
    let world = World::new().await;
    let id = world.incomplete(1, 3).await;
    let file = world.write(&format!("recordings/{id}/partial.webm"), b"half of it");
    let discard = Command::Discard { by: By::Reviewer };
    world.tell_at(id, discard, clock::wall()).await;
    world.do_all().await;
    assert!(world.exists(id).await && !file.exists());
    assert_eq!(world.payloads(id).await, 0);
}

#[tokio::test]
async fn nothing_of_a_deleted_session_is_left_and_nothing_of_the_others_goes() {
    let world = World::new().await;
    let (gone, _) = world.completed_with(1, &[0, 1]).await;
    let (kept, recording) = world.completed(2).await;
    world.tell(gone, Command::Delete).await;
    world.do_all().await;
    assert!(!world.exists(gone).await);
    assert!(!world.folder.path().join(format!("recordings/{gone}/this.webm")).exists());
    assert!(world.exists(kept).await);
    assert!(world.folder.path().join(&recording.key).exists());
}

#[tokio::test]
async fn a_failed_session_expires_in_the_end() {
    let world = World::new().await;
    let id = world.failed(1, 3).await;
    let expires = START.plus(POLICY.failed_kept);
    world.tell_at(id, Command::CheckDeadline, UnixMillis::new(expires.get() - 1)).await;
    world.do_all().await;
    assert_eq!(world.payloads(id).await, 3);
    world.tell_at(id, Command::CheckDeadline, expires).await;
    world.do_all().await;
    assert!(!world.exists(id).await);
}

#[tokio::test]
async fn an_event_of_a_session_that_is_gone_is_no_error() {
    let world = World::new().await;
    let id = world.failed(1, 0).await;
    world.tell(id, Command::Delete).await;
    world.do_all().await;
    let event = protocol::Event::Discarded;
    let late = crate::store::NewEvent { session: id, at: START, place: None, event };
    world.store.log_events(&[late]).await.unwrap();
    assert!(world.store.events(id).await.unwrap().is_empty());
}

async fn waiting(world: &World, id: SessionId) -> Vec<Work> {
    let jobs = world.store.jobs_of(id).await.unwrap();
    let waiting = jobs.into_iter().filter(|one| one.job.state == JobState::Waiting);
    waiting.map(|one| one.key.work).collect()
}

#[tokio::test]
async fn no_other_job_waits_for_one_that_decodes() {
    let world = World::new().await;
    let (id, _) = world.completed(1).await;
    let due = [Work::Assemble, Work::Release, Work::Waveform];
    assert_eq!(waiting(&world, id).await, due);
    let worker = &world.worker;
    let _one_is_drawn = worker.0.decoding.acquire().await.unwrap();
    for kind in JobKind::ALL {
        worker.begin_due(kind).await.unwrap();
    }
    worker.0.tasks.close();
    worker.0.tasks.wait().await;
    assert_eq!(waiting(&world, id).await, [Work::Waveform]);
    assert_eq!(world.payloads(id).await, 0);
}

#[tokio::test]
async fn what_decodes_and_ended_a_server_waits_until_nothing_else_is_done() {
    let world = World::new().await;
    let (id, _) = world.completed(1).await;
    let (worker, kind) = (&world.worker, JobKind::Waveform);
    let key = JobKey::new(id, Work::Waveform);
    let gone = ledger::jobs::Worker(7);
    world.store.claim(kind, gone, START).await.unwrap().unwrap();
    let beside_a_recording_in_the_making = worker.0.beside.read().await;
    worker.begin_due(kind).await.unwrap();
    worker.0.tasks.close();
    worker.0.tasks.wait().await;
    let job = world.store.job(key).await.unwrap().unwrap();
    assert_eq!((job.state, job.tries), (JobState::Waiting, 1), "waiting is no try");
    assert_eq!(job.error.as_deref(), Some(NOT_ALONE));
    drop(beside_a_recording_in_the_making);
    let job = Job { tries: 2, ..job };
    let (started, progress) = (Instant::now(), Progress::default());
    let stopping = CancellationToken::new();
    let ended = worker.do_apart(&Try { key, job, started, progress, stopping }).await;
    // What lies there is no recording.
    assert!(matches!(ended, Ended::Other(JobEnd::Failed(_))), "it was begun");
}
