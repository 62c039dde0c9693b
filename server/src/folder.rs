//! The data folder as a whole: made when it is not there, private, and used by one server at a time.
//! What lies in it is others'.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::Mode;

use crate::tools::folder_of;

const LOCK: &str = "lock";

/// A data folder that no other server uses as long as this lives. The system lets go of it with the
/// process, however that ends.
#[derive(Debug)]
pub(crate) struct DataFolder {
    _locks: Vec<File>,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum FolderError {
    #[error("cannot make the data folder {path}")]
    Make { path: PathBuf, source: io::Error },
    #[error(
        "another Holdfast is running on {0}: stop that one first, or give this one another --data-dir"
    )]
    InUse(PathBuf),
    #[error("cannot lock {path}")]
    Lock { path: PathBuf, source: io::Error },
}

impl FolderError {
    fn lock(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        |source| Self::Lock { path, source }
    }
}

/// What this process makes from here on is for its own user alone.
pub fn keep_to_ourselves() {
    rustix::process::umask(Mode::RWXG | Mode::RWXO);
}

impl DataFolder {
    /// Takes the folder, and the one of the database where that lies elsewhere.
    pub(crate) fn take(folder: &Path, database: &Path) -> Result<Self, FolderError> {
        std::fs::create_dir_all(folder)
            .map_err(|source| FolderError::Make { path: folder.to_owned(), source })?;
        // By their true names: the same one is not locked twice.
        let mut folders = BTreeSet::new();
        for folder in [folder, folder_of(database)] {
            let path = folder.canonicalize();
            folders.insert(path.map_err(FolderError::lock(folder))?);
        }
        let locks = folders.iter().map(|folder| lock(folder)).collect::<Result<_, _>>()?;
        Ok(Self { _locks: locks })
    }
}

/// The file stays when it is let go of: who deleted it could delete one that another has just locked.
fn lock(folder: &Path) -> Result<File, FolderError> {
    let path = folder.join(LOCK);
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
    let file = file.map_err(FolderError::lock(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(FolderError::InUse(folder.to_owned())),
        Err(TryLockError::Error(source)) => Err(FolderError::lock(&path)(source)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_taken_once_and_can_be_taken_again_when_it_is_let_go_of() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        let take = || DataFolder::take(&data, &data.join("holdfast.db"));
        let taken = take().unwrap();
        let refused = take().unwrap_err();
        assert!(matches!(refused, FolderError::InUse(_)), "{refused}");
        assert!(refused.to_string().contains(data.to_str().unwrap()), "{refused}");
        drop(taken);
        take().unwrap();
    }

    #[test]
    fn two_folders_cannot_share_a_database_wherever_it_lies() {
        let folder = tempfile::tempdir().unwrap();
        let [one, other] = ["one", "other"].map(|name| folder.path().join(name));
        for database in [folder.path().join("holdfast.db"), one.join("holdfast.db")] {
            let _taken = DataFolder::take(&one, &database).unwrap();
            let refused = DataFolder::take(&other, &database).unwrap_err();
            let of_database = database.parent().unwrap().to_str().unwrap();
            assert!(refused.to_string().contains(of_database), "{refused}");
        }
    }

    #[test]
    fn a_folder_of_two_names_is_taken_once() {
        let folder = tempfile::tempdir().unwrap();
        let (data, link) = (folder.path().join("data"), folder.path().join("link"));
        std::os::unix::fs::symlink(&data, &link).unwrap();
        let _taken = DataFolder::take(&data, &link.join("holdfast.db")).unwrap();
        let again = DataFolder::take(&link, &data.join("holdfast.db"));
        assert!(matches!(again, Err(FolderError::InUse(_))));
    }
}
