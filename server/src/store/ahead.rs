//! Which sessions are worked ahead for, noted before that begins, so that the next start knows of what may
//! have ended the server.

use protocol::SessionId;

use super::{Store, StoreError};

impl Store {
    /// Durable before a session is worked ahead for.
    pub async fn begin_ahead(&self, id: SessionId) -> Result<(), StoreError> {
        sqlx::query("UPDATE sessions SET worked_ahead = 1 WHERE id = ? AND worked_ahead = 0")
            .bind(id.as_bytes().as_slice())
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    /// The server stops in good order: the next one may go on.
    pub async fn ahead_over(&self) -> Result<(), StoreError> {
        sqlx::query("UPDATE sessions SET worked_ahead = 0 WHERE worked_ahead = 1")
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    /// What a server that is gone worked ahead for may be what ended it: it is made at its end, when
    /// its tries are counted. Tells how many sessions.
    pub async fn give_up_ahead(&self) -> Result<u64, StoreError> {
        let done = sqlx::query("UPDATE sessions SET worked_ahead = 2 WHERE worked_ahead = 1")
            .execute(&self.writer)
            .await?;
        Ok(done.rows_affected())
    }
}
