//! Hands the candidate what this browser holds of recordings as files that play: one of each recorder run.
//! It stays where it is.

use bytes::Bytes;
use protocol::{Content, Item, SegmentNo, Seq, SessionId, TrackNo};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen_futures::spawn_local;

use crate::browser;
use crate::spool::{Spool, SpoolError};

#[wasm_bindgen(module = "/js/saving.js")]
extern "C" {
    type Files;

    #[wasm_bindgen(constructor)]
    fn new() -> Files;

    /// Appends to the file of this name.
    #[wasm_bindgen(method)]
    fn add(this: &Files, name: &str, bytes: &[u8]);

    #[wasm_bindgen(method)]
    fn save(this: &Files, archive: &str);
}

const ARCHIVE: &str = "holdfast-kept";

/// Items that only memory holds, or may; those of each session in their order.
pub(crate) type InMemory = Vec<(SessionId, Item)>;

/// What lies in the spool, of whatever session, and these.
pub(crate) fn save(spool: Spool, in_memory: InMemory) {
    spawn_local(async move {
        let mut saving = Saving { files: Files::new(), in_memory, runs: Vec::new() };
        if let Err(error) = saving.take_spooled(&spool).await {
            let why = error.to_string().into();
            browser::warn("Not all that is kept on this device could be saved.", &why);
        }
        for (session, item) in std::mem::take(&mut saving.in_memory) {
            saving.take(session, item);
        }
        saving.files.save(ARCHIVE);
    });
}

struct Saving {
    files: Files,
    /// Not taken yet.
    in_memory: InMemory,
    /// The file of each run.
    runs: Vec<(Run, String)>,
}

type Run = (SessionId, TrackNo, SegmentNo);

impl Saving {
    async fn take_spooled(&mut self, spool: &Spool) -> Result<(), SpoolError> {
        let (sessions, _) = spool.sessions().await?;
        for session in sessions {
            let mut next = Some(Seq::ZERO);
            while let Some(from) = next {
                let (items, after) = spool.next_items(session, from).await?;
                for item in items {
                    self.take_in_memory_up_to(session, item.seq);
                    self.take(session, item);
                }
                next = after;
            }
            self.take_in_memory_up_to(session, Seq::new(u64::MAX));
        }
        Ok(())
    }

    /// Items follow one another in the order of their numbers, wherever they are. What the spool holds under
    /// this number itself is taken from there.
    fn take_in_memory_up_to(&mut self, session: SessionId, seq: Seq) {
        let is_next = |(of, item): &(SessionId, Item)| *of == session && item.seq <= seq;
        while let Some(next) = self.in_memory.iter().position(is_next) {
            let (_, item) = self.in_memory.remove(next);
            if item.seq < seq {
                self.take(session, item);
            }
        }
    }

    fn take(&mut self, session: SessionId, item: Item) {
        let Content::Chunk { track, segment, bytes } = item.content else { return };
        let run = (session, track, segment);
        let known = self.runs.iter().find(|(known, _)| *known == run);
        let name = match (known, extension_of(&bytes)) {
            // Whatever it looks like, in the middle of a run.
            (Some((_, name)), _) => name.clone(),
            // Each is a file of its own.
            (None, Some(PICTURE)) => {
                let seq = ["-", &item.seq.to_string()].concat();
                name_of(session, track, segment, &seq, PICTURE)
            }
            (None, extension) => {
                let extension = extension.unwrap_or(CONTINUED);
                let name = name_of(session, track, segment, "", extension);
                self.runs.push((run, name.clone()));
                name
            }
        };
        self.files.add(&name, &bytes);
    }
}

const PICTURE: &str = "jpg";
/// Of a run whose beginning is not here: the server has it, and its tools can read the rest.
const CONTINUED: &str = "part";

/// By what bytes begin with. `None`: they are no beginning.
fn extension_of(bytes: &Bytes) -> Option<&'static str> {
    match bytes[..] {
        [0x1A, 0x45, 0xDF, 0xA3, ..] => Some("webm"),
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => Some("mp4"),
        [b'O', b'g', b'g', b'S', ..] => Some("ogg"),
        [0xFF, 0xD8, ..] => Some(PICTURE),
        _ => None,
    }
}

/// People count from 1.
fn name_of(
    session: SessionId,
    track: TrackNo,
    segment: SegmentNo,
    within: &str,
    extension: &str,
) -> String {
    let session = session.to_string();
    let track = (u16::from(track.get()) + 1).to_string();
    let run = (u64::from(segment.get()) + 1).to_string();
    let short = &session[session.len() - 12..];
    ["holdfast-", short, "-track-", &track, "-part-", &run, within, ".", extension].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::UnixMillis;

    #[test]
    fn a_run_is_called_by_its_place_and_by_what_it_begins_with() {
        let session = SessionId::from_parts(UnixMillis::new(1_795_257_600_000), [7; 10]);
        let name = |within, extension| {
            name_of(session, TrackNo::new(0), SegmentNo::new(1), within, extension)
        };
        let whole = name("", "webm");
        assert!(whole.starts_with("holdfast-") && whole.is_ascii(), "{whole}");
        assert!(whole.ends_with("-track-1-part-2.webm"), "{whole}");
        assert!(name("-12", PICTURE).ends_with("-track-1-part-2-12.jpg"));
        for (bytes, extension) in [
            (&b"\x1A\x45\xDF\xA3\x9F"[..], Some("webm")),
            (b"\0\0\0\x18ftypiso5", Some("mp4")),
            (b"OggS\0", Some("ogg")),
            (b"\xFF\xD8\xFF", Some("jpg")),
            (b"\x1F\x43\xB6\x75", None),
            (b"\x1A\x45\xDF", None),
            (b"", None),
        ] {
            assert_eq!(extension_of(&Bytes::from_static(bytes)), extension);
        }
    }
}
