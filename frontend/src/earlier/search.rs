//! Looks through the spool for sessions with something left to do.

use js_sys::Array;
use protocol::{Millis, Seq, SessionId};
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::spawn_local;

use crate::browser;
use crate::driver::Input;
use crate::port::Inputs;
use crate::recovery::Recovery;
use crate::service_worker::CourierHold;
use crate::session_lock::{Asking, SessionLock};
use crate::spool::{Left, Spool, SpoolError, Unfinished, Unreadable};
use crate::stash;

/// How long a tab may take to stop recording and to write down the rest, once it is asked to.
const HAND_OVER_DEADLINE: Millis = Millis::from_secs(5);

/// A session with something left to do.
pub(crate) struct Found {
    pub(super) unfinished: Unfinished,
    pub(super) lock: SessionLock,
    /// Those not looked at yet.
    pub(super) rest: Vec<SessionId>,
}

/// A session that another tab is at work on.
pub(crate) struct Elsewhere {
    pub(super) session: SessionId,
    pub(super) started: String,
}

pub(super) struct Search {
    pub(super) spool: Spool,
    pub(super) inputs: Inputs,
}

impl Search {
    /// The whole spool.
    pub(super) fn all(&self) {
        let (spool, inputs) = (self.spool.clone(), self.inputs.clone());
        spawn_local(async move {
            match spool.sessions().await {
                Ok((sessions, unreadable)) => {
                    report_unreadable(None, unreadable.places, &inputs);
                    first_of(&spool, sessions, &inputs).await;
                }
                Err(error) => warn(&error),
            }
        });
    }

    pub(super) fn rest(&self, rest: Vec<SessionId>) {
        let (spool, inputs) = (self.spool.clone(), self.inputs.clone());
        spawn_local(async move { first_of(&spool, rest, &inputs).await });
    }

    /// A session from its recovery link. If it is in this browser, readable or not, it is found like any
    /// other.
    pub(super) fn recovered(&self, recovery: Recovery) {
        let (spool, inputs) = (self.spool.clone(), self.inputs.clone());
        spawn_local(async move {
            let is_here = spool.record(recovery.session).await.inspect_err(warn);
            if !matches!(is_here, Ok(Some(_)) | Err(SpoolError::Unreadable)) {
                inputs.send(Input::Recover(recovery));
            }
        });
    }

    /// Waits for the tab that has the session to let it go, and if it does not, takes it.
    pub(super) fn take_over(&self, session: SessionId) {
        let (spool, inputs) = (self.spool.clone(), self.inputs.clone());
        spawn_local(async move {
            let patient = Asking::For(HAND_OVER_DEADLINE);
            let mut lock = SessionLock::acquire(session, patient, &inputs).await;
            if lock.is_none() {
                lock = SessionLock::acquire(session, Asking::Stealing, &inputs).await;
            }
            let taken = match lock {
                Some(lock) => look_at(&spool, session, lock, &inputs).await,
                None => Ok(None),
            };
            let found = taken.inspect_err(warn).ok().flatten();
            inputs.send(Input::TakenOver(found));
        });
    }
}

/// Reports the first of `sessions` that no tab is at work on and that has something left to do, and
/// those before it that another tab is at work on.
async fn first_of(spool: &Spool, mut sessions: Vec<SessionId>, inputs: &Inputs) {
    let _quiet = CourierHold::take().await;
    while let Some(session) = sessions.pop() {
        let found = match SessionLock::acquire(session, Asking::IfFree, inputs).await {
            Some(lock) => look_at(spool, session, lock, inputs).await,
            None => {
                report_elsewhere(spool, session, inputs).await;
                continue;
            }
        };
        match found {
            Ok(Some(found)) => {
                inputs.send(Input::EarlierFound(Found { rest: sessions, ..found }));
                return;
            }
            Ok(None) => {}
            Err(error) => return warn(&error),
        }
    }
}

/// Only with its lock: until then another tab may be at work on it.
async fn look_at(
    spool: &Spool,
    session: SessionId,
    lock: SessionLock,
    inputs: &Inputs,
) -> Result<Option<Found>, SpoolError> {
    let put_aside = stash::move_into(spool, session).await;
    let mut unfinished = match spool.left_of(session).await? {
        Left::Unfinished(unfinished) => unfinished,
        Left::Unreadable(unreadable) => {
            report_unreadable(Some(session), unreadable.places.concat(&put_aside), inputs);
            return Ok(None);
        }
        Left::Nothing => return Ok(None),
    };
    let Unreadable { places, seqs } = &mut unfinished.unreadable;
    seqs.extend(put_aside.iter().map(|_| None));
    report_unreadable(Some(session), places.concat(&put_aside), inputs);
    let record = &unfinished.record;
    let has_something = record.finish_asked || record.next_seq > Seq::ZERO;
    Ok(has_something.then(|| Found { unfinished, lock, rest: Vec::new() }))
}

fn report_unreadable(session: Option<SessionId>, places: Array, inputs: &Inputs) {
    if places.length() > 0 {
        inputs.send(Input::UnreadableFound(session, places));
    }
}

async fn report_elsewhere(spool: &Spool, session: SessionId, inputs: &Inputs) {
    match spool.record(session).await {
        Ok(Some(record)) if !record.finish_asked && !record.discard_asked => {
            let started = browser::date_and_time(record.started_at);
            inputs.send(Input::FoundElsewhere(Elsewhere { session, started }));
        }
        Ok(_) => {}
        Err(error) => warn(&error),
    }
}

fn warn(error: &SpoolError) {
    let why = JsValue::from_str(&error.to_string());
    browser::warn("Earlier recordings cannot be looked for.", &why);
}
