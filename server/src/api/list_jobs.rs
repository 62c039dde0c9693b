//! `GET /api/jobs`

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::dto::rfc3339;
use crate::error::ApiError;
use crate::state::AppState;
use crate::store::{ListedJob, state_word};

/// Jobs in one answer; those that were given up come first.
pub(crate) const JOBS_MAX: u32 = 500;

#[derive(Debug, Serialize, ToSchema)]
pub(super) struct JobList {
    jobs: Vec<JobDto>,
}

/// Work that is due on a session. What is done is not listed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Job)]
pub(super) struct JobDto {
    /// By which it is asked for.
    id: String,
    session: String,
    /// `assemble`: make the recording. `release`: let the chunks go that are in its files. `erase`: remove
    /// what is left of a session that was thrown away. `waveform`: draw the sound of its recording. `mix`:
    /// mix the sounds of its recording into one. `export`: make another form of its recording.
    kind: &'static str,
    /// Of an export: in which form.
    subject: Option<&'static str>,
    /// `waiting`, `running`, or `stopped`: given up.
    state: &'static str,
    /// When it begins, or is taken from a server that has not been heard of; `null` of one that was
    /// given up.
    begins_at: Option<String>,
    /// Begun, and not come to an end. A job that ends the server is given up after five.
    tries: u32,
    /// Why the last try did not do it.
    error: Option<String>,
    /// Thousandths of the work, as far as anybody knows.
    progress: u16,
}

/// List the work that is due
///
/// Making recordings, drawing and mixing their sound, exporting them, letting chunks go and erasing are rows
/// in the database, which outlive the server that works on them.
#[utoipa::path(
    get, path = "/jobs", tag = "jobs",
    responses((status = 200, description = "At most 500 of them", body = JobList))
)]
pub(super) async fn list_jobs(State(state): State<AppState>) -> Result<Json<JobList>, ApiError> {
    let jobs = state.store.jobs(JOBS_MAX).await?;
    Ok(Json(JobList { jobs: jobs.into_iter().map(JobDto::from).collect() }))
}

impl From<ListedJob> for JobDto {
    fn from(ListedJob { key, job }: ListedJob) -> Self {
        Self {
            id: key.to_string(),
            session: key.session.to_string(),
            kind: key.work.kind().as_str(),
            subject: Some(key.work.subject()).filter(|subject| !subject.is_empty()),
            state: state_word(job.state),
            begins_at: job.may_begin_at().map(rfc3339),
            tries: job.tries,
            error: job.error,
            progress: job.progress,
        }
    }
}
