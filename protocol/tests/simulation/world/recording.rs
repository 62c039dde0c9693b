//! Making the recording of what the ledger holds, in steps between which a process may die. Each
//! process makes one at a time; what is asked for meanwhile is made after it.

use protocol::receiver::FinishStep;
use protocol::{Digest, Millis, Receipt, SeqSet, SessionEvent, SessionStatus};

use super::event::Event;
use super::server::ProcessNo;
use super::{Purpose, World};
use crate::breakage::Breakage;
use crate::faults::FaultKind;

/// How far a process has come.
#[derive(Debug)]
pub(super) struct Making {
    step: Step,
    /// Something may have come that it does not hold.
    again: bool,
}

#[derive(Debug)]
enum Step {
    Waiting,
    /// The chunks are read; the file is written, and is durable when this step is over.
    Read {
        seqs: SeqSet,
        is_final: bool,
    },
    /// The session is completed; its payloads may go.
    Completed,
}

impl World {
    pub(super) fn make_recording(&mut self, process: ProcessNo) {
        let Some(running) = self.servers.running.get_mut(&process) else { return };
        match &mut running.making {
            Some(making) => making.again = true,
            None => {
                running.making = Some(Making { step: Step::Waiting, again: false });
                if self.breakage == Some(Breakage::DropPayloadsEarly) {
                    self.drop_payloads();
                }
                self.recording_takes(process);
            }
        }
    }

    fn recording_takes(&mut self, process: ProcessNo) {
        let mut takes = self.dice.millis(self.now, Purpose::Server, 5, 300);
        if let Some(mut roll) = self.faults.strikes(self.now, FaultKind::SlowServer, 3) {
            takes = roll.millis(1_000, 15_000);
        }
        self.schedule(takes, Event::Recording { process });
    }

    pub(super) fn recording_step(&mut self, process: ProcessNo) {
        let running = self.servers.running.get_mut(&process);
        let Some(making) = running.and_then(|running| running.making.as_mut()) else { return };
        let step = std::mem::replace(&mut making.step, Step::Waiting);
        match step {
            Step::Waiting if self.ledger.status == Some(SessionStatus::Completed) => {
                self.recording_over(process);
            }
            Step::Waiting => self.read_chunks(process),
            Step::Read { seqs, is_final } => self.recording_durable(process, seqs, is_final),
            Step::Completed => {
                self.drop_payloads();
                self.recording_over(process);
            }
        }
    }

    fn set_step(&mut self, process: ProcessNo, step: Step) {
        let running = self.servers.running.get_mut(&process);
        if let Some(making) = running.and_then(|running| running.making.as_mut()) {
            making.step = step;
        }
        self.recording_takes(process);
    }

    fn read_chunks(&mut self, process: ProcessNo) {
        let is_final = self.ledger.status == Some(SessionStatus::Finalizing);
        let is_whole = self.ledger.items.values().all(|item| item.has_payload);
        let fails = self.faults.strikes(self.now, FaultKind::RecordingFails, 4).is_some();
        if self.ledger.status == Some(SessionStatus::Discarded) {
            self.recording_over(process);
        } else if fails || !is_whole {
            self.recording_failed(process);
        } else {
            let is_final = is_final || self.breakage == Some(Breakage::CompleteWithPartial);
            self.set_step(process, Step::Read { seqs: self.ledger.have(), is_final });
        }
    }

    fn recording_failed(&mut self, process: ProcessNo) {
        if self.ledger.disk_full {
            self.set_step(process, Step::Waiting);
            return;
        }
        if let Some(Ok(status)) =
            self.ledger.status.map(|one| one.after(SessionEvent::RecordingFailed))
        {
            self.ledger.status = Some(status);
        }
        self.recording_over(process);
    }

    /// Only a recording that was begun after the last item completes the session.
    fn recording_durable(&mut self, process: ProcessNo, seqs: SeqSet, is_final: bool) {
        if self.ledger.disk_full {
            self.set_step(process, Step::Waiting);
            return;
        }
        let Some(status) = self.ledger.status else { return };
        if is_final {
            let status = status.after(SessionEvent::RecordingDurable).unwrap_or(status);
            self.ledger.status = Some(status);
            self.ledger.recording = Some(seqs);
        } else if status.takes_items() {
            self.ledger.recording = Some(seqs);
        }
        if self.ledger.status == Some(SessionStatus::Completed) {
            self.model.completed(&self.ledger);
            self.set_step(process, Step::Completed);
        } else {
            self.recording_over(process);
        }
    }

    fn drop_payloads(&mut self) {
        self.model.payloads_dropped(&self.ledger);
        self.ledger.items.values_mut().for_each(|item| item.has_payload = false);
    }

    /// Tells who waits for it, or goes on with what was asked for meanwhile.
    fn recording_over(&mut self, process: ProcessNo) {
        let Some(running) = self.servers.running.get_mut(&process) else { return };
        let again = running.making.take().is_some_and(|making| making.again);
        let step = match (self.receipt(), self.ledger.status) {
            (Some(receipt), _) => FinishStep::Completed(receipt),
            (None, Some(SessionStatus::Finalizing)) if again => {
                self.make_recording(process);
                return;
            }
            (None, status) => FinishStep::Failed(format!("{status:?}")),
        };
        for link in self.waiting_for_recording(process) {
            self.answer_finish_last(link, step.clone());
        }
    }

    /// Proof of what is there, once the session is completed.
    pub(super) fn receipt(&self) -> Option<Receipt> {
        (self.ledger.status == Some(SessionStatus::Completed)).then(|| Receipt {
            items: self.ledger.items.len() as u64,
            bytes: 0,
            duration: Millis::ZERO,
            digest: Digest::from_bytes([0; 32]),
            missing: self.ledger.missing(),
            left_out: 0,
        })
    }
}
