//! ffmpeg, where it is installed, for forms that need another codec.
//!
//! It reads what strangers sent, so it is held to limits: what it opens, how large a picture, and how
//! much memory, time and room it may take.

use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use ledger::Format;
use protocol::Millis;
use rustix::process::Signal;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStderr, Command};
use tokio::sync::OnceCell;
use tokio::time::timeout;

use super::error::MakeError;
use crate::store::Recording;

const PROGRAM: &str = "ffmpeg";
/// It tells how far it is twice a second. One that says nothing for so long is stuck.
const SILENT_MAX: Duration = Duration::from_secs(60);
/// Bytes of its complaints that are kept.
const COMPLAINT_BYTES_MAX: usize = 2_000;

/// Pixels of a picture. Screens have up to 15 million; a keyframe of a few bytes may claim 268.
const PIXELS_MAX: u32 = 4_096 * 4_096;
/// Of its address space. Pictures of the largest size take 1.6 GB to be encoded.
const MEMORY_BYTES_MAX: u64 = 3 * 1024 * 1024 * 1024;
/// Bytes that it allocates at once.
const ALLOCATION_BYTES_MAX: u32 = 256 * 1024 * 1024;
/// For each of decoding, filtering and encoding.
const THREADS_MAX: u8 = 2;
/// It may take so many times as long as the recording plays, but no less and no more than these.
const TIMES_AS_LONG_MAX: u64 = 4;
const WALL_TIME_MIN: Duration = Duration::from_secs(10 * 60);
const WALL_TIME_MAX: Duration = Duration::from_secs(12 * 60 * 60);
/// Processor time after the one at which it is told to end; then it is killed.
#[cfg(target_os = "linux")]
const CPU_SECONDS_TO_END: u64 = 10;
/// What it writes may be so many times as large as was estimated, and no less than this.
const TIMES_AS_LARGE_MAX: u64 = 8;
const OUTPUT_BYTES_MIN: u64 = 256 * 1024 * 1024;

/// It tells of a signal that it had to end for by this code.
const ENDED_BY_SIGNAL: i32 = 255;
/// What it complains of, and the limit that this means.
const COMPLAINTS: [(&str, PastLimit); 4] = [
    ("exceeds specified max pixel count", PastLimit::Picture),
    ("Cannot allocate memory", PastLimit::Memory),
    ("malloc of size", PastLimit::Memory),
    ("File too large", PastLimit::Output),
];

/// A limit that a conversion came up against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PastLimit {
    #[error("a picture in it has more than {PIXELS_MAX} pixels")]
    Picture,
    #[error("it takes more than {} MiB of memory", MEMORY_BYTES_MAX / (1024 * 1024))]
    Memory,
    #[error("it takes more time than is allowed for its length")]
    Time,
    #[error("it becomes larger than is allowed for its length")]
    Output,
}

/// What one conversion may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bounds {
    wall_time: Duration,
    output_bytes: u64,
}

impl PastLimit {
    pub(super) const ALL: [Self; 4] = [Self::Picture, Self::Memory, Self::Time, Self::Output];
}

impl Bounds {
    /// `room` is about what it takes.
    pub(super) fn of(recording: &Recording, room: u64) -> Self {
        let millis = recording.duration.get().saturating_mul(TIMES_AS_LONG_MAX);
        Self {
            wall_time: Duration::from_millis(millis).clamp(WALL_TIME_MIN, WALL_TIME_MAX),
            output_bytes: room.saturating_mul(TIMES_AS_LARGE_MAX).max(OUTPUT_BYTES_MIN),
        }
    }

    #[cfg(target_os = "linux")]
    fn cpu_seconds(self) -> u64 {
        self.wall_time.as_secs().saturating_mul(u64::from(THREADS_MAX))
    }
}

