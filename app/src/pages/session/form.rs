//! What a recording is made of, as people call it, and what to ask a browser that should play it.

use protocol::TrackNo;
use timeline::Segment;

/// The container of a recording, and the codecs in it as far as its recorder named them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Form {
    container: Container,
    codecs: Vec<Codec>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Container {
    WebM,
    Mp4,
    Ogg,
}

/// Pictures first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Codec {
    Vp8,
    Vp9,
    Av1,
    H264,
    H265,
    Opus,
    Vorbis,
    Aac,
}

impl Form {
    /// Of a file of this type that is made of these tracks' recorder runs; of all, when none is named.
    pub(super) fn of(mime: &str, segments: &[Segment], tracks: &[TrackNo]) -> Self {
        let is_in = |one: &&Segment| tracks.is_empty() || tracks.contains(&one.track);
        let runs = segments.iter().filter(is_in);
        let mut codecs: Vec<Codec> = runs.flat_map(|run| codecs(&run.mime)).collect();
        codecs.sort_unstable();
        codecs.dedup();
        Self { container: Container::of(mime), codecs }
    }

    /// `MP4 with H.264 pictures and AAC sound`, as far as it is known.
    pub(super) fn description(&self) -> String {
        let name = self.container.name();
        let list = |is_sound: bool, what: &str| {
            let codecs = self.codecs.iter().filter(|codec| codec.is_sound() == is_sound);
            let names: Vec<&str> = codecs.map(|codec| codec.name()).collect();
            (!names.is_empty()).then(|| format!("{} {what}", names.join(" and ")))
        };
        let parts: Vec<String> =
            [list(false, "pictures"), list(true, "sound")].into_iter().flatten().collect();
        if parts.is_empty() {
            return name.to_owned();
        }
        format!("{name} with {}", parts.join(" and "))
    }

    /// Types that a browser must be able to play; by `canPlayType`, which answers for one codec at a
    /// time. A codec in a container in which no browser claims it is asked for in its usual one.
    pub(super) fn types(&self) -> String {
        let types: Vec<&str> =
            self.codecs.iter().map(|codec| codec.type_in(self.container)).collect();
        types.join("|")
    }
}

impl Container {
    fn of(mime: &str) -> Self {
        match mime.split_once('/').map_or(mime, |(_, container)| container) {
            "mp4" => Self::Mp4,
            "ogg" => Self::Ogg,
            _ => Self::WebM,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::WebM => "WebM",
            Self::Mp4 => "MP4",
            Self::Ogg => "Ogg",
        }
    }
}

impl Codec {
    /// By the beginning of its name in a type (RFC 6381), or as recorders call it.
    fn of(name: &str) -> Option<Self> {
        let name = name.trim().trim_matches('"').to_ascii_lowercase();
        let kinds: [(&[&str], Self); 8] = [
            (&["vp8", "vp08"], Self::Vp8),
            (&["vp9", "vp09"], Self::Vp9),
            (&["av1", "av01"], Self::Av1),
            (&["avc", "h264"], Self::H264),
            (&["hvc", "hev", "h265"], Self::H265),
            (&["opus"], Self::Opus),
            (&["vorbis"], Self::Vorbis),
            (&["mp4a", "aac"], Self::Aac),
        ];
        let is_it = |starts: &&[&str]| starts.iter().any(|start| name.starts_with(start));
        kinds.iter().find(|(starts, _)| is_it(starts)).map(|(_, codec)| *codec)
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Vp8 => "VP8",
            Self::Vp9 => "VP9",
            Self::Av1 => "AV1",
            Self::H264 => "H.264",
            Self::H265 => "H.265",
            Self::Opus => "Opus",
            Self::Vorbis => "Vorbis",
            Self::Aac => "AAC",
        }
    }

    const fn is_sound(self) -> bool {
        matches!(self, Self::Opus | Self::Vorbis | Self::Aac)
    }

    const fn type_in(self, container: Container) -> &'static str {
        match (self, container) {
            (Self::Vp8, _) => "video/webm; codecs=\"vp8\"",
            (Self::Vp9, Container::Mp4) => "video/mp4; codecs=\"vp09.00.10.08\"",
            (Self::Vp9, Container::WebM | Container::Ogg) => "video/webm; codecs=\"vp9\"",
            (Self::Av1, _) => "video/mp4; codecs=\"av01.0.04M.08\"",
            (Self::H264, _) => "video/mp4; codecs=\"avc1.42E01F\"",
            (Self::H265, _) => "video/mp4; codecs=\"hvc1.1.6.L93.B0\"",
            (Self::Opus, Container::WebM) => "audio/webm; codecs=\"opus\"",
            (Self::Opus, Container::Mp4) => "audio/mp4; codecs=\"opus\"",
            (Self::Opus, Container::Ogg) => "audio/ogg; codecs=\"opus\"",
            (Self::Vorbis, Container::Ogg) => "audio/ogg; codecs=\"vorbis\"",
            (Self::Vorbis, Container::WebM | Container::Mp4) => "audio/webm; codecs=\"vorbis\"",
            (Self::Aac, _) => "audio/mp4; codecs=\"mp4a.40.2\"",
        }
    }
}

