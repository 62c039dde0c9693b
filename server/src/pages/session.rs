//! `/sessions/{id}`: one session.

use app::pages::session::SessionPage;
use app::views::{
    ExportRow, GivenUpView, Instant, LeftOutRow, LogEntry, RecordingView, SessionView,
    SupplementFileView, SupplementView,
};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use ledger::jobs::JobState;
use ledger::{Beside, Format, Job, JobKey, Ledger as _, Work};
use leptos::prelude::*;
use protocol::{SessionStatus, UnixMillis};
use timeline::origin;

use super::error_page;
use super::history::{duration, instant};
use super::tracks::{frame_view, track_views};
use crate::error::ApiError;
use crate::export::{ExportError, Standing, can_be_exported};
use crate::recording::{NotMade, has_several_sounds, tracks_in};
use crate::render;
use crate::state::AppState;
use crate::store::{LeftOutRun, LoggedEvent, Recording, Session, Supplement, SupplementFile};

pub(crate) async fn session(State(state): State<AppState>, Path(id): Path<String>) -> Response {
    match load(&state, &id).await {
        Ok(view) => render::page(StatusCode::OK, move || view! { <SessionPage view/> }),
        Err(error) => error_page(error),
    }
}

async fn load(state: &AppState, id: &str) -> Result<SessionView, ApiError> {
    let id = id.parse().map_err(|_| ApiError::UnknownSession)?;
    let session = state.store.session(id).await?;
    let timeline = state.store.timeline(id).await?;
    let events = state.store.events(id).await?;
    let files = state.store.track_files(id).await?;
    let frames = state.store.frames(id).await?;
    let origin = origin(events.iter().map(|event| (event.at, event.place))).unwrap_or_default();
    let joined = session.recording.as_ref().map_or(Vec::new(), |one| tracks_in(one, &files));
    let recording = match &session.recording {
        Some(recording) => Some(recording_view(state, &session, recording).await?),
        None => None,
    };
    if let (Some(kept), Some(view)) = (&session.recording, &recording)
        && session.status == SessionStatus::Completed
        && !view.is_mixed
        && has_several_sounds(kept, &files)
    {
        match state.recordings.want(id, Beside::Mix).await {
            Ok(()) | Err(NotMade::GivenUp(_)) => {}
            Err(error) => tracing::warn!(session = %id, %error, "no mixed sound"),
        }
    }
    Ok(SessionView {
        id,
        status: session.status,
        live: session.status == SessionStatus::Active,
        started: instant(session.created_at),
        last_heartbeat: Some(instant(session.last_heartbeat_at)),
        completed: session.completed_at.map(instant),
        items: session.items(),
        bytes: session.payload_bytes,
        duration: duration(&session),
        missing: session.missing(),
        recording,
        left_out: state.store.left_out(id).await?.into_iter().map(left_out_row).collect(),
        exports: export_rows(state, &session).await?,
        supplement: supplement(state, &session).await?,
        tracks: track_views(&session, &timeline.segments, &files, &joined, &frames),
        joined: if joined.len() > 1 { joined } else { Vec::new() },
        frames: frames.iter().map(frame_view).collect(),
        failure: session.failure,
        timeline,
        connections: state.store.connections(id, origin).await?,
        log: log(&events, origin),
    })
}

async fn supplement(
    state: &AppState,
    session: &Session,
) -> Result<Option<SupplementView>, ApiError> {
    let Some(late) = state.store.supplement(session.id).await? else { return Ok(None) };
    let job = state.store.job(JobKey::new(session.id, Work::Supplement)).await?;
    Ok(Some(supplement_view(session, late, job.and_then(given_up))))
}

fn given_up(job: Job) -> Option<GivenUpView> {
    let is_begun_by_more = !job.is_spent();
    let why = job.error.unwrap_or_default();
    (job.state == JobState::Stopped).then_some(GivenUpView { why, is_begun_by_more })
}

fn supplement_view(
    session: &Session,
    late: Supplement,
    given_up: Option<GivenUpView>,
) -> SupplementView {
    let items = session.late.len();
    let file = |file: SupplementFile| SupplementFileView {
        track: file.track,
        part: file.part,
        kind: file.kind,
        label: file.label,
        has_video: file.mime.starts_with("video/"),
        bytes: file.bytes,
        duration: file.duration,
    };
    SupplementView {
        items,
        waiting_items: items.saturating_sub(late.items),
        given_up,
        last_came: instant(late.last_at),
        files: late.files.into_iter().map(file).collect(),
        pictures: late.pictures,
        left_out_runs: late.left_out,
        left_out: late.left_out_runs.into_iter().map(left_out_row).collect(),
    }
}

fn left_out_row(run: LeftOutRun) -> LeftOutRow {
    let LeftOutRun { track, segment, packets, bytes, why } = run;
    LeftOutRow { track, segment, packets, bytes, why }
}

async fn export_rows(state: &AppState, session: &Session) -> Result<Vec<ExportRow>, ApiError> {
    let mut rows = Vec::new();
    let recording = session.recording.as_ref().filter(|_| can_be_exported(session));
    let Some(recording) = recording else { return Ok(rows) };
    for format in Format::ALL {
        let obstacle = state.exports.obstacle(recording, format).await;
        // Nobody misses the picture of a voice.
        if matches!(obstacle, Some(ExportError::NotPossible(_))) {
            continue;
        }
        let failure = match state.exports.standing(session.id, recording, format).await? {
            Standing::Failed(error) => Some(error.to_string()),
            Standing::NotMade
            | Standing::Making { .. }
            | Standing::PutOff(_)
            | Standing::Ready { .. } => None,
        };
        let obstacle = obstacle.map(|obstacle| obstacle.to_string());
        rows.push(ExportRow { format: format.as_str(), obstacle, failure });
    }
    Ok(rows)
}

async fn recording_view(
    state: &AppState,
    session: &Session,
    recording: &Recording,
) -> Result<RecordingView, ApiError> {
    let mix = state.recordings.mix_of(recording).await;
    let mix = mix.map_err(|error| ApiError::Internal(error.into()))?;
    Ok(RecordingView {
        items: session.in_time().len(),
        is_mixed: mix.is_some(),
        mime: recording.mime.clone(),
        has_video: recording.mime.starts_with("video/"),
        bytes: recording.bytes,
        duration: recording.duration,
        left_out: recording.left_out,
        is_silent: session.is_silent(),
        digest: recording.digest,
    })
}

/// On a timeline that began at `origin`.
fn log(events: &[LoggedEvent], origin: UnixMillis) -> Vec<LogEntry> {
    let entry = |event: &LoggedEvent| {
        let at = event.place.map_or(event.at, |place| origin.plus(place));
        let place = event.place.unwrap_or_else(|| event.at.since(origin));
        LogEntry { at: clock(at), place, event: event.event() }
    };
    let mut log: Vec<LogEntry> = events.iter().map(entry).collect();
    log.sort_by_key(|entry| entry.place);
    log
}

fn clock(at: UnixMillis) -> Instant {
    let Instant { rfc3339, .. } = instant(at);
    let human_utc = rfc3339.get(11..19).map(|clock| format!("{clock} UTC")).unwrap_or_default();
    Instant { rfc3339, human_utc }
}
