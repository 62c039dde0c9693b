//! What the tools tell, for people and for programs. One structure for both, so that they cannot
//! disagree.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use app::format;
use media::{InspectedTrack, Inspection, Problem, SegmentReport, SourceTime, StitchReport};
use serde::Serialize;

use super::Told;
use super::join::Run;
use super::places::{self, Place};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Format {
    #[default]
    Text,
    Json,
}

/// Times are in milliseconds, sizes in bytes.
#[derive(Serialize)]
struct Stitched<'a> {
    file: &'a Path,
    duration_ms: f64,
    bytes: u64,
    packets: u64,
    clusters: u64,
    cues: u64,
    /// Packets that came in and are not in the file, and bytes of them or of what could not be read.
    left_out: u64,
    left_out_bytes: u64,
    segments: Vec<StitchedSegment<'a>>,
}

#[derive(Serialize)]
struct StitchedSegment<'a> {
    /// One, or those in which the chunks of the run are.
    files: &'a [PathBuf],
    start_ms: f64,
    duration_ms: f64,
    bytes: u64,
    packets: u64,
    dangling_bytes: u64,
    problems: Vec<String>,
    /// Those that stand nowhere in particular.
    #[serde(skip)]
    placeless: Vec<String>,
    /// Where runs begin, and where what is left out stands, in the order of the bytes.
    places: Vec<Place<'a>>,
}

#[derive(Serialize)]
struct Inspected<'a> {
    file: &'a Path,
    bytes: u64,
    /// Every size known, Duration and Cues right: it seeks everywhere.
    finished: bool,
    /// Why not.
    unfinished_because: Option<&'a str>,
    runs: Vec<InspectedRun<'a>>,
    dangling_bytes: u64,
    problems: Vec<String>,
}

#[derive(Serialize)]
struct InspectedRun<'a> {
    doc_type: &'a str,
    clusters: u64,
    duration_ms: f64,
    tracks: Vec<Track<'a>>,
}

#[derive(Serialize)]
struct Track<'a> {
    number: u64,
    kind: String,
    codec: &'a str,
    packets: u64,
    keyframes: u64,
    payload_bytes: u64,
    first_ms: Option<f64>,
    last_ms: Option<f64>,
    longest_step_ms: f64,
}

pub(super) fn of_stitch(format: Format, out: &Path, runs: &[Run], report: &StitchReport) -> Told {
    let segment = |(run, segment): (_, _)| StitchedSegment::new(run, segment);
    let left_out = report.left_out();
    let (is_whole, left_out) = (left_out.is_nothing(), left_out.all());
    let stitched = Stitched {
        file: out,
        duration_ms: millis(report.duration),
        bytes: report.bytes,
        packets: report.packets,
        clusters: report.clusters,
        cues: report.cues,
        left_out: left_out.packets,
        left_out_bytes: left_out.bytes,
        segments: runs.iter().zip(&report.segments).map(segment).collect(),
    };
    let text = match format {
        Format::Json => json(&stitched),
        Format::Text => stitched.text(),
    };
    Told { text, is_whole }
}

impl<'a> StitchedSegment<'a> {
    fn new(run: &'a Run, segment: &SegmentReport) -> Self {
        Self {
            files: &run.files,
            start_ms: millis(segment.start),
            duration_ms: millis(segment.duration),
            bytes: segment.account.bytes.pushed,
            packets: segment.packets(),
            dangling_bytes: segment.account.bytes.cut_off,
            problems: described(&segment.problems),
            placeless: places::placeless(segment).map(Problem::to_string).collect(),
            places: places::of(run, segment),
        }
    }

    /// What is wrong with it: place by place, and as a whole.
    fn say_what_is_wrong(&self, text: &mut String) {
        let is_one_file = self.files.len() == 1;
        for Place { file, at_byte, what, .. } in &self.places {
            say(text, |line| {
                if is_one_file {
                    write!(line, "    at byte {at_byte}: {what}")
                } else {
                    write!(line, "    {} at byte {at_byte}: {what}", file.display())
                }
            });
        }
        say_what_is_wrong(text, 0, &self.placeless);
    }
}

pub(super) fn of_inspection(
    format: Format,
    path: &Path,
    inspection: &Inspection,
    finished: &Result<(), String>,
) -> String {
    let inspected = Inspected {
        file: path,
        bytes: inspection.bytes,
        finished: finished.is_ok(),
        unfinished_because: finished.as_ref().err().map(String::as_str),
        runs: inspection.runs.iter().map(InspectedRun::new).collect(),
        dangling_bytes: inspection.dangling_bytes,
        problems: described(&inspection.problems),
    };
    match format {
        Format::Json => json(&inspected),
        Format::Text => inspected.text(),
    }
}

