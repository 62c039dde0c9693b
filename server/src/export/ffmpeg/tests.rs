//! Conversions, and what is told of those that come up against a limit.

use std::path::PathBuf;

use super::*;

#[test]
fn progress_is_read_from_its_line_and_from_no_other() {
    assert_eq!(done_by("out_time_us=1234567"), Some(Millis::new(1_234)));
    assert_eq!(done_by("out_time_us=N/A"), None);
    assert_eq!(done_by("out_time=00:00:01.23"), None);
}

fn recording(duration: Duration) -> Recording {
    Recording {
        key: "recordings/a/b.webm".to_owned(),
        mime: "video/webm".to_owned(),
        bytes: 1_000,
        digest: None,
        duration: Millis::new(u64::try_from(duration.as_millis()).unwrap()),
        left_out: 0,
    }
}

#[test]
fn a_conversion_may_take_as_long_and_as_much_as_its_recording_warrants_between_limits() {
    let wall_time = |duration| Bounds::of(&recording(duration), 0).wall_time;
    assert_eq!(wall_time(Duration::ZERO), WALL_TIME_MIN);
    let hour = Duration::from_secs(3_600);
    assert_eq!(wall_time(hour), hour * 4);
    assert_eq!(wall_time(hour * 3), WALL_TIME_MAX);
    assert_eq!(wall_time(hour * 100_000), WALL_TIME_MAX);
    let output_bytes = |room| Bounds::of(&recording(hour), room).output_bytes;
    assert_eq!(output_bytes(OUTPUT_BYTES_MIN / TIMES_AS_LARGE_MAX), OUTPUT_BYTES_MIN);
    assert!(output_bytes(OUTPUT_BYTES_MIN) > OUTPUT_BYTES_MIN);
    assert_eq!(output_bytes(u64::MAX), u64::MAX);
}

#[test]
fn the_limit_is_told_by_signal_code_or_complaint_even_of_a_success() {
    let (success, failed) = (ExitStatus::from_raw(0), ExitStatus::from_raw(1 << 8));
    let of = |status, line: &str| {
        let mut complaints = Complaints::default();
        complaints.hear(line);
        match judge(status, &complaints) {
            Ok(()) => Ok(()),
            Err(MakeError::PastLimit(limit)) => Err(Some(limit)),
            Err(_) => Err(None),
        }
    };
    let pixels = "Picture size 15000x15000 exceeds specified max pixel count 16777216, see";
    assert_eq!(of(success, ""), Ok(()));
    assert_eq!(of(success, "some packet is damaged"), Ok(()));
    assert_eq!(of(failed, "some packet is damaged"), Err(None));
    assert_eq!(of(success, pixels), Err(Some(PastLimit::Picture)));
    assert_eq!(of(failed, "x264 [error]: malloc of size 9 failed"), Err(Some(PastLimit::Memory)));
    assert_eq!(of(ExitStatus::from_raw(255 << 8), ""), Err(Some(PastLimit::Time)));
    assert_eq!(of(ExitStatus::from_raw(Signal::XFSZ.as_raw()), ""), Err(Some(PastLimit::Output)));
}

/// What a recorder wrote, as a file. `None` where there is no ffmpeg.
async fn recorded(folder: &Path) -> Option<PathBuf> {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../media/tests/fixtures");
    let chunk = |number| std::fs::read(fixtures.join(format!("b_vp8.{number:03}.chunk")));
    let chunks: Vec<Vec<u8>> = (0..).map_while(|number| chunk(number).ok()).collect();
    assert!(!chunks.is_empty());
    let file = folder.join("recorded.webm");
    std::fs::write(&file, chunks.concat()).unwrap();
    is_installed().await.then_some(file)
}

#[tokio::test]
async fn past_a_limit_it_is_ended_and_which_limit_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let Some(input) = recorded(folder.path()).await else { return };
    let output = folder.path().join("made.mp4");
    let wide = Bounds::of(&recording(Duration::ZERO), 0);
    let no_time = Bounds { wall_time: Duration::from_millis(5), ..wide };
    let no_room = Bounds { output_bytes: 5_000, ..wide };
    let limit = async |bounds| match convert(&input, &output, Format::Mp4, bounds, |_| {}).await {
        Ok(()) => None,
        Err(MakeError::PastLimit(limit)) => Some(limit),
        Err(error) => panic!("{error}"),
    };
    assert_eq!(limit(wide).await, None);
    assert_eq!(limit(no_time).await, Some(PastLimit::Time));
    assert_eq!(limit(no_room).await, Some(PastLimit::Output));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_process_has_its_limits_from_the_system() {
    let mut child = Command::new("sleep").arg("20").kill_on_drop(true).spawn().unwrap();
    let bounds = Bounds { wall_time: Duration::from_secs(600), output_bytes: 123_456 };
    limit(&child, bounds).unwrap();
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", child.id().unwrap()));
    let limits = limits.unwrap();
    let soft = |name: &str| {
        let line = limits.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().next().unwrap().parse::<u64>().unwrap()
    };
    assert_eq!(soft("Max address space"), MEMORY_BYTES_MAX);
    assert_eq!(soft("Max cpu time"), 600 * u64::from(THREADS_MAX));
    assert_eq!(soft("Max file size"), 123_456);
    assert_eq!(soft("Max core file size"), 0);
    child.kill().await.unwrap();
}

#[test]
fn complaints_are_heard_to_the_end_and_the_first_are_kept() {
    let mut complaints = Complaints::default();
    for _ in 0..1_000 {
        complaints.hear("nothing that matters");
    }
    complaints.hear("Cannot allocate memory");
    assert!(complaints.text.len() <= COMPLAINT_BYTES_MAX + 1, "{}", complaints.text.len());
    assert_eq!(complaints.limit, Some(PastLimit::Memory));
}
