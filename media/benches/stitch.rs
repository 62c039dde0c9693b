//! Two recorder runs into one file, beside what others take for the same: `cat`, which only copies,
//! `ffmpeg -f concat -c copy` and `mkvmerge`, where they are installed. The runs are made of what a
//! browser recorded, repeated. Prints a table of medians; every program runs in turn, round by round.
#![expect(clippy::print_stdout, reason = "the table is what this program is for")]

use std::fs::File;
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use media::limits::FILE_BUFFER_BYTES;
use media::{Schedule, Source, Stitcher, Waveforms, WriteBehind};

const ROUNDS: usize = 5;
/// Says to this program, started by itself, to stitch and to tell how much memory that took.
const AS_STITCHER: &str = "stitch-these";

/// What is recorded twice over.
struct Input {
    label: &'static str,
    fixture: &'static str,
    /// Of both runs together.
    bytes: u64,
}

const INPUTS: [Input; 2] = [
    Input { label: "1 GB of video", fixture: "b_vp8", bytes: 1_000_000_000 },
    Input { label: "1 h of audio", fixture: "beep1", bytes: 59_000_000 },
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.split_first() {
        Some((first, [out, runs @ ..])) if first == AS_STITCHER => {
            stitch(Path::new(out), runs.iter().map(Path::new));
            println!("{}", most_memory_kb());
            ExitCode::SUCCESS
        }
        _ => compare(),
    }
}

fn compare() -> ExitCode {
    let folder = tempfile::tempdir().expect("a folder for the inputs");
    println!("| input | program | median | times `cat` | memory |");
    println!("|---|---|---|---|---|");
    for input in INPUTS {
        let runs = [0, 1].map(|run| folder.path().join(format!("{}-{run}.webm", input.fixture)));
        for run in &runs {
            make_run(&input, run);
        }
        let out = folder.path().join("out.webm");
        let contenders = contenders(&runs, &out);
        let mut times = vec![Vec::new(); contenders.len()];
        let mut memory = vec![None; contenders.len()];
        for _ in 0..ROUNDS {
            for (place, (_, command)) in contenders.iter().enumerate() {
                let _ = std::fs::remove_file(&out);
                // What the program before has left to be written is not the next one's work.
                run(&["sync".to_owned()]);
                let (took, told) = run(command);
                times[place].push(took);
                memory[place] = told.trim().parse::<u64>().ok();
            }
        }
        let medians: Vec<_> = times.into_iter().map(median).collect();
        for (((name, _), took), kilobytes) in contenders.iter().zip(&medians).zip(memory) {
            let ratio = took.as_secs_f64() / medians[0].as_secs_f64();
            let memory =
                kilobytes.map_or(String::new(), |kilobytes| format!("{} MB", kilobytes / 1000));
            let millis = took.as_secs_f64() * 1_000.0;
            println!("| {} | {name} | {millis:.0} ms | {ratio:.2} | {memory} |", input.label);
        }
        if input.fixture == "beep1" {
            draw(&out);
            mix(&out, folder.path());
        }
    }
    ExitCode::SUCCESS
}

/// How much faster than it was recorded the sound of a file is drawn.
fn draw(file: &Path) {
    let started = Instant::now();
    let waveforms = Waveforms::from_webm(File::open(file).expect("a stitched file"));
    let took = started.elapsed();
    let waveforms = waveforms.expect("there is sound in it");
    let buckets = waveforms[0].peaks.buckets().len();
    let lasts = waveforms[0].peaks.level().bucket() * u32::try_from(buckets).expect("some hours");
    tell_speed("1 h of audio", "decoded to peaks", took, lasts);
}

/// The same voice twice, side by side, and how much faster than real time it becomes one sound.
fn mix(voice: &Path, folder: &Path) {
    let path = |name| folder.join(name);
    let create = |name| {
        let file = File::create(path(name)).expect("a file");
        BufWriter::with_capacity(FILE_BUFFER_BYTES, file)
    };
    let source = || Source {
        file: File::open(voice).expect("a stitched file"),
        schedule: Schedule::new(),
        labels: Vec::new(),
    };
    let (out, both) =
        media::combine(vec![source(), source()], create("both.webm")).expect("two voices");
    out.into_inner().expect("room");
    let both_file = File::open(path("both.webm")).expect("both voices");
    let started = Instant::now();
    let (out, _) = media::mix(both_file, create("mixed.webm")).expect("there is sound in it");
    out.into_inner().expect("room");
    tell_speed("1 h of two voices", "mixed into one", started.elapsed(), both.duration);
}