/// What a recorder's type says that it writes: `video/mp4;codecs=avc1.42E01F,mp4a.40.2`.
fn codecs(mime: &str) -> Vec<Codec> {
    let named = mime.split(';').skip(1).filter_map(|parameter| parameter.trim().split_once('='));
    let lists = named.filter(|(name, _)| name.eq_ignore_ascii_case("codecs"));
    lists.flat_map(|(_, list)| list.trim_matches('"').split(',')).filter_map(Codec::of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::{Millis, SegmentNo, TrackKind};

    fn run(track: u8, mime: &str) -> Segment {
        let (track, number) = (TrackNo::new(track), SegmentNo::new(0));
        let segment = Segment::new(track, number, TrackKind::Microphone, Millis::ZERO);
        Segment { mime: mime.to_owned(), ..segment }
    }

    #[test]
    fn a_recording_is_named_by_its_container_and_what_its_recorders_said() {
        for (mime, recorder, description) in [
            ("audio/webm", "audio/webm;codecs=opus", "WebM with Opus sound"),
            ("video/webm", "video/webm;codecs=vp8,opus", "WebM with VP8 pictures and Opus sound"),
            (
                "video/mp4",
                "video/mp4; codecs=\"avc1.42E01F, mp4a.40.2\"",
                "MP4 with H.264 pictures and AAC sound",
            ),
            (
                "video/webm",
                "video/x-matroska;codecs=avc1,opus",
                "WebM with H.264 pictures and Opus sound",
            ),
            ("audio/ogg", "audio/ogg;codecs=opus", "Ogg with Opus sound"),
            ("audio/mp4", "audio/mp4", "MP4"),
            ("audio/webm", "<b>;codecs=<script>", "WebM"),
        ] {
            assert_eq!(Form::of(mime, &[run(0, recorder)], &[]).description(), description);
        }
    }

    #[test]
    fn only_what_is_in_the_file_is_asked_for_and_each_once() {
        let runs = [
            run(0, "audio/webm;codecs=opus"),
            run(1, "video/webm;codecs=vp9"),
            run(0, "audio/webm;codecs=opus"),
            run(2, "audio/mp4;codecs=mp4a.40.2"),
        ];
        let form = Form::of("video/webm", &runs, &[TrackNo::new(0), TrackNo::new(1)]);
        assert_eq!(form.types(), "video/webm; codecs=\"vp9\"|audio/webm; codecs=\"opus\"");
        assert_eq!(form.description(), "WebM with VP9 pictures and Opus sound");
        assert_eq!(Form::of("audio/mp4", &[run(0, "audio/mp4")], &[]).types(), "");
    }
}
