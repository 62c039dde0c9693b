//! What is told to end, and what waits for that.

use ledger::{Command, Format, Work};
use protocol::SessionId;
use tokio::time::timeout;

use super::*;
use crate::testing::World;

const CLAIMED: [JobKind; 3] = [JobKind::Release, JobKind::Waveform, JobKind::Export];

impl World {
    /// Everything that is made beside recordings, or lets their chunks go, is worked on.
    async fn claim_all(&self) -> Vec<JobKey> {
        let mut claimed = Vec::new();
        for kind in CLAIMED {
            while let Some((key, _)) = self.leases.claim(kind).await.unwrap() {
                claimed.push(key);
            }
        }
        claimed
    }

    /// A completed session, an export of it that somebody works on, and where its recording is.
    async fn exporting(&self) -> (SessionId, JobKey, std::path::PathBuf) {
        let (id, recording) = self.completed(1).await;
        self.exports.start(id, &recording, Format::Zip).await.unwrap();
        let (key, _) = self.leases.claim(JobKind::Export).await.unwrap().unwrap();
        (id, key, self.folder.path().join(recording.key))
    }
}

#[tokio::test]
async fn what_is_made_beside_one_recording_is_cut_off_and_nothing_else() {
    let world = World::new().await;
    for number in [1, 2] {
        let (id, recording) = world.completed(number).await;
        world.exports.start(id, &recording, Format::Zip).await.unwrap();
    }
    let claimed = world.claim_all().await;
    assert_eq!(claimed.len(), 2 * CLAIMED.len());
    let gone = claimed[0].session;
    assert!(world.leases.cut_off_beside(gone));
    for key in claimed {
        let is_meant = key.session == gone && key.work != Work::Release;
        assert_eq!(world.leases.stopping_of(key).is_cancelled(), is_meant, "{key}");
        world.leases.end(key, JobEnd::Done).await;
    }
    assert!(!world.leases.cut_off_beside(gone), "nothing is worked on any more");
}

#[tokio::test]
async fn a_session_is_erased_once_what_was_made_of_it_has_ended() {
    let world = World::new().await;
    let (id, key, file) = world.exporting().await;
    let stopping = world.leases.stopping_of(key);
    world.tell(id, Command::Delete).await;
    let recordings = world.recordings.clone();
    let erasing = tokio::spawn(async move { recordings.erase(id).await });
    timeout(CUT_OFF_WITHIN, stopping.cancelled()).await.expect("it is told");
    assert!(file.exists() && !erasing.is_finished(), "somebody still reads it");
    world.leases.end(key, JobEnd::Done).await;
    assert_eq!(erasing.await.unwrap(), JobEnd::Done);
    assert!(!file.exists() && !world.exists(id).await);
}

#[tokio::test]
async fn what_does_not_end_holds_no_erasing_up_for_ever() {
    let world = World::new().await;
    let (id, _never_ends, file) = world.exporting().await;
    world.tell(id, Command::Delete).await;
    let erased = timeout(CUT_OFF_WITHIN * 3, world.recordings.erase(id)).await;
    assert_eq!(erased.expect("it waits for a while only"), JobEnd::Done);
    assert!(!file.exists());
}

#[tokio::test]
async fn who_works_on_what_is_gone_is_told_when_the_lease_is_to_be_renewed() {
    let world = World::new().await;
    let (id, key, _) = world.exporting().await;
    world.tell(id, Command::Delete).await;
    world.store.erase_rows(id).await.unwrap();
    let stopping = world.leases.stopping_of(key);
    let progress = Progress::default();
    let kept = world.leases.keep(key, &progress, stopping.cancelled());
    timeout(RENEW_EVERY * 3, kept).await.expect("nobody else has told it");
}