impl<'a> InspectedRun<'a> {
    fn new(run: &'a media::InspectedRun) -> Self {
        Self {
            doc_type: &run.doc_type,
            clusters: run.clusters,
            duration_ms: millis(run.duration),
            tracks: run.tracks.iter().map(Track::new).collect(),
        }
    }
}

impl<'a> Track<'a> {
    fn new(track: &'a InspectedTrack) -> Self {
        let at = |time: SourceTime| time.as_nanos() as f64 / 1e6;
        Self {
            number: track.number.0,
            kind: track.kind.to_string(),
            codec: &track.codec,
            packets: track.packets,
            keyframes: track.keyframes,
            payload_bytes: track.payload_bytes,
            first_ms: track.first.map(at),
            last_ms: track.last.map(at),
            longest_step_ms: millis(track.longest_step),
        }
    }
}

impl Stitched<'_> {
    fn text(&self) -> String {
        let mut text = format!(
            "{}: {}, {} packets, {}, from {}\n",
            self.file.display(),
            seconds(self.duration_ms),
            self.packets,
            format::size(self.bytes),
            format::count(self.segments.len() as u64, "segment", "segments"),
        );
        for segment in &self.segments {
            say(&mut text, |line| {
                write!(
                    line,
                    "  {}: at {}, {}, {} packets, {}",
                    names(segment.files),
                    seconds(segment.start_ms),
                    seconds(segment.duration_ms),
                    segment.packets,
                    format::size(segment.bytes)
                )
            });
            segment.say_what_is_wrong(&mut text);
        }
        text
    }
}

impl Inspected<'_> {
    fn text(&self) -> String {
        let finished = match self.unfinished_because {
            None => "finished, seeks everywhere".to_owned(),
            Some(why) => format!("not finished ({why})"),
        };
        let mut text =
            format!("{}: {}, {finished}\n", self.file.display(), format::size(self.bytes));
        for run in &self.runs {
            say(&mut text, |line| {
                let clusters = match run.doc_type {
                    "mp4" => format::count(run.clusters, "fragment", "fragments"),
                    _ => format::count(run.clusters, "cluster", "clusters"),
                };
                write!(line, "  {}: {}, {clusters}", run.doc_type, seconds(run.duration_ms))
            });
            for track in &run.tracks {
                say(&mut text, |line| track.write(line));
            }
        }
        say_what_is_wrong(&mut text, self.dangling_bytes, &self.problems);
        text
    }
}

impl Track<'_> {
    fn write(&self, line: &mut String) -> std::fmt::Result {
        let Self { number, kind, codec, packets, keyframes, .. } = self;
        write!(line, "    track {number}: {kind}, {codec}, {packets} packets")?;
        write!(line, ", {keyframes} keyframes, {}", format::size(self.payload_bytes))?;
        if let (Some(first), Some(last)) = (self.first_ms, self.last_ms) {
            let longest = self.longest_step_ms;
            write!(line, ", {} to {}", seconds(first), seconds(last))?;
            write!(line, ", at most {longest:.0} ms apart")?;
        }
        Ok(())
    }
}

fn names(files: &[PathBuf]) -> String {
    match files {
        [] => String::new(),
        [only] => only.display().to_string(),
        [first, .., last] => format!("{} to {}", first.display(), last.display()),
    }
}

fn say_what_is_wrong(text: &mut String, dangling_bytes: u64, problems: &[String]) {
    if dangling_bytes > 0 {
        let bytes = format::count(dangling_bytes, "byte", "bytes");
        say(text, |line| write!(line, "    ends in {bytes} of something that never came whole"));
    }
    for problem in problems {
        say(text, |line| write!(line, "    {problem}"));
    }
}

fn say(text: &mut String, write: impl FnOnce(&mut String) -> std::fmt::Result) {
    write(text).expect("writing to a String does not fail");
    text.push('\n');
}

fn described(problems: &[Problem]) -> Vec<String> {
    problems.iter().map(Problem::to_string).collect()
}

fn json(told: &impl Serialize) -> String {
    let mut text = serde_json::to_string_pretty(told).expect("numbers and texts become JSON");
    text.push('\n');
    text
}

fn millis(span: Duration) -> f64 {
    span.as_secs_f64() * 1000.0
}

fn seconds(millis: f64) -> String {
    format!("{:.3} s", millis / 1000.0)
}
