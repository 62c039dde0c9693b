//! Several sounds, mixed into one for what plays only one.

use std::io::Cursor;

use media::TrackKind as MediaKind;

use super::{file, kept_files, packets, recorded, two_microphones};
use crate::harness::{TestServer, eventually};

#[tokio::test]
async fn players_get_all_sound_in_one_track_once_it_is_mixed() {
    let server = TestServer::start().await;
    let (candidate, _) = recorded(&server, 13, &two_microphones()).await;
    let recording = file(&server, &candidate, "recording").await;
    let mixed = async || {
        let playback = file(&server, &candidate, "playback").await;
        (playback != recording).then_some(playback)
    };
    let playback = eventually("the sound is mixed", mixed).await;
    let verified = media::verify(Cursor::new(&playback)).unwrap();
    let kinds: Vec<_> = verified.tracks.iter().map(|track| track.kind).collect();
    assert_eq!(kinds, [MediaKind::Audio; 3]);
    let (was, is) = (packets(&recording), packets(&playback));
    assert!(is[&2] == was[&1] && is[&3] == was[&2], "the others are as they were");
    let page = server.get(&format!("/sessions/{}", candidate.session)).await.text().await.unwrap();
    let address = format!("src=\"/api/sessions/{}/playback\"", candidate.session);
    assert!(page.contains(&address), "{page}");
    // A kill may come before the mix is there: then it is made for whoever looks at the session.
    let kept = kept_files(&server, candidate.session);
    let mix = kept.iter().find(|name| name.ends_with(".mix.webm")).unwrap();
    let folder = server.folder.path().join("recordings").join(candidate.session.to_string());
    std::fs::remove_file(folder.join(mix)).unwrap();
    assert!(file(&server, &candidate, "playback").await == recording, "the recording is played");
    // Whoever looks while the job that made the first one is ending has to look once more.
    let looked_at = async || {
        server.get(&format!("/sessions/{}", candidate.session)).await;
        mixed().await
    };
    assert!(eventually("it is mixed again", looked_at).await == playback, "the same as before");
    // What is drawn is of the recording: two sounds.
    for (track, status) in [(0, 200), (1, 200), (2, 404)] {
        let path = format!("/api/sessions/{}/waveform?track={track}", candidate.session);
        assert_eq!(server.get(&path).await.status(), status, "{track}");
    }
}

#[tokio::test]
async fn an_export_of_the_sound_holds_all_of_several() {
    let server = TestServer::start().await;
    let (candidate, _) = recorded(&server, 14, &two_microphones()).await;
    // Whether it is mixed already or not.
    let exported = file(&server, &candidate, "exports/ogg").await;
    let ogg_of = |webm: Vec<u8>| {
        let mut ogg = Vec::new();
        media::to_ogg(Cursor::new(webm), &mut ogg).unwrap();
        ogg
    };
    assert!(exported == ogg_of(file(&server, &candidate, "playback").await), "the mix");
    assert!(exported != ogg_of(file(&server, &candidate, "recording").await), "not the first one");
}
