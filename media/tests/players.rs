//! What other programs make of a stitched file. Needs `ffmpeg` and `ffprobe` on the PATH.

mod common;

use std::io::Write;
use std::process::{Command, Output};

use common::{Stitched, samples, stitch_samples};

fn run(program: &str, arguments: &[&str]) -> Output {
    let output = Command::new(program).args(arguments).output();
    output.unwrap_or_else(|error| {
        panic!("this test needs {program}, which can't be started ({error}): install ffmpeg")
    })
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim().to_owned()
}

struct Saved {
    file: tempfile::NamedTempFile,
    millis: f64,
    packets: u64,
}

impl Saved {
    fn new(stitched: &Stitched) -> Self {
        let mut file =
            tempfile::Builder::new().suffix(".webm").tempfile().expect("a temporary file");
        file.write_all(&stitched.file).expect("room for a file");
        let millis = stitched.report.duration.as_secs_f64() * 1000.0;
        Self { file, millis, packets: stitched.report.packets }
    }

    fn path(&self) -> &str {
        self.file.path().to_str().expect("a plain path")
    }

    fn probe(&self, arguments: &[&str]) -> String {
        let format = ["-v", "error", "-of", "csv=p=0"];
        let output = run("ffprobe", &[&format[..], arguments, &[self.path()]].concat());
        assert_eq!(text(&output.stderr), "", "ffprobe complains");
        text(&output.stdout)
    }

    /// What ffmpeg decodes from `seek` seconds on, in milliseconds of sound. Where the recorder
    /// left sound out, silence fills in.
    fn decoded_millis(&self, seek: f64) -> f64 {
        let seek = seek.to_string();
        let fill = ["-map", "0:a:0", "-af", "aresample=async=1:min_hard_comp=0.01"];
        let sound = ["-f", "s16le", "-ar", "48000", "-ac", "1", "-"];
        let input = ["-v", "error", "-ss", &seek, "-i", self.path()];
        let output = run("ffmpeg", &[&input[..], &fill, &sound].concat());
        assert_eq!(text(&output.stderr), "", "ffmpeg complains after seeking to {seek} s");
        output.stdout.len() as f64 / 2.0 / 48.0
    }
}

fn combinations() -> Vec<Vec<&'static str>> {
    let mut combinations: Vec<_> = samples().map(|name| vec![name]).collect();
    combinations.extend([
        vec!["beep1", "beep2"],
        vec!["a_opus", "d_run2", "c_pause"],
        vec!["a_opus", "ff_a"],
        vec!["b_vp8", "d_vrun2"],
        vec!["b_vp8", "ff_v"],
    ]);
    combinations
}

#[test]
fn ffprobe_reads_the_duration_and_every_packet() {
    for names in combinations() {
        let saved = Saved::new(&stitch_samples(&names));
        let seconds = saved.probe(&["-show_entries", "format=duration"]);
        let millis = seconds.parse::<f64>().unwrap() * 1000.0;
        assert!((millis - saved.millis).abs() <= 1.0, "{names:?}: {millis} {}", saved.millis);
        let packets = saved.probe(&["-show_entries", "packet=size"]);
        assert_eq!(packets.lines().count() as u64, saved.packets, "{names:?}");
    }
}

#[test]
fn ffmpeg_decodes_every_combination_without_a_word() {
    for names in combinations() {
        let saved = Saved::new(&stitch_samples(&names));
        // Else ffmpeg guesses one frame rate for the pictures of two recorders, and complains.
        let own_times = ["-enc_time_base", "1/1000", "-f", "null", "-"];
        let input = ["-v", "error", "-i", saved.path()];
        let output = run("ffmpeg", &[&input[..], &own_times].concat());
        assert_eq!(text(&output.stderr), "", "{names:?}");
        assert!(output.status.success(), "{names:?}");
    }
}

#[test]
fn seeking_lands_where_it_was_asked_to_on_both_sides_of_the_join() {
    for names in [["a_opus", "d_run2"], ["a_opus", "ff_a"], ["b_vp8", "d_vrun2"]] {
        let saved = Saved::new(&stitch_samples(&names));
        let whole = saved.decoded_millis(0.0);
        for part in [0.2, 0.45, 0.55, 0.9] {
            let seek = saved.millis * part / 1000.0;
            let rest = saved.decoded_millis(seek);
            let expected = whole - seek * 1000.0;
            let off = (rest - expected).abs();
            assert!(off < 61.0, "{names:?} from {seek} s: {rest} ms instead of {expected} ms");
        }
    }
}