fn tell_speed(input: &str, what: &str, took: Duration, lasts: Duration) {
    let speed = lasts.as_secs_f64() / took.as_secs_f64();
    let millis = took.as_secs_f64() * 1_000.0;
    println!("| {input} | {what} | {millis:.0} ms | {speed:.0} × real time | |");
}

/// One run as long as half of the input.
fn make_run(input: &Input, path: &Path) {
    let chunks = recording(input.fixture);
    let out = BufWriter::with_capacity(FILE_BUFFER_BYTES, File::create(path).expect("a file"));
    let mut stitcher = Stitcher::new(out).expect("room");
    let repeats = (input.bytes / 2).div_ceil(chunks.len() as u64);
    for _ in 0..repeats.min(media::limits::SEGMENTS_MAX as u64) {
        stitcher.begin_segment().expect("no segment is open");
        stitcher.push(&chunks).expect("room");
        stitcher.end_segment().expect("room");
    }
    let (mut out, _) = stitcher.finish().expect("there are packets").accept(|_| ());
    out.flush().expect("room");
}

/// What a browser recorded; the chunks are the fixtures of the tests.
fn recording(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let chunk = |number| std::fs::read(folder.join(format!("{name}.{number:03}.chunk"))).ok();
    (0..).map_while(chunk).flatten().collect()
}

fn stitch<'a>(out: &Path, runs: impl Iterator<Item = &'a Path>) {
    let out = WriteBehind::new(File::create(out).expect("a file")).expect("a thread");
    let mut stitcher = Stitcher::new(out).expect("room");
    let mut piece = vec![0; FILE_BUFFER_BYTES];
    for run in runs {
        let mut run = File::open(run).expect("a run");
        stitcher.begin_segment().expect("no segment is open");
        loop {
            match run.read(&mut piece).expect("a readable run") {
                0 => break,
                bytes => stitcher.push(&piece[..bytes]).expect("room"),
            }
        }
        stitcher.end_segment().expect("room");
    }
    let (mut out, _) = stitcher.finish().expect("there are packets").accept(|_| ());
    out.flush().expect("room");
}

fn contenders(runs: &[PathBuf; 2], out: &Path) -> Vec<(&'static str, Vec<String>)> {
    let text = |path: &Path| path.to_str().expect("a plain path").to_owned();
    let [one, other] = runs.each_ref().map(|run| text(run));
    let out = text(out);
    let list = format!("{out}.txt");
    std::fs::write(&list, format!("file '{one}'\nfile '{other}'\n")).expect("room");
    let ours = std::env::current_exe().expect("this program");
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let mut contenders = vec![
        ("`cat`", words(&["sh", "-c", "cat \"$1\" \"$2\" >\"$3\"", "sh", &one, &other, &out])),
        ("Holdfast", words(&[&text(&ours), AS_STITCHER, &out, &one, &other])),
    ];
    let ffmpeg = ["ffmpeg", "-v", "error", "-f", "concat", "-safe", "0", "-i", &list, "-c", "copy"];
    contenders.push(("ffmpeg concat", words(&[&ffmpeg[..], &[&out]].concat())));
    contenders.push(("mkvmerge", words(&["mkvmerge", "-q", "-w", "-o", &out, &one, "+", &other])));
    contenders.retain(|(_, command)| is_there(&command[0]));
    contenders
}

fn is_there(program: &str) -> bool {
    let mut asked = Command::new(program);
    asked.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
    program.contains('/') || asked.spawn().is_ok_and(|mut child| child.wait().is_ok())
}

fn run(command: &[String]) -> (Duration, String) {
    let started = Instant::now();
    let output = Command::new(&command[0])
        .args(&command[1..])
        .stderr(Stdio::inherit())
        .output()
        .expect("a program that was there before");
    let took = started.elapsed();
    assert!(output.status.success(), "{command:?}");
    (took, String::from_utf8_lossy(&output.stdout).into_owned())
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// The most that this process ever held, where the system tells it.
fn most_memory_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse().ok()).unwrap_or_default()
}
