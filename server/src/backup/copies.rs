//! The files of recordings in a copy: each is written once, synced, and compared with what the database
//! says of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read, Write as _};
use std::path::Path;

use media::limits::FILE_BUFFER_BYTES;
use protocol::Digest;
use sha2::{Digest as _, Sha256};

use super::BackupError;
use crate::recording::made_beside;
use crate::store::NamedFile;

/// From one data folder into another.
#[derive(Debug)]
pub(super) struct Copies<'a> {
    from: &'a Path,
    to: &'a Path,
    /// By their keys.
    done: BTreeMap<String, Copied>,
}

/// What a file turned out to be.
#[derive(Debug)]
struct Copied {
    bytes: u64,
    digest: Digest,
}

impl<'a> Copies<'a> {
    pub(super) const fn new(from: &'a Path, to: &'a Path) -> Self {
        Self { from, to, done: BTreeMap::new() }
    }

    pub(super) const fn to(&self) -> &'a Path {
        self.to
    }

    pub(super) fn len(&self) -> u64 {
        self.done.len() as u64
    }

    pub(super) fn bytes(&self) -> u64 {
        self.done.values().map(|copied| copied.bytes).sum()
    }

    /// Copies those that are not copied yet, with what is kept beside them. Tells the keys of those
    /// that are not there.
    pub(super) fn add(&mut self, named: &[NamedFile]) -> Result<Vec<String>, BackupError> {
        let mut gone = Vec::new();
        for NamedFile { key, .. } in named {
            if self.done.contains_key(key) {
                continue;
            }
            if !self.copy(key)? {
                gone.push(key.clone());
                continue;
            }
            // It is made again where it is not there.
            for beside in made_beside(key) {
                self.copy(&beside)?;
            }
        }
        Ok(gone)
    }

    /// False: it is not there.
    fn copy(&mut self, key: &str) -> Result<bool, BackupError> {
        let (from, to) = (self.from.join(key), self.to.join(key));
        let copied = copy_file(&from, &to).map_err(BackupError::io(&from))?;
        let is_there = copied.is_some();
        self.done.extend(copied.map(|copied| (key.to_owned(), copied)));
        Ok(is_there)
    }

    /// Deletes the copies of what was replaced meanwhile.
    pub(super) fn keep_only(&mut self, named: &[NamedFile]) -> Result<(), BackupError> {
        let beside = named.iter().flat_map(|file| made_beside(&file.key));
        let kept: BTreeSet<String> =
            named.iter().map(|file| file.key.clone()).chain(beside).collect();
        let replaced = self.done.extract_if(.., |key, _| !kept.contains(key));
        for (key, _) in replaced {
            let file = self.to.join(key);
            std::fs::remove_file(&file).map_err(BackupError::io(&file))?;
        }
        Ok(())
    }

    /// So that every file is found under its name.
    pub(super) fn sync_folders(&self) -> Result<(), BackupError> {
        let below = self.done.keys().flat_map(|key| Path::new(key).ancestors().skip(1));
        let folders: BTreeSet<&Path> = below.chain([Path::new("")]).collect();
        folders.into_iter().try_for_each(|folder| sync(&self.to.join(folder)))
    }

    /// What of the original was not there, or is not what the database says of it.
    pub(super) fn flaws(&self, named: &[NamedFile]) -> Vec<String> {
        named.iter().filter_map(|file| flaw(file, self.done.get(&file.key))).collect()
    }
}

fn flaw(NamedFile { key, bytes, digest }: &NamedFile, copied: Option<&Copied>) -> Option<String> {
    let Some(copied) = copied else { return Some(format!("{key} is not there")) };
    if copied.bytes != *bytes {
        return Some(format!("{key} has {} bytes, not {bytes}", copied.bytes));
    }
    let is_another = digest.is_some_and(|digest| digest != copied.digest);
    is_another.then(|| format!("{key} has another SHA-256 than when it was made"))
}

/// Durable on return, but for its name. `None`: there is nothing to copy.
fn copy_file(from: &Path, to: &Path) -> io::Result<Option<Copied>> {
    let mut original = match File::open(from) {
        Ok(original) => original,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    if let Some(folder) = to.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut copy = File::create_new(to)?;
    let (mut hasher, mut copied) = (Sha256::new(), 0);
    let mut buffer = vec![0; FILE_BUFFER_BYTES];
    loop {
        match original.read(&mut buffer)? {
            0 => break,
            read => {
                hasher.update(&buffer[..read]);
                copy.write_all(&buffer[..read])?;
                copied += read as u64;
            }
        }
    }
    copy.sync_all()?;
    Ok(Some(Copied { bytes: copied, digest: Digest::from_bytes(hasher.finalize().into()) }))
}

/// A file or a folder.
pub(super) fn sync(path: &Path) -> Result<(), BackupError> {
    File::open(path).and_then(|file| file.sync_all()).map_err(BackupError::io(path))
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    const KEY: &str = "recordings/session/0123.webm";

    fn named(key: &str, bytes: &[u8]) -> NamedFile {
        let digest = Digest::from_bytes(Sha256::digest(bytes).into());
        NamedFile { key: key.to_owned(), bytes: bytes.len() as u64, digest: Some(digest) }
    }

    fn with_file(bytes: &[u8]) -> (TempDir, TempDir) {
        let (from, to) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        std::fs::create_dir_all(from.path().join(KEY).parent().unwrap()).unwrap();
        std::fs::write(from.path().join(KEY), bytes).unwrap();
        (from, to)
    }

    #[test]
    fn a_file_is_copied_with_what_is_kept_beside_it() {
        let (from, to) = with_file(b"sound");
        for beside in made_beside(KEY) {
            std::fs::write(from.path().join(beside), "made of it").unwrap();
        }
        let mut copies = Copies::new(from.path(), to.path());
        let files = [named(KEY, b"sound")];
        assert_eq!(copies.add(&files).unwrap(), [""; 0]);
        assert_eq!(copies.add(&files).unwrap(), [""; 0], "it is copied once");
        copies.sync_folders().unwrap();
        assert_eq!(std::fs::read(to.path().join(KEY)).unwrap(), b"sound");
        assert!(made_beside(KEY).iter().all(|beside| to.path().join(beside).exists()));
        assert_eq!((copies.len(), copies.flaws(&files)), (3, vec![]));
    }

    #[test]
    fn what_was_replaced_meanwhile_is_not_in_the_copy() {
        let (from, to) = with_file(b"sound");
        let mut copies = Copies::new(from.path(), to.path());
        copies.add(&[named(KEY, b"sound")]).unwrap();
        copies.keep_only(&[named("recordings/session/4567.webm", b"later")]).unwrap();
        assert!(!to.path().join(KEY).exists());
        assert_eq!(copies.len(), 0);
    }

    #[test]
    fn what_is_gone_cut_off_or_changed_is_told() {
        let (from, to) = with_file(b"sound");
        let mut copies = Copies::new(from.path(), to.path());
        let gone = "recordings/session/4567.webm";
        assert_eq!(copies.add(&[named(KEY, b""), named(gone, b"")]).unwrap(), [gone]);
        let flaw = |file: NamedFile| copies.flaws(&[file]).pop();
        assert!(flaw(named(gone, b"")).unwrap().ends_with("is not there"));
        assert!(flaw(named(KEY, b"sounds")).unwrap().ends_with("has 5 bytes, not 6"));
        assert!(flaw(named(KEY, b"found")).unwrap().contains("another SHA-256"));
        assert_eq!(flaw(NamedFile { digest: None, ..named(KEY, b"found") }), None);
        assert_eq!(flaw(named(KEY, b"sound")), None);
    }
}
