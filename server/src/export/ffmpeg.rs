//! ffmpeg, where it is installed, for forms that need another codec.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use protocol::Millis;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::Command;
use tokio::sync::OnceCell;
use tokio::time::timeout;

use super::{ExportError, Format};

const PROGRAM: &str = "ffmpeg";
/// It tells how far it is twice a second. One that says nothing for so long is stuck.
const SILENT_MAX: Duration = Duration::from_secs(60);
/// Bytes of its complaints that are kept.
const COMPLAINT_BYTES_MAX: u64 = 2_000;

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
    progress: impl Fn(Millis),
) -> Result<(), ExportError> {
    let mut child = Command::new(PROGRAM)
        .args(["-nostdin", "-v", "error", "-nostats", "-progress", "pipe:1", "-y", "-i"])
        .arg(input)
        .args(codecs(format))
        .arg(output)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let (Some(told), Some(complaints)) = (child.stdout.take(), child.stderr.take()) else {
        return Err(ExportError::Failed("ffmpeg has no output".to_owned()));
    };
    let complaints = tokio::spawn(read_complaints(complaints));
    let mut lines = BufReader::new(told).lines();
    while let Some(line) = timeout(SILENT_MAX, lines.next_line())
        .await
        .map_err(|_| ExportError::Failed("ffmpeg is stuck".to_owned()))??
    {
        if let Some(done) = done_by(&line) {
            progress(done);
        }
    }
    let status = timeout(SILENT_MAX, child.wait())
        .await
        .map_err(|_| ExportError::Failed("ffmpeg does not end".to_owned()))??;
    if status.success() {
        return Ok(());
    }
    let complaint = complaints.await.unwrap_or_default();
    Err(ExportError::Failed(format!("ffmpeg failed: {}", complaint.trim())))
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

/// All of them, so that it never waits to be heard; the first are kept.
async fn read_complaints(mut complaints: tokio::process::ChildStderr) -> String {
    let mut kept = Vec::new();
    let _ = (&mut complaints).take(COMPLAINT_BYTES_MAX).read_to_end(&mut kept).await;
    let _ = tokio::io::copy(&mut complaints, &mut tokio::io::sink()).await;
    String::from_utf8_lossy(&kept).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_read_from_its_line_and_from_no_other() {
        assert_eq!(done_by("out_time_us=1234567"), Some(Millis::new(1_234)));
        assert_eq!(done_by("out_time_us=N/A"), None);
        assert_eq!(done_by("out_time=00:00:01.23"), None);
    }
}
