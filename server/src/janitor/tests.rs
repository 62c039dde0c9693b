//! What goes, and above all what must not.

use super::*;
use crate::testing::{START, World};

impl World {
    async fn sweep(&self, now: UnixMillis) -> Swept {
        let janitor = Janitor {
            store: self.store.clone(),
            files: self.files.clone(),
            scratch: self.scratch.clone(),
        };
        janitor.sweep(now).await
    }
}

/// By the clock of the files.
fn days_from_now(days: u64) -> UnixMillis {
    clock::wall().plus(Millis::from_secs(days * 24 * 3600))
}

#[tokio::test]
async fn files_of_tracks_and_mixed_sound_are_somebodys() {
    let world = World::new().await;
    let (id, _) = world.completed_with(1, &[0, 1]).await;
    let mix = world.write(&format!("recordings/{id}/this.mix.webm"), b"all sound");
    let export = world.write(&format!("recordings/{id}/this.mp3.mp3"), b"an export");
    let swept = world.sweep(days_from_now(1_000)).await;
    assert_eq!(swept, Swept { recording_files: 1, ..Swept::default() });
    assert!(mix.exists() && !export.exists());
    for track in 0..2 {
        assert!(world.folder.path().join(format!("recordings/{id}/track{track}.webm")).exists());
    }
}

#[tokio::test]
async fn a_file_that_is_nobodys_goes_when_it_is_old_enough() {
    let world = World::new().await;
    let (completed, _) = world.completed(1).await;
    let unknown = SessionId::from_parts(START, [9; 10]);
    let replaced = world.write(&format!("recordings/{completed}/before.webm"), b"x");
    let nobodys = world.write(&format!("recordings/{unknown}/one.webm"), b"x");
    assert_eq!(world.sweep(clock::wall()).await, Swept::default(), "both are too young");
    assert!(replaced.exists() && nobodys.exists());
    let swept = world.sweep(days_from_now(2)).await;
    assert_eq!(swept, Swept { recording_files: 2, ..Swept::default() });
    assert!(!replaced.exists() && !nobodys.exists());
}

#[tokio::test]
async fn a_file_that_is_or_may_become_somebodys_stays() {
    let world = World::new().await;
    let (_, recording) = world.completed(1).await;
    let mut kept = vec![world.folder.path().join(&recording.key)];
    // A recording of these may be made at any time, and get this very name.
    for id in [world.create(2).await, world.incomplete(3, 1).await, world.failed(4, 1).await] {
        kept.push(world.write(&format!("recordings/{id}/one.webm"), b"x"));
    }
    kept.push(world.write("recordings/README", b"an operator's note"));
    kept.push(world.write("recordings/lost+found/x.webm", b"not ours"));
    kept.push(world.write("elsewhere/x.webm", b"not ours"));
    kept.push(world.write("backup.db", b"not ours"));
    assert_eq!(world.sweep(days_from_now(1_000)).await, Swept::default());
    for path in kept {
        assert!(path.exists(), "{}", path.display());
    }
}

#[tokio::test]
async fn uploads_and_scratch_files_of_a_killed_server_go_and_those_in_the_making_stay() {
    let world = World::new().await;
    let id = world.incomplete(1, 1).await;
    let upload = world.write(&format!("recordings/{id}/0123.webm#1"), b"half");
    let scratch = world.write("scratch/.tmpA1", b"half");
    assert_eq!(world.sweep(clock::wall()).await, Swept::default());
    assert!(upload.exists() && scratch.exists());
    let swept = world.sweep(days_from_now(2)).await;
    assert_eq!(swept, Swept { abandoned_uploads: 1, scratch_files: 1, ..Swept::default() });
    assert!(!upload.exists() && !scratch.exists());
}

#[tokio::test]
async fn two_janitors_at_once_clear_everything_away_once() {
    let world = World::new().await;
    let (id, _) = world.completed(99).await;
    for number in 0..20 {
        world.write(&format!("recordings/{id}/{number}.webm"), b"x");
        world.write(&format!("scratch/{number}"), b"x");
    }
    let now = days_from_now(10);
    let (one, other) = tokio::join!(world.sweep(now), world.sweep(now));
    assert_eq!((one.failures, other.failures), (0, 0));
    assert_eq!(one.scratch_files + other.scratch_files, 20);
    assert_eq!(one.recording_files + other.recording_files, 20);
    assert_eq!(world.sweep(now).await, Swept::default());
}
