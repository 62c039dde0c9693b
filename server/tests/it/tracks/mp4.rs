//! Several tracks as Safari records them, in MP4: one recording, in step, with all that one in WebM
//! has.

use std::io::Cursor;

use media::{Peaks, TrackKind as MediaKind, Verified, Waveforms};
use protocol::TrackKind;

use super::{Run, durations, file, kept_files, payloads_left, recorded};
use crate::harness::{Candidate, TestServer, eventually};

/// A voice that goes away for a while, and a screen with sound that begins a second later.
fn voice_and_screen() -> [Run; 3] {
    [
        Run::of(0, 0, TrackKind::Microphone, 0, "aac_beeps"),
        Run::of(1, 1, TrackKind::Screen, 1_000, "aac_camera"),
        Run::of(0, 2, TrackKind::Microphone, 30_000, "aac_beeps"),
    ]
}

fn verified(file: &[u8]) -> Verified {
    media::verify(Cursor::new(file)).unwrap()
}

/// Where it begins to be loud, in hundredths of a second.
fn onsets(peaks: &Peaks) -> Vec<usize> {
    let is_loud = |at: usize| {
        let peak = peaks.buckets()[at];
        i32::from(peak.max) - i32::from(peak.min) > 20
    };
    let all = 0..peaks.buckets().len();
    all.filter(|at| is_loud(*at) && (*at == 0 || !is_loud(*at - 1))).collect()
}

/// Of each sound of a finished MP4.
fn heard(file: &[u8]) -> Vec<Vec<usize>> {
    let waveforms = Waveforms::from_mp4(Cursor::new(file)).unwrap();
    waveforms.iter().map(|waveform| onsets(&waveform.peaks)).collect()
}

fn assert_near(is: &[usize], wanted: &[usize]) {
    let off = is.iter().zip(wanted).map(|(one, other)| one.abs_diff(*other)).max();
    assert!(is.len() == wanted.len() && off <= Some(2), "{is:?} and not {wanted:?}");
}

async fn of_track(server: &TestServer, candidate: &Candidate, track: u8) -> Vec<usize> {
    let own = file(server, candidate, &format!("tracks/{track}/recording")).await;
    heard(&own).pop().unwrap()
}

#[tokio::test]
async fn a_voice_and_a_screen_become_one_mp4_in_step_and_without_dead_time() {
    let server = TestServer::start().await;
    let (candidate, receipt) = recorded(&server, 40, &voice_and_screen()).await;
    let session = server.session(candidate.session).await;
    assert_eq!(session["left_out_segments"], 0);
    let path = format!("/api/sessions/{}/recording", candidate.session);
    assert_eq!(server.get(&path).await.headers()["content-type"], "video/mp4");
    let recording = file(&server, &candidate, "recording").await;
    let kinds: Vec<_> = verified(&recording).tracks.iter().map(|track| track.kind).collect();
    assert_eq!(kinds, [MediaKind::Audio, MediaKind::Video, MediaKind::Audio]);
    let (voice, screen) = (durations(&session, 0), durations(&session, 1));
    let goes_on = voice[0].max(1_000 + screen[0]);
    assert!(receipt.duration.get().abs_diff(goes_on + voice[1]) <= 2, "{}", receipt.duration);

    let own = of_track(&server, &candidate, 0).await;
    let before = own.iter().filter(|at| **at * 10 < voice[0] as usize).count();
    let later = (goes_on - voice[0]) as usize / 10;
    let moved = |(order, at): (usize, &usize)| if order < before { *at } else { at + later };
    let is = heard(&recording);
    assert_near(&is[0], &own.iter().enumerate().map(moved).collect::<Vec<_>>());
    let own = of_track(&server, &candidate, 1).await;
    assert_near(&is[1], &own.iter().map(|at| at + 100).collect::<Vec<_>>());
    assert_eq!(payloads_left(server.folder.path(), candidate.session).await, 0, "all is in files");
}

