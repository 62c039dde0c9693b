//! The browser's microphone, and the recorder that runs on it: it answers late, is unplugged, hands over
//! its chunks, or stands still.

use protocol::{Millis, SegmentNo, Seq};
use recorder::{CaptureError, MicrophoneState, Moment, NewSession, RequestNo, RunForm, Started};

use super::event::Event;
use super::page::PageNo;
use super::{Purpose, World};
use crate::breakage::Breakage;
use crate::dice::Roll;
use crate::drive::Drive;
use crate::faults::FaultKind;

const TIMESLICE: Millis = Millis::new(250);
const OVERSIZED_BYTES: u64 = 700_000;

pub(super) struct Run {
    pub(super) no: SegmentNo,
    is_paused: bool,
    /// It hands over nothing any more.
    stands_still: bool,
}

impl<D: Drive> World<D> {
    pub(super) fn ask_for_microphone(&mut self, no: PageNo, request: RequestNo) {
        let mut takes = self.dice.millis(self.now, Purpose::Devices, 5, 400);
        if let Some(mut roll) = self.faults.strikes(self.now, FaultKind::SlowDevice, 4) {
            takes = roll.millis(500, 8_000);
        }
        self.schedule(takes, Event::MicrophoneAnswers { page: no, request });
    }

    pub(super) fn microphone_answers(&mut self, no: PageNo, request: RequestNo) {
        let is_live = self.has_microphone;
        self.with_page(no, |page, at| {
            let answer = if is_live {
                page.microphones.insert(request, true);
                Ok(MicrophoneState { is_live, ..MicrophoneState::default() })
            } else {
                Err(CaptureError::NoMicrophone)
            };
            page.recorder.microphone_opened(at, request, answer);
        });
    }

    pub(super) fn close_microphone(&mut self, no: PageNo, request: RequestNo) {
        if let Some(page) = self.pages.get_mut(&no) {
            page.microphones.remove(&request);
        }
    }

    /// Runs on it end by themselves, before or after the page hears of the loss.
    pub(super) fn lose_microphone(&mut self, roll: &mut Roll) {
        if !std::mem::replace(&mut self.has_microphone, false) {
            return;
        }
        self.schedule(roll.millis(100, 9_000), Event::MicrophoneIsBack);
        for no in self.pages.keys().copied().collect::<Vec<_>>() {
            let Some(page) = self.pages.get_mut(&no) else { continue };
            page.microphones.values_mut().for_each(|is_live| *is_live = false);
            let run = page.run.as_ref().map(|run| run.no);
            self.schedule(roll.millis(0, 100), Event::StreamChanged { page: no });
            if let Some(run) = run {
                self.schedule(roll.millis(0, 100), Event::RunStops { page: no, run });
            }
        }
    }

    pub(super) fn microphone_is_back(&mut self) {
        if std::mem::replace(&mut self.has_microphone, true) {
            return;
        }
        if self.breakage == Some(Breakage::IgnoreDevices) {
            return;
        }
        for no in self.pages.keys().copied().collect::<Vec<_>>() {
            self.schedule(Millis::ZERO, Event::DevicesChanged { page: no });
        }
    }

    pub(super) fn start_run(
        &mut self,
        no: PageNo,
        at: Moment,
        run: SegmentNo,
        microphone: RequestNo,
        is_first: bool,
    ) {
        let new = NewSession { session: self.session, token: self.token.clone() };
        let Some(page) = self.pages.get_mut(&no) else { return };
        let started = if page.microphones.get(&microphone) == Some(&true) {
            page.run = Some(Run { no: run, is_paused: false, stands_still: false });
            let form = RunForm { mime: "audio/webm;codecs=opus".into(), label: String::new() };
            Ok(Started { form, session: is_first.then_some(new) })
        } else {
            Err(CaptureError::Disconnected)
        };
        page.recorder.run_started(at, run, started);
        self.schedule(TIMESLICE, Event::Capture { page: no, run });
    }

    fn run_of(&mut self, no: PageNo, run: SegmentNo) -> Option<&mut Run> {
        self.pages.get_mut(&no)?.run.as_mut().filter(|one| one.no == run)
    }

    pub(super) fn pause_run(&mut self, no: PageNo, at: Moment, run: SegmentNo) {
        let Some(paused) = self.run_of(no, run) else { return };
        paused.is_paused = true;
        if let Some(page) = self.pages.get_mut(&no) {
            page.recorder.run_paused(at, run);
        }
        self.flush_run(no, run);
    }

