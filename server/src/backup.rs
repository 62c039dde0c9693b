//! `holdfast backup`: a copy of a data folder on which a server can be started, made while another one
//! records into the original.
//!
//! A file never changes once the database names it, but it may be replaced by another, with another
//! name, and deleted. So most files are copied first, then the database, and then those that its copy
//! names beside them; when one of those has gone meanwhile, the database is copied again.

mod copies;

use std::path::{Path, PathBuf};

use app::format;
use clap::Args;
use tempfile::TempDir;

use crate::config::{DATABASE, DataPlace};
use crate::store::{NamedFile, Outside, StoreError, check_room, is_full};
use crate::tools::folder_of;
use copies::{Copies, sync};

/// So often the database is copied before it is given up.
const TRIES_MAX: u32 = 5;
/// Files that are named when they could not be copied; the others are counted.
const TOLD_MAX: usize = 20;

#[derive(Debug, Clone, Args)]
pub struct BackupArgs {
    #[command(flatten)]
    pub data: DataPlace,

    /// The folder to make; it is there whole or not at all. `holdfast serve --data-dir TO` is the way
    /// back.
    #[arg(value_name = "TO")]
    pub to: PathBuf,
}

#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error("{0} is there already: name a folder that is not")]
    IsThere(PathBuf),
    #[error("there is no database {0}: nothing to copy")]
    NoDatabase(PathBuf),
    #[error(
        "{0} cannot be copied: it is of another version of Holdfast; take the one that made it"
    )]
    OtherVersion(PathBuf),
    #[error("the name {0} cannot be given to the database: it is no text")]
    NoText(PathBuf),
    #[error("there is no room beside {to}: about {} are needed", format::size(*bytes))]
    NoRoom { to: PathBuf, bytes: u64 },
    #[error("the database {path} cannot be copied: {source}")]
    Database { path: PathBuf, source: StoreError },
    #[error("the copy of the database is damaged: {0}")]
    Damaged(String),
    #[error("{path} cannot be copied or made: {source}")]
    Io { path: PathBuf, source: std::io::Error },
    #[error("recordings are replaced faster than they can be copied; try again")]
    Restless,
    /// What is there has been copied all the same.
    #[error("{to} is made, but the original itself is not whole:\n{}", told(flaws))]
    NotWhole { to: PathBuf, flaws: Vec<String> },
}

impl BackupError {
    fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        |source| Self::Io { path, source }
    }

    fn database(path: &Path) -> impl FnOnce(StoreError) -> Self {
        let path = path.to_owned();
        |source| Self::Database { path, source }
    }
}

fn told(flaws: &[String]) -> String {
    let mut lines: Vec<String> = flaws.iter().take(TOLD_MAX).cloned().collect();
    if flaws.len() > TOLD_MAX {
        lines.push(format!("and {} more", flaws.len() - TOLD_MAX));
    }
    lines.join("\n")
}

/// Tells in words what was copied.
///
/// # Errors
/// When there is something at `to`, when the copy cannot be made or is not what it should be: then there
/// is nothing. And when recordings of the original are damaged or gone: then there is a copy of the rest.
pub fn backup(args: &BackupArgs) -> Result<String, BackupError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(BackupError::io(&args.to))?.block_on(back_up(args))
}

async fn back_up(BackupArgs { data, to }: &BackupArgs) -> Result<String, BackupError> {
    let database = data.database();
    if to.symlink_metadata().is_ok() {
        return Err(BackupError::IsThere(to.clone()));
    }
    if !database.is_file() {
        return Err(BackupError::NoDatabase(database));
    }
    let mut live = Outside::open(&database).await.map_err(BackupError::database(&database))?;
    let of_database = BackupError::database(&database);
    if !live.is_of_this_version().await.map_err(of_database)? {
        return Err(BackupError::OtherVersion(database));
    }
    check_room_for(&mut live, &database, to).await?;
    let partial = begin(to)?;
    let copied = copy_in_step(&mut live, &database, Copies::new(&data.folder, partial.path()));
    let (copies, named) = copied.await?;
    copies.sync_folders()?;
    let flaws = copies.flaws(&named);
    let files = format::count(copies.len(), "file", "files");
    let told = format!(
        "{} is made: the database and {files} of recordings, {}\n",
        to.display(),
        format::size(copies.bytes())
    );
    std::fs::rename(partial.path(), to).map_err(BackupError::io(to))?;
    // It has another name now, under which nobody deletes it.
    let _ = partial.keep();
    sync(folder_of(to))?;
    if flaws.is_empty() { Ok(told) } else { Err(BackupError::NotWhole { to: to.clone(), flaws }) }
}

/// Where the copy is made before it has its name.
fn begin(to: &Path) -> Result<TempDir, BackupError> {
    let name = to.file_name().ok_or_else(|| BackupError::IsThere(to.to_owned()))?;
    let mut prefix = name.to_owned();
    prefix.push(".partial-");
    let made = tempfile::Builder::new().prefix(&prefix).tempdir_in(folder_of(to));
    made.map_err(BackupError::io(to))
}

async fn check_room_for(live: &mut Outside, database: &Path, to: &Path) -> Result<(), BackupError> {
    let files = live.files().await.map_err(BackupError::database(database))?;
    let bytes = live.bytes().await.map_err(BackupError::database(database))?;
    let bytes = files.iter().fold(bytes, |sum, file| sum.saturating_add(file.bytes));
    match check_room(folder_of(to), bytes) {
        Err(error) if is_full(&error) => Err(BackupError::NoRoom { to: to.to_owned(), bytes }),
        checked => checked.map_err(BackupError::io(to)),
    }
}

/// The database, and every file that it names, as far as they are there.
async fn copy_in_step<'a>(
    live: &mut Outside,
    database: &Path,
    mut copies: Copies<'a>,
) -> Result<(Copies<'a>, Vec<NamedFile>), BackupError> {
    let path = copies.to().join(DATABASE);
    let text = path.to_str().ok_or_else(|| BackupError::NoText(path.clone()))?;
    for _ in 0..TRIES_MAX {
        copies.add(&live.files().await.map_err(BackupError::database(database))?)?;
        live.copy_into(text).await.map_err(BackupError::database(database))?;
        let mut copy = Outside::open(&path).await.map_err(BackupError::database(&path))?;
        let named = copy.files().await.map_err(BackupError::database(&path))?;
        let gone = copies.add(&named)?;
        let now = live.files().await.map_err(BackupError::database(database))?;
        // What is named as before was gone before.
        if gone.iter().all(|key| now.iter().any(|file| file.key == *key)) {
            copies.keep_only(&named)?;
            settle(copy, &path).await?;
            return Ok((copies, named));
        }
        copy.close().await.map_err(BackupError::database(&path))?;
        std::fs::remove_file(&path).map_err(BackupError::io(&path))?;
    }
    Err(BackupError::Restless)
}

/// Reads all of the database's copy, and has it on the disk.
async fn settle(mut copy: Outside, path: &Path) -> Result<(), BackupError> {
    let flaw = copy.flaw().await.map_err(BackupError::database(path))?;
    copy.close().await.map_err(BackupError::database(path))?;
    sync(path)?;
    flaw.map_or(Ok(()), |flaw| Err(BackupError::Damaged(flaw)))
}
