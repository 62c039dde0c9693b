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

/// What is told when not everything went in.
fn told_lacking(output: &Output) -> Value {
    assert!(!output.status.success());
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(complaint.contains("keep the files"), "{complaint}");
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
    assert!(complaint(&holdfast(&folder, &itself)).contains("one of the files"));
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

/// Where a segment is told to have this in it.
fn place_of<'a>(segment: &'a Value, said: &str) -> &'a Value {
    let places = segment["places"].as_array().unwrap();
    let place = places.iter().find(|place| place["what"].as_str().unwrap().contains(said));
    place.unwrap_or_else(|| panic!("nothing of {said:?} in {segment}"))
}

#[test]
fn stitch_says_in_which_of_the_files_something_is_wrong_and_where() {
    let folder = TempDir::new().unwrap();
    let mut chunks = fixture_chunks("a_opus");
    // In the middle of the third.
    let at = chunks[2].len() / 2;
    chunks[2][at..at + 700].fill(0x55);
    let files: Vec<String> = (0..chunks.len()).map(|number| format!("{number:03}")).collect();
    for (file, chunk) in files.iter().zip(&chunks) {
        fs::write(folder.path().join(file), chunk).unwrap();
    }
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let arguments = ["stitch", "--force", "--out", "out.webm"];
    let json = [&arguments[..], &["--format", "json"], &files[..]].concat();
    let told = told_lacking(&holdfast(&folder, &json));
    let place = place_of(&told["segments"][0], "stepped over");
    assert_eq!(place["file"], "002", "{told}");
    let told_at = usize::try_from(place["at_byte"].as_u64().unwrap()).unwrap();
    assert!((at - 1_000..=at + 700).contains(&told_at), "{told}");
    let text = holdfast(&folder, &[&arguments[..], &files[..]].concat()).stdout;
    let text = String::from_utf8(text).unwrap();
    assert!(text.contains(&format!("    002 at byte {told_at}: ")), "{text}");
}

#[test]
fn a_repaired_file_stands_beside_the_original_which_stays_as_it_is() {
    for (sample, name, repaired) in [
        ("b_vp8", "talk.webm", "talk.repaired.webm"),
        ("g_videomp4", "talk.mp4", "talk.repaired.mp4"),
        // What it is called does not count.
        ("g_audiomp4", "talk.webm", "talk.repaired.mp4"),
    ] {
        let folder = TempDir::new().unwrap();
        let path = put_sample(&folder, sample);
        let whole = fs::read(&path).unwrap();
        fs::rename(path, folder.path().join(name)).unwrap();
        let repair = told(&holdfast(&folder, &["repair", "--format", "json", name]));
        assert_eq!((&repair["file"], &repair["left_out_bytes"]), (&json!(repaired), &json!(0)));
        assert_eq!(repair["segments"][0]["problems"], json!([]), "{repair}");
        let finished = told(&holdfast(&folder, &["inspect", "--format", "json", repaired]));
        assert_eq!((&finished["finished"], &finished["problems"]), (&json!(true), &json!([])));
        assert!(fs::read(folder.path().join(name)).unwrap() == whole);

        let stitch = ["stitch", "--out", "stitched", name];
        assert!(holdfast(&folder, &stitch).status.success());
        let read = |file: &str| fs::read(folder.path().join(file)).unwrap();
        assert!(read("stitched") == read(repaired), "{sample}: one engine");
    }
}

#[test]
fn a_cut_file_is_repaired_up_to_the_cut() {
    for sample in ["b_vp8", "g_videomp4"] {
        let folder = TempDir::new().unwrap();
        let path = put_sample(&folder, sample);
        let bytes = fs::read(&path).unwrap();
        let cut = bytes.len() * 2 / 3;
        fs::write(&path, &bytes[..cut]).unwrap();
        let repair = ["repair", "--format", "json", "--out", "out", sample];
        let repair = told(&holdfast(&folder, &repair));
        assert!(repair["packets"].as_u64().unwrap() > 20, "{repair}");
        let segment = &repair["segments"][0];
        let (dangling, end) = (&segment["dangling_bytes"], place_of(segment, "never came whole"));
        assert_eq!(&end["bytes"], dangling);
        assert_eq!(end["at_byte"].as_u64().unwrap() + dangling.as_u64().unwrap(), cut as u64);
    }
}

#[test]
fn a_hole_in_the_middle_costs_what_is_in_it_and_is_told_where_it_is() {
    for sample in ["a_opus", "b_vp8", "g_videomp4"] {
        let folder = TempDir::new().unwrap();
        let path = put_sample(&folder, sample);
        let bytes = fs::read(&path).unwrap();
        let (from, to) = (bytes.len() / 2, bytes.len() / 2 + 900);
        fs::write(&path, [&bytes[..from], &bytes[to..]].concat()).unwrap();
        let repair = ["repair", "--format", "json", "--out", "out", sample];
        let repair = told_lacking(&holdfast(&folder, &repair));
        let place = place_of(&repair["segments"][0], "stepped over");
        let at = usize::try_from(place["at_byte"].as_u64().unwrap()).unwrap();
        // What stands there is known to make no sense once its own end is behind it.
        assert!(at < from + 20_000 && at + 20_000 > from, "{sample}: {from}, {repair}");
        let finished = told(&holdfast(&folder, &["inspect", "--format", "json", "out"]));
        assert_eq!(finished["finished"], true);
    }
}