    pub(super) fn resume_run(&mut self, no: PageNo, at: Moment, run: SegmentNo) {
        let Some(resumed) = self.run_of(no, run) else { return };
        resumed.is_paused = false;
        if let Some(page) = self.pages.get_mut(&no) {
            page.recorder.run_resumed(at, run);
        }
    }

    pub(super) fn flush_run(&mut self, no: PageNo, run: SegmentNo) {
        let takes = self.dice.millis(self.now, Purpose::Devices, 1, 140);
        self.schedule(takes, Event::Flushed { page: no, run });
    }

    /// One that stands still may never say that it has stopped.
    pub(super) fn stop_run(&mut self, no: PageNo, run: SegmentNo) {
        let mut roll = self.dice.roll(self.now, Purpose::Devices);
        let Some(stopped) = self.run_of(no, run) else { return };
        if !stopped.stands_still || roll.once_in(2) {
            self.schedule(roll.millis(1, 250), Event::RunStops { page: no, run });
        }
    }

    pub(super) fn drop_run(&mut self, no: PageNo, run: SegmentNo) {
        if let Some(page) = self.pages.get_mut(&no) {
            page.run.take_if(|one| one.no == run);
        }
    }

    pub(super) fn make_run_stand_still(&mut self) {
        for page in self.pages.values_mut() {
            if let Some(run) = &mut page.run {
                run.stands_still = true;
            }
        }
    }

    pub(super) fn capture(&mut self, no: PageNo, run: SegmentNo) {
        let Some(running) = self.run_of(no, run) else { return };
        let is_paused = running.is_paused;
        self.schedule(TIMESLICE, Event::Capture { page: no, run });
        if !is_paused {
            self.hand_over_chunk(no, run);
        }
    }

    /// Everything up to now comes before the news.
    pub(super) fn run_stops(&mut self, no: PageNo, run: SegmentNo) {
        if self.run_of(no, run).is_none() {
            return;
        }
        if self.breakage == Some(Breakage::EndBeforeRest) {
            self.with_page(no, |page, at| page.recorder.run_stopped(at, run));
            self.capture_chunk(no, run);
        } else {
            self.hand_over_chunk(no, run);
            self.with_page(no, |page, at| page.recorder.run_stopped(at, run));
        }
    }

    pub(super) fn hand_over_chunk(&mut self, no: PageNo, run: SegmentNo) {
        if self.run_of(no, run).is_some_and(|run| !run.stands_still) {
            self.capture_chunk(no, run);
        }
    }

    /// The chunk gets its number now, and its bytes are read later.
    fn capture_chunk(&mut self, no: PageNo, run: SegmentNo) {
        let mut roll = self.dice.roll(self.now, Purpose::Capture);
        let oversized = self.faults.strikes(self.now, FaultKind::Oversized, 250).is_some();
        let length = if oversized { OVERSIZED_BYTES } else { roll.between(1, 400) };
        let mut bytes = vec![roll.between(0, 256) as u8; usize::try_from(length).unwrap()];
        // No two chunks are alike.
        let mark = roll.between(0, 1 << 60).to_le_bytes();
        bytes.iter_mut().zip(mark).for_each(|(byte, mark)| *byte ^= mark);
        let mut is_numbered = false;
        self.with_page(no, |page, at| {
            let seq = page.recorder.chunk(at, run, at.now, bytes.len());
            is_numbered = seq.is_some();
            page.pieces.extend(seq.map(|seq| (seq, bytes.into())));
        });
        if !is_numbered {
            self.model.broken(format!("run {run} has handed over what got no number"));
        }
    }

    pub(super) fn start_reading(&mut self, no: PageNo, at: Moment, seq: Seq, is_urgent: bool) {
        let mut roll = self.dice.roll(self.now, Purpose::Reading);
        // Not every browser lets a page read at once.
        if is_urgent
            && roll.once_in(2)
            && let Some(page) = self.pages.get_mut(&no)
            && let Some(bytes) = page.pieces.remove(&seq)
        {
            return page.recorder.chunk_read(at, seq, Some(bytes));
        }
        let takes = if roll.once_in(40) { roll.millis(100, 900) } else { roll.millis(1, 40) };
        self.schedule(takes, Event::Read { page: no, seq });
    }

    pub(super) fn chunk_is_read(&mut self, no: PageNo, seq: Seq) {
        let page = self.pages.get_mut(&no);
        let Some(bytes) = page.and_then(|page| page.pieces.remove(&seq)) else { return };
        let fails = self.faults.strikes(self.now, FaultKind::Unreadable, 120).is_some();
        let bytes = Some(bytes).filter(|_| !fails);
        self.with_page(no, |page, at| page.recorder.chunk_read(at, seq, bytes));
    }
}
