//! The commands that work on files.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::fixture_chunks;
use crate::process::PROGRAM;

/// Each a recorder run of a real browser.
const SAMPLES: [&str; 11] = [
    "a_opus", "b_vp8", "b_vp9", "beep1", "beep2", "c_pause", "d_run2", "d_vrun2", "e_req", "ff_a",
    "ff_v",
];

fn holdfast(folder: &TempDir, arguments: &[&str]) -> Output {
    Command::new(PROGRAM).current_dir(folder.path()).args(arguments).output().unwrap()
}

fn told(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn complaint(output: &Output) -> String {
    assert!(!output.status.success());
    assert!(output.stdout.is_empty());
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Writes a sample as one file, as it would lie on somebody's disk.
fn put_sample(folder: &TempDir, name: &str) -> PathBuf {
    let path = folder.path().join(name);
    fs::write(&path, fixture_chunks(name).concat()).unwrap();
    path
}

#[test]
fn every_sample_is_stitched_and_then_inspected_as_finished() {
    let folder = TempDir::new().unwrap();
    for name in SAMPLES {
        put_sample(&folder, name);
        let live = told(&holdfast(&folder, &["inspect", "--format", "json", name]));
        assert_eq!((&live["finished"], &live["problems"]), (&json!(false), &json!([])), "{name}");
        let out = format!("{name}.webm");
        let stitched =
            told(&holdfast(&folder, &["stitch", "--format", "json", "--out", &out, name]));
        let finished = told(&holdfast(&folder, &["inspect", "--format", "json", &out]));
        assert_eq!(finished["finished"], true, "{name}: {finished}");
        assert_eq!(finished["bytes"], stitched["bytes"], "{name}");
        assert_eq!(finished["runs"][0]["duration_ms"], stitched["duration_ms"], "{name}");
        let packets = |told: &Value| -> u64 {
            let tracks = told["runs"][0]["tracks"].as_array().unwrap();
            tracks.iter().map(|track| track["packets"].as_u64().unwrap()).sum()
        };
        assert_eq!((packets(&live), packets(&finished)), {
            let packets = stitched["packets"].as_u64().unwrap();
            (packets, packets)
        });
    }
}

#[test]
fn segments_are_joined_in_their_order_and_a_bad_one_does_not_spoil_the_others() {
    let folder = TempDir::new().unwrap();
    put_sample(&folder, "beep1");
    put_sample(&folder, "beep2");
    fs::write(folder.path().join("notes.txt"), "not a recording").unwrap();
    let arguments = ["stitch", "--out", "whole.webm", "beep1", "notes.txt", "beep2"];
    let output = holdfast(&folder, &[&arguments[..], &["--format", "json"]].concat());
    assert!(!output.status.success(), "not everything went in");
    let complaint = String::from_utf8(output.stderr.clone()).unwrap();
    assert!(complaint.contains("keep the files"), "{complaint}");
    let stitched: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(stitched["left_out_bytes"], "not a recording".len());
    let segments = stitched["segments"].as_array().unwrap();
    // What has no header may go on with what came before.
    assert_eq!(segments[0]["files"], json!(["beep1", "notes.txt"]));
    assert!(segments[0]["problems"].to_string().contains("left out: 15 bytes"), "{stitched}");
    assert_eq!(segments[1]["start_ms"], segments[0]["duration_ms"]);
    let text = holdfast(&folder, &["inspect", "whole.webm"]);
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.contains("finished, seeks everywhere"), "{text}");
    assert!(text.contains("track 1: audio, A_OPUS, "), "{text}");
}

#[test]
fn the_chunks_of_one_recording_are_joined_into_the_whole_of_it() {
    for name in ["a_opus", "b_vp8", "ff_v", "g_audiomp4", "g_videomp4"] {
        let folder = TempDir::new().unwrap();
        put_sample(&folder, name);
        let chunks = fixture_chunks(name);
        let files: Vec<String> = (0..chunks.len()).map(|number| format!("{number:03}")).collect();
        for (file, chunk) in files.iter().zip(&chunks) {
            fs::write(folder.path().join(file), chunk).unwrap();
        }
        let files: Vec<&str> = files.iter().map(String::as_str).collect();
        told(&holdfast(&folder, &["stitch", "--format", "json", "--out", "one", name]));
        let arguments = [&["stitch", "--format", "json", "--out", "many"], &files[..]].concat();
        let many = told(&holdfast(&folder, &arguments));
        assert_eq!(many["segments"].as_array().unwrap().len(), 1, "{name}");
        let read = |file| fs::read(folder.path().join(file)).unwrap();
        assert!(read("one") == read("many"), "{name}");
    }
}

#[test]
fn a_cut_file_is_told_to_be_cut_and_keeps_what_is_whole() {
    let folder = TempDir::new().unwrap();
    let path = put_sample(&folder, "a_opus");
    let bytes = fs::read(&path).unwrap();
    fs::write(folder.path().join("cut"), &bytes[..bytes.len() - 5]).unwrap();
    let text = holdfast(&folder, &["stitch", "--out", "cut.webm", "cut"]);
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.contains("of something that never came whole"), "{text}");
    let told = told(&holdfast(&folder, &["inspect", "--format", "json", "cut.webm"]));
    assert_eq!(told["finished"], true);
}