/// Looked for once: who installs it later restarts the server.
pub(super) async fn is_installed() -> bool {
    static IS_INSTALLED: OnceCell<bool> = OnceCell::const_new();
    let look = async || {
        let mut command = Command::new(PROGRAM);
        command.arg("-version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().await.is_ok_and(|status| status.success())
    };
    *IS_INSTALLED.get_or_init(look).await
}

/// Writes `output`, which may be there already, and tells how much of it is done.
pub(super) async fn convert(
    input: &Path,
    output: &Path,
    format: Format,
    bounds: Bounds,
    progress: impl Fn(Millis),
) -> Result<(), MakeError> {
    let mut child = Command::new(PROGRAM)
        .args(["-nostdin", "-v", "error", "-nostats", "-progress", "pipe:1", "-y"])
        .args(["-filter_threads", &THREADS_MAX.to_string()])
        .args(reading(input, format))
        .arg("-i")
        .arg(input)
        .args(codecs(format))
        .args(["-threads", &THREADS_MAX.to_string()])
        .arg(output)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    limit(&child, bounds)?;
    let Some(complaints) = child.stderr.take() else {
        return Err(MakeError::Ffmpeg("it has no output".to_owned()));
    };
    let complaints = tokio::spawn(read_complaints(complaints));
    // Dropped, it is killed.
    let status = timeout(bounds.wall_time, follow(child, progress))
        .await
        .map_err(|_| MakeError::PastLimit(PastLimit::Time))??;
    let complaints = complaints.await.unwrap_or_default();
    judge(status, &complaints)
}

/// What is said before the input: nothing of it is guessed, nothing else is opened.
fn reading(input: &Path, format: Format) -> Vec<String> {
    let is_webm = input.extension().is_some_and(|extension| extension == "webm");
    let mut arguments = vec![
        "-f".to_owned(),
        if is_webm { "matroska" } else { "mov" }.to_owned(),
        "-protocol_whitelist".to_owned(),
        "file".to_owned(),
        "-max_alloc".to_owned(),
        ALLOCATION_BYTES_MAX.to_string(),
        "-max_pixels".to_owned(),
        PIXELS_MAX.to_string(),
        "-threads".to_owned(),
        THREADS_MAX.to_string(),
    ];
    match format {
        // Pictures are not even looked at.
        Format::Mp3 | Format::Wav => arguments.push("-vn".to_owned()),
        Format::Mp4 | Format::Timeline | Format::Ogg | Format::Zip => {}
    }
    arguments
}

/// From the first moment of its own on: it has only just been loaded.
#[cfg(target_os = "linux")]
fn limit(child: &Child, bounds: Bounds) -> io::Result<()> {
    use rustix::io::Errno;
    use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
    let Some(pid) = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw) else {
        return Ok(());
    };
    let cpu = bounds.cpu_seconds();
    for (resource, soft, hard) in [
        (Resource::As, MEMORY_BYTES_MAX, MEMORY_BYTES_MAX),
        (Resource::Cpu, cpu, cpu.saturating_add(CPU_SECONDS_TO_END)),
        (Resource::Fsize, bounds.output_bytes, bounds.output_bytes),
        (Resource::Core, 0, 0),
    ] {
        // The server may have a stricter one of its own.
        let most = getrlimit(resource).maximum.unwrap_or(u64::MAX);
        let new = Rlimit { current: Some(soft.min(most)), maximum: Some(hard.min(most)) };
        match prlimit(Some(pid), resource, new) {
            // It has come to its end already.
            Ok(_) | Err(Errno::SRCH) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Elsewhere its own options have to do.
#[cfg(not(target_os = "linux"))]
fn limit(_child: &Child, _bounds: Bounds) -> io::Result<()> {
    Ok(())
}

async fn follow(mut child: Child, progress: impl Fn(Millis)) -> Result<ExitStatus, MakeError> {
    let Some(told) = child.stdout.take() else {
        return Err(MakeError::Ffmpeg("it has no output".to_owned()));
    };
    let mut lines = BufReader::new(told).lines();
    while let Some(line) = timeout(SILENT_MAX, lines.next_line())
        .await
        .map_err(|_| MakeError::Ffmpeg("it is stuck".to_owned()))??
    {
        if let Some(done) = done_by(&line) {
            progress(done);
        }
    }
    let status = timeout(SILENT_MAX, child.wait())
        .await
        .map_err(|_| MakeError::Ffmpeg("it does not end".to_owned()))??;
    Ok(status)
}

/// It leaves pictures out that are past a limit, and calls that a success.
fn judge(status: ExitStatus, complaints: &Complaints) -> Result<(), MakeError> {
    let by_signal = match status.signal() {
        Some(signal) if signal == Signal::XFSZ.as_raw() => Some(PastLimit::Output),
        Some(signal) if signal == Signal::XCPU.as_raw() => Some(PastLimit::Time),
        Some(_) | None => (status.code() == Some(ENDED_BY_SIGNAL)).then_some(PastLimit::Time),
    };
    if let Some(limit) = by_signal.or(complaints.limit) {
        return Err(MakeError::PastLimit(limit));
    }
    if status.success() {
        return Ok(());
    }
    Err(MakeError::Ffmpeg(complaints.text.trim().to_owned()))
}

/// Of each kind the first track: left to itself, ffmpeg takes the sound with the most channels.
fn codecs(format: Format) -> &'static [&'static str] {
    match format {
        Format::Mp3 => &["-map", "0:a:0", "-vn", "-c:a", "libmp3lame", "-q:a", "4"],
        Format::Wav => &["-map", "0:a:0", "-vn", "-c:a", "pcm_s16le"],
        Format::Mp4 => &[
            "-map",
            "0:v:0",
            "-map",
            "0:a:0?",
            "-c:v",
            "libx264",
            "-preset",
            "veryfast",
            "-crf",
            "23",
            "-pix_fmt",
            "yuv420p",
            "-c:a",
            "aac",
            "-movflags",
            "+faststart",
        ],
        Format::Timeline | Format::Ogg | Format::Zip => &[],
    }
}

fn done_by(line: &str) -> Option<Millis> {
    let micros: u64 = line.strip_prefix("out_time_us=")?.trim().parse().ok()?;
    Some(Millis::new(micros / 1_000))
}

/// What it complained of.
#[derive(Debug, Default)]
struct Complaints {
    /// The first of them.
    text: String,
    limit: Option<PastLimit>,
}

impl Complaints {
    fn hear(&mut self, line: &str) {
        let limit = COMPLAINTS.iter().find(|(part, _)| line.contains(part));
        self.limit = self.limit.or(limit.map(|(_, limit)| *limit));
        let room = COMPLAINT_BYTES_MAX.saturating_sub(self.text.len());
        let kept = &line[..line.floor_char_boundary(room)];
        if !kept.is_empty() {
            self.text.push_str(kept);
            self.text.push('\n');
        }
    }
}

/// All of them, so that it never waits to be heard.
async fn read_complaints(complaints: ChildStderr) -> Complaints {
    let mut heard = Complaints::default();
    let mut lines = BufReader::new(complaints).split(b'\n');
    while let Ok(Some(line)) = lines.next_segment().await {
        heard.hear(&String::from_utf8_lossy(&line));
    }
    heard
}

#[cfg(test)]
mod tests;