#[test]
fn runs_one_behind_the_other_in_one_file_are_joined_even_if_the_first_is_cut() {
    for (first, second) in [("beep1", "beep2"), ("b_vp8", "d_vrun2"), ("g_videomp4", "g_audiomp4")]
    {
        let folder = TempDir::new().unwrap();
        let alone = |name| {
            put_sample(&folder, name);
            let out = ["repair", "--force", "--format", "json", "--out", "alone", name];
            let told = told(&holdfast(&folder, &out));
            (told["packets"].as_u64().unwrap(), told["duration_ms"].as_f64().unwrap())
        };
        let (packets, duration_ms) = {
            let ((one, first_ms), (other, second_ms)) = (alone(first), alone(second));
            (one + other, first_ms + second_ms)
        };
        let read = |name| fs::read(folder.path().join(name)).unwrap();
        let (begun, behind) = (read(first), read(second));
        for (cut, lost) in [(0, 0), (11, 1)] {
            let begun = &begun[..begun.len() - cut];
            fs::write(folder.path().join("both"), [begun, &behind].concat()).unwrap();
            let out = ["repair", "--force", "--format", "json", "--out", "out", "both"];
            let both = told(&holdfast(&folder, &out));
            let (kept, kept_ms) =
                (both["packets"].as_u64().unwrap(), both["duration_ms"].as_f64().unwrap());
            assert!((packets - lost..=packets).contains(&kept), "{first} {cut}: {both}");
            assert!((kept_ms - duration_ms).abs() < 150.0, "{first} {cut}: {both}");
            let place = place_of(&both["segments"][0], "a recorder run");
            assert_eq!(place["at_byte"], begun.len(), "{first} {cut}: {both}");
        }
    }
}

#[test]
fn a_run_that_does_not_fit_behind_another_is_told_with_its_place() {
    let folder = TempDir::new().unwrap();
    let read = |name| fs::read(put_sample(&folder, name)).unwrap();
    // VP9 does not fit into a track of VP8, and MP4 into no WebM.
    for (second, cause) in [("b_vp9", "do not fit"), ("g_audiomp4", "stepped over")] {
        let (first, second) = (read("b_vp8"), read(second));
        fs::write(folder.path().join("both"), [&first[..], &second].concat()).unwrap();
        let out = ["repair", "--force", "--format", "json", "--out", "out", "both"];
        let both = told_lacking(&holdfast(&folder, &out));
        let place = place_of(&both["segments"][0], cause);
        let at = usize::try_from(place["at_byte"].as_u64().unwrap()).unwrap();
        // The first ends in the first byte of something.
        assert!((first.len() - 1..first.len() + 1_000).contains(&at), "{}: {both}", first.len());
        let bytes = usize::try_from(place["bytes"].as_u64().unwrap()).unwrap();
        assert!(bytes > second.len() * 9 / 10, "{both}");
    }
}

#[test]
fn an_mp4_behind_bytes_that_make_no_sense_is_found() {
    let folder = TempDir::new().unwrap();
    let path = put_sample(&folder, "g_audiomp4");
    let whole = fs::read(&path).unwrap();
    fs::write(&path, [&[0x77; 5_000][..], &whole].concat()).unwrap();
    let arguments = ["repair", "--format", "json", "--out", "out", "g_audiomp4"];
    let repair = told_lacking(&holdfast(&folder, &arguments));
    assert_eq!((&repair["packets"], &repair["left_out_bytes"]), (&json!(103), &json!(5_000)));
    let place = place_of(&repair["segments"][0], "header is missing");
    assert_eq!((&place["at_byte"], &place["bytes"]), (&json!(0), &json!(5_000)));
}

#[test]
fn what_cannot_be_repaired_is_refused_and_nothing_is_overwritten() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("notes.webm"), "no recording, whatever it is called").unwrap();
    let garbage = complaint(&holdfast(&folder, &["repair", "notes.webm"]));
    assert!(garbage.contains("nothing was written: the segment is not WebM"), "{garbage}");
    let nowhere = complaint(&holdfast(&folder, &["repair", "nowhere.webm"]));
    assert!(nowhere.contains("nowhere.webm cannot be read"), "{nowhere}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing half-written");

    put_sample(&folder, "a_opus");
    fs::write(folder.path().join("a_opus.repaired.webm"), "precious").unwrap();
    let taken = complaint(&holdfast(&folder, &["repair", "a_opus"]));
    assert!(taken.contains("a_opus.repaired.webm is there already"), "{taken}");
    let itself = ["repair", "--force", "--out", "a_opus", "a_opus"];
    assert!(complaint(&holdfast(&folder, &itself)).contains("one of the files"));
    assert_eq!(fs::read(folder.path().join("a_opus.repaired.webm")).unwrap(), b"precious");
    assert!(holdfast(&folder, &["repair", "--force", "a_opus"]).status.success());
    assert_ne!(fs::read(folder.path().join("a_opus.repaired.webm")).unwrap(), b"precious");
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