#[test]
fn nothing_is_overwritten_or_half_written() {
    let folder = TempDir::new().unwrap();
    put_sample(&folder, "a_opus");
    fs::write(folder.path().join("taken.webm"), "precious").unwrap();
    fs::write(folder.path().join("empty"), "").unwrap();
    let taken = ["stitch", "--out", "taken.webm", "a_opus"];
    assert!(complaint(&holdfast(&folder, &taken)).contains("is there already"));
    let itself = ["stitch", "--force", "--out", "a_opus", "a_opus"];
    assert!(complaint(&holdfast(&folder, &itself)).contains("one of the segments"));
    let empty = ["stitch", "--force", "--out", "taken.webm", "empty"];
    assert!(complaint(&holdfast(&folder, &empty)).contains("the segment is empty"));
    assert_eq!(fs::read(folder.path().join("taken.webm")).unwrap(), b"precious");
    let missing = ["stitch", "--out", "new.webm", "a_opus", "nowhere"];
    assert!(complaint(&holdfast(&folder, &missing)).contains("nowhere cannot be read"));
    let names = fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(names, 3, "no new.webm, and nothing half-written");
    let forced = ["stitch", "--force", "--out", "taken.webm", "a_opus"];
    assert!(holdfast(&folder, &forced).status.success());
    assert_ne!(fs::read(folder.path().join("taken.webm")).unwrap(), b"precious");
}

#[test]
fn an_mp4_is_described_as_it_was_recorded_and_as_it_was_joined() {
    let folder = TempDir::new().unwrap();
    put_sample(&folder, "g_audiomp4");
    let live = told(&holdfast(&folder, &["inspect", "--format", "json", "g_audiomp4"]));
    assert_eq!((&live["finished"], &live["problems"]), (&json!(false), &json!([])), "{live}");
    let track = |told: &serde_json::Value| told["runs"][0]["tracks"][0].clone();
    assert_eq!(live["runs"][0]["doc_type"], "mp4");
    assert!(track(&live)["packets"].as_u64().unwrap() > 10, "{live}");
    assert!(holdfast(&folder, &["stitch", "--out", "one.mp4", "g_audiomp4"]).status.success());
    let joined = told(&holdfast(&folder, &["inspect", "--format", "json", "one.mp4"]));
    assert_eq!((&joined["finished"], &joined["problems"]), (&json!(true), &json!([])), "{joined}");
    assert_eq!(track(&joined)["packets"], track(&live)["packets"]);
    let text = holdfast(&folder, &["inspect", "one.mp4"]);
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(text.contains("finished, seeks everywhere") && text.contains("103 packets"), "{text}");
}

#[test]
fn what_no_recorder_writes_is_described_all_the_same() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("sound.ogg"), [&b"OggS"[..], &[0; 60]].concat()).unwrap();
    let told = told(&holdfast(&folder, &["inspect", "--format", "json", "sound.ogg"]));
    assert_eq!((&told["finished"], &told["runs"]), (&json!(false), &json!([])));
    assert!(told["problems"].to_string().contains("page"), "{told}");
}
