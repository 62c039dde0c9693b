//! What `ffmpeg` and `ffprobe`, which must be on the PATH, make of a stitched file.

use std::io::Write;
use std::process::{Command, Output};

use super::Stitched;

pub(crate) fn run(program: &str, arguments: &[&str]) -> Output {
    let output = Command::new(program).args(arguments).output();
    output.unwrap_or_else(|error| {
        panic!("this test needs {program}, which can't be started ({error}): install ffmpeg")
    })
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim().to_owned()
}

pub(crate) struct Saved {
    file: tempfile::NamedTempFile,
    pub(crate) millis: f64,
    pub(crate) packets: u64,
}

impl Saved {
    pub(crate) fn new(stitched: &Stitched) -> Self {
        let suffix = format!(".{}", stitched.report.file_type.extension());
        let file = tempfile::Builder::new().suffix(&suffix).tempfile();
        let mut file = file.expect("a temporary file");
        file.write_all(&stitched.file).expect("room for a file");
        let millis = stitched.report.duration.as_secs_f64() * 1000.0;
        Self { file, millis, packets: stitched.report.packets }
    }

    pub(crate) fn path(&self) -> &str {
        self.file.path().to_str().expect("a plain path")
    }

    pub(crate) fn probe(&self, arguments: &[&str]) -> String {
        let format = ["-v", "error", "-of", "csv=p=0"];
        let output = run("ffprobe", &[&format[..], arguments, &[self.path()]].concat());
        assert_eq!(text(&output.stderr), "", "ffprobe complains");
        text(&output.stdout)
    }

    /// What ffmpeg decodes from `seek` seconds on, in milliseconds of sound. Where the recorder
    /// left sound out, silence fills in.
    pub(crate) fn decoded_millis(&self, seek: f64) -> f64 {
        let seek = seek.to_string();
        let fill = ["-map", "0:a:0", "-af", "aresample=async=1:min_hard_comp=0.01"];
        let sound = ["-f", "s16le", "-ar", "48000", "-ac", "1", "-"];
        let input = ["-v", "error", "-ss", &seek, "-i", self.path()];
        let output = run("ffmpeg", &[&input[..], &fill, &sound].concat());
        assert_eq!(text(&output.stderr), "", "ffmpeg complains after seeking to {seek} s");
        output.stdout.len() as f64 / 2.0 / 48.0
    }
}

pub(crate) fn probes_as_reported(stitched: &Stitched, name: impl std::fmt::Debug) {
    let saved = Saved::new(stitched);
    let seconds = saved.probe(&["-show_entries", "format=duration"]);
    let millis = seconds.parse::<f64>().expect("a number of seconds") * 1000.0;
    assert!((millis - saved.millis).abs() <= 1.0, "{name:?}: {millis} {}", saved.millis);
    let packets = saved.probe(&["-show_entries", "packet=size"]);
    // A packet that brings another description is followed by a line for that.
    let packets = packets.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_digit()));
    assert_eq!(packets.count() as u64, saved.packets, "{name:?}");
}

pub(crate) fn decodes_without_a_word(stitched: &Stitched, name: impl std::fmt::Debug) {
    let saved = Saved::new(stitched);
    // Else ffmpeg guesses one frame rate for the pictures of two recorders, and complains.
    let own_times = ["-enc_time_base", "1/1000", "-f", "null", "-"];
    let input = ["-v", "error", "-i", saved.path()];
    let output = run("ffmpeg", &[&input[..], &own_times].concat());
    assert_eq!(text(&output.stderr), "", "{name:?}");
    assert!(output.status.success(), "{name:?}");
}
