//! Durations, sizes, counts and ranges as people read them. Integers only: float formatting would
//! add to what the browser downloads.

use protocol::{Millis, SeqSet, TrackKind};

/// Ranges that [`ranges`] writes out before it sums up the rest.
const RANGES_SHOWN_MAX: usize = 6;

/// As on a clock: `0:07`, `12:05`, `1:02:03`. A second counts once it is over.
pub fn duration(span: Millis) -> String {
    let secs = span.get() / 1000;
    let (hours, minutes, seconds) = (secs / 3600, secs / 60 % 60, secs % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

/// In words: `12 s`, `2 min 5 s`, `1 h 2 min`. Rounded, but never to nothing.
pub fn span(span: Millis) -> String {
    let secs = match span.get() {
        0 => 0,
        millis => (millis.saturating_add(500) / 1000).max(1),
    };
    let (hours, minutes, seconds) = (secs / 3600, secs / 60 % 60, secs % 60);
    match (hours, minutes, seconds) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, 0) => format!("{minutes} min"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, 0, _) => format!("{hours} h"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

/// As [`span`], with tenths of a second below ten: `0.3 s`, `9.9 s`, `12 s`.
pub fn fine_span(short: Millis) -> String {
    match short.get().saturating_add(50) / 100 {
        0 if short > Millis::ZERO => "0.1 s".to_owned(),
        tenths if tenths.is_multiple_of(10) || tenths >= 100 => span(short),
        tenths => format!("{}.{} s", tenths / 10, tenths % 10),
    }
}

/// In decimal units: `512 B`, `16.4 KB`, `190 KB`, `1.2 MB`.
pub fn size(bytes: u64) -> String {
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let mut unit: u64 = 1000;
    for name in ["KB", "MB", "GB", "TB"] {
        let tenths = bytes.saturating_add(unit / 20) / (unit / 10);
        let whole = bytes.saturating_add(unit / 2) / unit;
        if tenths < 1000 {
            return match tenths % 10 {
                0 => format!("{whole} {name}"),
                tenth => format!("{}.{tenth} {name}", tenths / 10),
            };
        }
        if whole < 1000 {
            return format!("{whole} {name}");
        }
        unit *= 1000;
    }
    format!("{} PB", bytes / unit)
}

/// `1 chunk`, `4 chunks`, `12,345 chunks`.
pub fn count(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(number), if number == 1 { one } else { many })
}

/// `12,345`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `5`, `5–9 and 12`, `1, 3, 5–9 and 120 more`; empty for an empty set.
pub fn ranges(set: &SeqSet) -> String {
    let mut parts = Vec::new();
    let mut shown: u64 = 0;
    for range in set.ranges().take(RANGES_SHOWN_MAX) {
        let (first, last) = (range.start().get(), range.end().get());
        shown = shown.saturating_add((last - first).saturating_add(1));
        parts.push(if first == last { first.to_string() } else { format!("{first}–{last}") });
    }
    let rest = set.len().saturating_sub(shown);
    if rest > 0 {
        parts.push(format!("{} more", grouped(rest)));
    }
    match parts.split_last() {
        None => String::new(),
        Some((only, [])) => only.clone(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
    }
}

/// `Nothing is missing`, `Chunk 5 never arrived`, `Chunks 5–9 have not arrived yet`.
pub fn missing(set: &SeqSet, may_still_arrive: bool) -> String {
    match (set.len(), may_still_arrive) {
        (0, _) => "Nothing is missing".to_owned(),
        (1, true) => format!("Chunk {} has not arrived yet", ranges(set)),
        (1, false) => format!("Chunk {} never arrived", ranges(set)),
        (_, true) => format!("Chunks {} have not arrived yet", ranges(set)),
        (_, false) => format!("Chunks {} never arrived", ranges(set)),
    }
}

/// What is said of recorder runs that are in no file, or not wholly.
pub fn left_out(runs: u32) -> String {
    let parts = count(runs.into(), "part", "parts");
    [&parts, " could not be put into the file, or not wholly; the server keeps what arrived"]
        .concat()
}

pub const fn track_kind(kind: TrackKind) -> &'static str {
    match kind {
        TrackKind::Microphone => "Microphone",
        TrackKind::Camera => "Camera",
        TrackKind::Screen => "Screen",
        TrackKind::SystemAudio => "System audio",
        TrackKind::Stills => "Camera pictures",
    }
}

/// What a track is and, if the browser told, of which device: `Microphone: Desk`.
pub fn track_name(kind: TrackKind, label: &str) -> String {
    match label {
        "" => track_kind(kind).to_owned(),
        label => format!("{}: {label}", track_kind(kind)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::Seq;

    fn set(seqs: impl IntoIterator<Item = u64>) -> SeqSet {
        seqs.into_iter().map(Seq::new).collect()
    }

    #[test]
    fn a_duration_reads_like_a_clock() {
        for (millis, text) in [
            (0, "0:00"),
            (999, "0:00"),
            (1_000, "0:01"),
            (7_000, "0:07"),
            (59_999, "0:59"),
            (60_000, "1:00"),
            (725_000, "12:05"),
            (3_599_999, "59:59"),
            (3_600_000, "1:00:00"),
            (3_723_000, "1:02:03"),
            (360_000_000, "100:00:00"),
        ] {
            assert_eq!(duration(Millis::new(millis)), text);
        }
    }

    #[test]
    fn a_span_is_rounded_but_never_to_nothing() {
        for (millis, text) in [
            (0, "0 s"),
            (1, "1 s"),
            (1_499, "1 s"),
            (1_500, "2 s"),
            (59_499, "59 s"),
            (59_500, "1 min"),
            (125_000, "2 min 5 s"),
            (3_600_000, "1 h"),
            (3_725_000, "1 h 2 min"),
            (u64::MAX, "5124095576030 h 25 min"),
        ] {
            assert_eq!(span(Millis::new(millis)), text);
        }
    }

    #[test]
    fn a_short_span_has_tenths() {
        for (millis, text) in [
            (0, "0 s"),
            (1, "0.1 s"),
            (349, "0.3 s"),
            (350, "0.4 s"),
            (980, "1 s"),
            (3_200, "3.2 s"),
            (9_949, "9.9 s"),
            (9_950, "10 s"),
            (12_400, "12 s"),
            (125_000, "2 min 5 s"),
        ] {
            assert_eq!(fine_span(Millis::new(millis)), text);
        }
    }

    #[test]
    fn a_size_has_at_most_three_digits() {
        for (bytes, text) in [
            (0, "0 B"),
            (512, "512 B"),
            (999, "999 B"),
            (1_000, "1 KB"),
            (16_384, "16.4 KB"),
            (99_949, "99.9 KB"),
            (99_950, "100 KB"),
            (190_400, "190 KB"),
            (999_499, "999 KB"),
            (999_500, "1 MB"),
            (1_240_000, "1.2 MB"),
            (2_500_000_000, "2.5 GB"),
            (u64::MAX, "18446 PB"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }

    #[test]
    fn a_count_agrees_with_its_noun() {
        assert_eq!(count(0, "chunk", "chunks"), "0 chunks");
        assert_eq!(count(1, "chunk", "chunks"), "1 chunk");
        assert_eq!(count(999, "chunk", "chunks"), "999 chunks");
        assert_eq!(count(1_234_567, "chunk", "chunks"), "1,234,567 chunks");
    }

    #[test]
    fn what_is_missing_is_said_in_words() {
        assert_eq!(missing(&set([]), true), "Nothing is missing");
        assert_eq!(missing(&set([5]), false), "Chunk 5 never arrived");
        assert_eq!(missing(&set([5]), true), "Chunk 5 has not arrived yet");
        assert_eq!(missing(&set(5..=9), false), "Chunks 5–9 never arrived");
        assert_eq!(
            missing(&set((5..=9).chain([12, 20, 21])), true),
            "Chunks 5–9, 12 and 20–21 have not arrived yet"
        );
    }

    #[test]
    fn what_is_in_no_file_is_said_to_be_kept() {
        let one =
            "1 part could not be put into the file, or not wholly; the server keeps what arrived";
        assert_eq!(left_out(1), one);
        assert!(left_out(2).starts_with("2 parts could not"), "{}", left_out(2));
    }

    #[test]
    fn a_thousand_holes_are_summed_up() {
        let every_other = set((0..2_000).step_by(2));
        assert_eq!(ranges(&every_other), "0, 2, 4, 6, 8, 10 and 994 more");
        assert_eq!(ranges(&set((0..12).step_by(2))), "0, 2, 4, 6, 8 and 10");
        let everything = SeqSet::up_to(Seq::new(u64::MAX));
        assert_eq!(ranges(&everything), "0–18446744073709551615");
    }
}
