//! `/jobs`: the work that is due.

use app::pages::jobs::JobsPage;
use app::views::{JobRow, JobStanding, JobsView};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use ledger::jobs::JobState;
use ledger::{Format, Work};
use leptos::prelude::*;

use super::error_page;
use super::history::instant;
use crate::render;
use crate::state::AppState;
use crate::store::ListedJob;

const JOBS_SHOWN_MAX: u32 = 100;

pub(crate) async fn jobs(State(state): State<AppState>) -> Response {
    match state.store.jobs(JOBS_SHOWN_MAX + 1).await {
        Ok(mut jobs) => {
            let more = jobs.len() > JOBS_SHOWN_MAX as usize;
            jobs.truncate(JOBS_SHOWN_MAX as usize);
            let view = JobsView { jobs: jobs.into_iter().map(row).collect(), more };
            render::page(StatusCode::OK, move || view! { <JobsPage view/> })
        }
        Err(error) => error_page(error.into()),
    }
}

fn row(ListedJob { key, job }: ListedJob) -> JobRow {
    let standing = match job.state {
        JobState::Waiting => JobStanding::Waiting,
        JobState::Running { .. } => JobStanding::Running,
        JobState::Stopped => JobStanding::Stopped,
    };
    let begins = job.may_begin_at().filter(|_| standing == JobStanding::Waiting).map(instant);
    let is_running = standing == JobStanding::Running;
    let progress = Some(job.progress).filter(|done| is_running && *done > 0);
    let (session, what) = (key.session, what(key.work));
    let (id, tries, error) = (key.to_string(), job.tries, job.error);
    JobRow { id, session, what, standing, begins, progress, tries, error }
}

const fn what(work: Work) -> &'static str {
    match work {
        Work::Assemble => "Make the recording",
        Work::Supplement => "Make the supplement",
        Work::Release => "Let chunks go",
        Work::Erase => "Erase",
        Work::Waveform => "Draw the sound",
        Work::Mix => "Mix the sounds into one",
        Work::Export(Format::Timeline) => "Export with all gaps",
        Work::Export(Format::Ogg) => "Export as Ogg",
        Work::Export(Format::Mp3) => "Export as MP3",
        Work::Export(Format::Wav) => "Export as WAV",
        Work::Export(Format::Mp4) => "Export as MP4",
        Work::Export(Format::Zip) => "Export as ZIP",
    }
}