#[tokio::test]
async fn its_sounds_are_drawn_and_mixed_and_can_be_had_alone() {
    let server = TestServer::start().await;
    let (candidate, _) = recorded(&server, 41, &voice_and_screen()).await;
    let recording = file(&server, &candidate, "recording").await;
    let sounds = heard(&recording);
    for (track, wanted) in sounds.iter().enumerate() {
        let path = format!("waveform?track={track}&max=100000");
        let drawn = Peaks::from_bytes(&file(&server, &candidate, &path).await).unwrap();
        assert_eq!(&onsets(&drawn), wanted);
    }
    let page = server.get(&format!("/sessions/{}", candidate.session)).await.text().await.unwrap();
    assert_eq!(page.matches("role=\"slider\"").count(), 2, "one for each sound");

    let mixed = async || {
        let playback = file(&server, &candidate, "playback").await;
        (playback != recording).then_some(playback)
    };
    let playback = eventually("the sound is mixed", mixed).await;
    let tracks = verified(&playback).tracks;
    let codecs: Vec<_> = tracks.iter().map(|track| &*track.codec).collect();
    assert_eq!(codecs, ["Opus", "mp4a", "avc1", "mp4a"]);
    assert_eq!(heard(&playback)[1..], sounds);
    let kept = kept_files(&server, candidate.session);
    assert!(kept.iter().any(|name| name.ends_with(".mix.mp4")), "{kept:?}");

    let ogg = file(&server, &candidate, "exports/ogg").await;
    let mut wanted = Vec::new();
    media::mp4_to_ogg(Cursor::new(&playback), &mut wanted).unwrap();
    assert!(ogg == wanted, "all sounds are in it");
}

#[tokio::test]
async fn in_step_with_the_clock_it_keeps_its_gaps() {
    let server = TestServer::start().await;
    let (candidate, _) = recorded(&server, 42, &voice_and_screen()).await;
    let path = format!("/api/sessions/{}/exports/timeline", candidate.session);
    let response = server.get(&format!("{path}?download=1")).await;
    let name = response.headers()["content-disposition"].to_str().unwrap().to_owned();
    assert!(name.ends_with(".mp4\""), "{name}");
    let by_clock = response.bytes().await.unwrap();
    let session = server.session(candidate.session).await;
    let voice = durations(&session, 0);
    let own = of_track(&server, &candidate, 0).await;
    let before = own.iter().filter(|at| **at * 10 < voice[0] as usize).count();
    let gap = (30_000 - voice[0]) as usize / 10;
    let moved = |(order, at): (usize, &usize)| if order < before { *at } else { at + gap };
    let is = heard(&by_clock);
    assert_near(&is[0], &own.iter().enumerate().map(moved).collect::<Vec<_>>());
    let whole = u128::from(30_000 + voice[1]);
    assert!(verified(&by_clock).duration.as_millis().abs_diff(whole) <= 2);
}

#[tokio::test]
async fn a_voice_alone_has_every_form_that_one_in_webm_has() {
    let server = TestServer::start().await;
    let runs = [
        Run::of(0, 0, TrackKind::Microphone, 0, "aac_beeps"),
        Run::of(0, 1, TrackKind::Microphone, 20_000, "aac_beeps"),
    ];
    let (candidate, receipt) = recorded(&server, 43, &runs).await;
    let recording = file(&server, &candidate, "recording").await;
    assert_eq!(file(&server, &candidate, "playback").await, recording, "there is nothing to mix");
    let by_clock = file(&server, &candidate, "exports/timeline").await;
    let session = server.session(candidate.session).await;
    let whole = u128::from(20_000 + durations(&session, 0)[1]);
    assert!(verified(&by_clock).duration.as_millis().abs_diff(whole) <= 2);
    let ogg = file(&server, &candidate, "exports/ogg").await;
    assert!(ogg.starts_with(b"OggS"));
    let list = server.json(&format!("/api/sessions/{}/exports", candidate.session)).await;
    let states: Vec<_> = list["exports"].as_array().unwrap().iter().collect();
    for format in ["timeline", "ogg", "mp3", "wav", "zip"] {
        let export = states.iter().find(|export| export["format"] == format).unwrap();
        assert_ne!(export["state"], "unavailable", "{format}");
    }
    assert!(receipt.duration.get() > 7_900);
}
