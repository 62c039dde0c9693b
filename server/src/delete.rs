//! `holdfast delete`: erases sessions from a data folder that no server uses at the moment. A running
//! server does the same on its pages and by its API.

use clap::Args;
use ledger::{Command, Refused};
use protocol::{Millis, SessionId};

use crate::clock;
use crate::config::{DISCARDED_KEPT, DataPlace};
use crate::folder::{DataFolder, FolderError};
use crate::recording::{AssembleError, RecordingFiles, erase};
use crate::store::{Store, StoreError};

#[derive(Debug, Clone, Args)]
pub struct DeleteArgs {
    #[command(flatten)]
    pub data: DataPlace,

    /// What is to be erased, whatever its status; as on its page. It cannot be undone.
    #[arg(value_name = "SESSION", required = true)]
    pub sessions: Vec<SessionId>,
}

#[derive(Debug, thiserror::Error)]
pub enum DeleteError {
    /// The page and the API can do it.
    #[error(
        "{0} is in use by a server: delete on the session's page, or with DELETE \
         /api/sessions/SESSION"
    )]
    InUse(String),
    #[error("the data folder cannot be used: {0}")]
    Folder(String),
    #[error("there is no session {0}")]
    Unknown(SessionId),
    #[error("{session} is not wholly erased: {why}; the next start of a server goes on")]
    NotErased { session: SessionId, why: String },
}

/// Tells in words what was erased.
///
/// # Errors
/// At the first session that is not there or cannot be erased; those before it are gone.
pub fn delete(args: &DeleteArgs) -> Result<String, DeleteError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| DeleteError::Folder(error.to_string()))?;
    runtime.block_on(delete_all(args))
}

async fn delete_all(DeleteArgs { data, sessions }: &DeleteArgs) -> Result<String, DeleteError> {
    let folder = |error: &dyn std::fmt::Display| DeleteError::Folder(error.to_string());
    let database = data.database();
    if !database.is_file() {
        return Err(DeleteError::Folder(format!("there is no database {}", database.display())));
    }
    let _ours = DataFolder::take(&data.folder, &database).map_err(|error| match error {
        FolderError::InUse(path) => DeleteError::InUse(path.display().to_string()),
        error @ (FolderError::Make { .. } | FolderError::Lock { .. }) => folder(&error),
    })?;
    let store = Store::open(&database, None, POLICY).await.map_err(|error| folder(&error))?;
    let files = RecordingFiles::local(&data.folder).map_err(|error| folder(&error))?;
    let mut told = String::new();
    for session in sessions {
        let erased = delete_one(&store, &files, *session).await;
        erased.map_err(|error| {
            if let AssembleError::Store(StoreError::Refused(Refused::UnknownSession)) = error {
                DeleteError::Unknown(*session)
            } else {
                DeleteError::NotErased { session: *session, why: error.to_string() }
            }
        })?;
        told += &format!("{session} is erased\n");
    }
    store.close().await;
    Ok(told)
}

/// Nothing waits for any time here, and nothing is taken.
const POLICY: ledger::rules::Policy = ledger::rules::Policy {
    grace: Millis::ZERO,
    resume_window: Millis::ZERO,
    discarded_kept: DISCARDED_KEPT,
    failed_kept: Millis::ZERO,
    session_bytes_max: 0,
    seq_ahead_max: 0,
    holes_max: 0,
};

async fn delete_one(
    store: &Store,
    files: &RecordingFiles,
    session: SessionId,
) -> Result<(), AssembleError> {
    store.carry_out(session, &Command::Delete, clock::wall()).await?;
    erase(store, files, session).await
}
