//! The candidate: presses the buttons that there are, and tries again.

use protocol::Millis;
use protocol::sender::FinishStatus;
use recorder::{CaptureError, RecorderState, Trouble};

use super::World;
use super::event::Event;
use super::page::{Page, PageNo};
use crate::dice::Roll;
use crate::drive::Drive;

/// How often the candidate looks at a page.
const LOOKS_EVERY: Millis = Millis::from_secs(1);

/// The longest that nothing may be recorded while there is a microphone: devices take up to 8 s to
/// answer, and more than one may have to be asked.
const DEAF_MAX: Millis = Millis::from_secs(20);

/// What can be pressed.
enum Button {
    Start,
    Resume,
    Stop,
    Retry,
    Discard,
}

impl<D: Drive> World<D> {
    pub(super) fn candidate_looks(&mut self, no: PageNo) {
        self.check_that_it_hears(no);
        let Some(page) = self.pages.get(&no) else { return };
        let button = self.button(page);
        self.schedule(LOOKS_EVERY, Event::Candidate { page: no });
        let Some(button) = button else { return };
        self.model.discard_asked |= matches!(button, Button::Discard);
        self.with_page(no, |page, at| match button {
            Button::Start => page.recorder.start(),
            Button::Resume => page.recorder.resume(),
            Button::Stop => page.recorder.stop(at.now),
            Button::Retry => page.recorder.retry(at.now),
            Button::Discard => {
                if let Some(sender) = page.recorder.sender_mut() {
                    sender.discard(at.now);
                }
            }
        });
    }

    fn button(&self, page: &Page) -> Option<Button> {
        let has_session = page.sender().is_some();
        let view = page.recorder.view(Millis::ZERO);
        match page.finish_status() {
            FinishStatus::NotAsked if has_session && (!self.speaking || self.discards) => {
                Some(Button::Stop)
            }
            FinishStatus::NotAsked => match view.state {
                RecorderState::Idle => Some(Button::Start),
                RecorderState::Paused if self.now >= self.pauses_until => Some(Button::Resume),
                RecorderState::Error if has_recorder_failed(view.trouble) => Some(Button::Retry),
                RecorderState::Acquiring
                | RecorderState::Recording
                | RecorderState::Paused
                | RecorderState::Finishing
                | RecorderState::Done
                | RecorderState::Error => None,
            },
            FinishStatus::Finishing if self.discards => Some(Button::Discard),
            FinishStatus::Failed(_) => Some(Button::Retry),
            FinishStatus::Finishing
            | FinishStatus::Completed(_)
            | FinishStatus::Discarding
            | FinishStatus::Discarded => None,
        }
    }

    pub(super) fn pause(&mut self, roll: &mut Roll) {
        let Some(no) = self.only_page().filter(|no| self.asleep_until(*no).is_none()) else {
            return;
        };
        self.pauses_until = self.now + roll.millis(200, 5_000);
        self.with_page(no, |page, _| page.recorder.pause());
    }

    /// While the candidate speaks and a microphone is there, it is recorded, or is so again soon.
    fn check_that_it_hears(&mut self, no: PageNo) {
        let Some(page) = self.pages.get_mut(&no) else { return };
        let is_wanted = page.sender().is_none() || (self.speaking && !self.discards);
        let is_to_hear = is_wanted && self.has_microphone;
        let is_deaf = match page.recorder.view(Millis::ZERO).state {
            RecorderState::Idle | RecorderState::Acquiring | RecorderState::Error => true,
            RecorderState::Recording
            | RecorderState::Paused
            | RecorderState::Finishing
            | RecorderState::Done => false,
        };
        page.deaf_since = page.deaf_since.or(Some(self.now)).filter(|_| is_to_hear && is_deaf);
        if page.deaf_since.is_some_and(|since| self.now > since + DEAF_MAX) {
            self.model.broken("a microphone is there, and nothing is recorded".into());
        }
    }
}

/// What comes back with a device is not to be tried by hand.
fn has_recorder_failed(trouble: Option<Trouble>) -> bool {
    let Some(Trouble::NoSound { error, .. }) = trouble else { return false };
    error == CaptureError::RecorderStopped
}
