//! Everything there is of a session in one ZIP: the recording, the files of its tracks, the pictures,
//! and what is known of it as JSON.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufWriter, Read, Write as _};

use media::limits::FILE_BUFFER_BYTES;
use protocol::{TrackKind, TrackNo};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::error::MakeError;
use crate::dto;
use crate::recording::extension_of;
use crate::store::{KeptFile, Recording, Session, Store, TrackFile, track_stem};

/// A file's name and its text.
pub(super) type Document = (&'static str, String);

/// Files that stand one after the other in what is read, with their names and lengths.
pub(super) struct Entry<R> {
    pub(super) reader: R,
    pub(super) names: Vec<(String, u64)>,
}

pub(super) async fn documents(
    store: &Store,
    session: &Session,
) -> Result<Vec<Document>, MakeError> {
    let documents = dto::documents(store, session.id).await;
    let (details, events) = documents.map_err(MakeError::Documents)?;
    Ok(vec![("session.json", details), ("events.json", events)])
}

/// What is in the archive, by the files it comes from. A track that is the recording is not in it
/// twice.
pub(super) async fn contents(
    store: &Store,
    session: &Session,
    recording: &Recording,
    tracks: &[TrackFile],
) -> Result<Vec<(KeptFile, Vec<(String, u64)>)>, MakeError> {
    let mut kinds: HashMap<TrackNo, TrackKind> = HashMap::new();
    for segment in store.segments(session.id).await? {
        kinds.entry(segment.track).or_insert(segment.kind);
    }
    let frames = store.frames(session.id).await?;
    let name = format!("recording.{}", extension_of(&recording.key));
    let whole = KeptFile { key: recording.key.clone(), bytes: recording.bytes };
    let mut contents = vec![(whole, vec![(name, recording.bytes)])];
    for file in tracks.iter().filter(|file| file.key != recording.key) {
        let kind = kinds.get(&file.track).map_or("unknown", |kind| kind.as_str());
        let stem = format!("{}-{kind}", track_stem(file.track, file.part));
        let names = if file.is_media() {
            vec![(format!("{stem}.{}", extension_of(&file.key)), file.bytes)]
        } else {
            let mut own: Vec<_> = frames.iter().filter(|one| one.track == file.track).collect();
            own.sort_by_key(|frame| frame.first_byte);
            let named = |number| format!("{stem}/{number:05}.jpg");
            own.into_iter().map(|frame| (named(frame.number), frame.bytes)).collect()
        };
        contents.push((KeptFile { key: file.key.clone(), bytes: file.bytes }, names));
    }
    Ok(contents)
}

/// Stored as it is: recordings are compressed already.
pub(super) fn write(
    out: File,
    documents: &[Document],
    entries: Vec<Entry<impl Read>>,
) -> Result<(), MakeError> {
    let stored =
        SimpleFileOptions::default().compression_method(CompressionMethod::Stored).large_file(true);
    let mut archive = ZipWriter::new(BufWriter::with_capacity(FILE_BUFFER_BYTES, out));
    for (name, text) in documents {
        archive.start_file(*name, stored)?;
        archive.write_all(text.as_bytes())?;
    }
    for Entry { mut reader, names } in entries {
        for (name, bytes) in names {
            archive.start_file(name, stored)?;
            std::io::copy(&mut (&mut reader).take(bytes), &mut archive)?;
        }
    }
    let mut out = archive.finish()?;
    out.flush()?;
    Ok(())
}
