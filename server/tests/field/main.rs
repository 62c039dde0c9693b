//! Recordings as browsers really hand them over, one test a case; README.md says what a case is.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const PROGRAM: &str = env!("CARGO_BIN_EXE_holdfast");

macro_rules! cases {
    ($($name:ident => $folder:literal,)+) => {
        const LISTED: &[&str] = &[$($folder),+];

        $(
            #[test]
            fn $name() {
                must_succeed("check.py", &["-v", $folder]);
            }
        )+
    };
}

cases! {
    turned_phone => "01-turned-phone",
    pcm_other_rate => "02-pcm-other-rate",
    sound_clock_anew => "03-sound-clock-anew",
    both_clocks_anew => "04-both-clocks-anew",
    first_chunk_lost => "05-first-chunk-lost",
    header_before_every_chunk => "07-header-before-every-chunk",
    mp4_clock_anew => "08-mp4-clock-anew",
    weekend_sleep => "10-weekend-sleep",
    one_wild_stamp => "11-one-wild-stamp",
    shown_later_than_decoded => "12-shown-later-than-decoded",
    unlisted_track => "13-unlisted-track",
    unknown_element => "16-unknown-element",
    first_packet_late => "20-first-packet-late",
    first_chunk_again => "21-first-chunk-again",
    header_comes_later => "23-header-comes-later",
    own_large_cues => "25-own-large-cues",
    own_mp4_again => "26-own-mp4-again",
    other_parameter_sets => "37-other-parameter-sets",
    ordinary_mp4 => "38-ordinary-mp4",
    chunks_as_files => "41-chunks-as-files",
    real_chunks_as_files => "43-real-chunks-as-files",
    first_block_not_the_earliest => "50-first-block-not-the-earliest",
    silences_not_sent => "51-silences-not-sent",
    still_screen => "52-still-screen",
    many_tiny_runs => "53-many-tiny-runs",
    blocks_of_two_tracks_out_of_step => "55-blocks-of-two-tracks-out-of-step",
    unknown_size_of_one_byte => "56-unknown-size-of-one-byte",
    decode_time_before_zero => "58-decode-time-before-zero",
    clocks_that_go_on => "60-clocks-that-go-on",
    fragments_of_safari => "61-fragments-of-safari",
    camera_turned_on_later => "63-camera-turned-on-later",
    matroska_other_private => "64-matroska-other-private",
    empty_files => "68-empty-files",
    ogg_that_the_page_asks_for => "72-ogg-that-the-page-asks-for",
}

#[test]
fn every_case_is_a_test() {
    let mut there: Vec<String> = fs::read_dir(home())
        .expect("the cases are beside this file")
        .map(|entry| entry.expect("the folder can be read"))
        .filter(|entry| entry.path().join("expected.json").exists())
        .map(|entry| entry.file_name().into_string().expect("a case has a plain name"))
        .collect();
    there.sort();
    assert_eq!(there, LISTED);
}

/// Of two cases, a WebM and an MP4; `prove.py` without arguments does it for all.
#[test]
fn the_checker_tells_right_from_wrong() {
    must_succeed("prove.py", &["01-turned-phone", "10-weekend-sleep"]);
}

fn home() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/field")
}

fn must_succeed(script: &str, arguments: &[&str]) {
    for (tool, version) in
        [("python3", "--version"), ("ffmpeg", "-version"), ("ffprobe", "-version")]
    {
        let asked = Command::new(tool).arg(version).stdout(Stdio::null()).status();
        let there = asked.is_ok_and(|status| status.success());
        assert!(there, "{tool} is missing, which the field cases need: `make setup` installs it.");
    }
    let output = Command::new("python3")
        .arg("-B")
        .arg(script)
        .args(arguments)
        .current_dir(home())
        .env("HOLDFAST", PROGRAM)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .expect("python3 was there a moment ago");
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
