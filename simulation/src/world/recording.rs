//! Making the recording of what the ledger holds, in steps between which a process may die. Each
//! process works on one job at a time; whose job it is, the ledger says.

use ledger::jobs::Worker;
use ledger::{Command, JobKind, MadeOf, Work};
use protocol::receiver::FinishStep;
use protocol::{Digest, Millis, Receipt, SeqSet, SessionStatus};

use super::event::Event;
use super::server::ProcessNo;
use super::{Purpose, World};
use crate::breakage::Breakage;
use crate::drive::Drive;
use crate::faults::FaultKind;

/// How far a process has come.
#[derive(Debug)]
pub(super) enum Making {
    Waiting,
    /// The chunks are read; the file is written, and is durable when this step is over.
    Read {
        seqs: SeqSet,
        began_in: SessionStatus,
    },
    /// The session is completed; its payloads may go.
    Completed,
    /// What came late is read; the supplement is durable when this step is over.
    LateRead {
        seqs: SeqSet,
    },
}

fn worker(process: ProcessNo) -> Worker {
    Worker(process.0)
}

impl<D: Drive> World<D> {
    /// Begins what is due, unless the process is at work.
    pub(super) fn look_for_work(&mut self, process: ProcessNo) {
        let is_idle =
            self.servers.running.get(&process).is_some_and(|running| running.making.is_none());
        if !is_idle {
            return;
        }
        let (by, now) = (worker(process), self.server_wall());
        if self.disk.claim(JobKind::Assemble, by, now) {
            if self.breakage == Some(Breakage::DropPayloadsEarly) {
                self.drop_payloads();
            }
            self.set_step(process, Making::Waiting);
        } else if self.disk.claim(JobKind::Supplement, by, now) {
            let seqs = self.disk.known.late();
            self.set_step(process, Making::LateRead { seqs });
        }
    }

    fn set_step(&mut self, process: ProcessNo, step: Making) {
        if let Some(running) = self.servers.running.get_mut(&process) {
            running.making = Some(step);
        }
        let mut takes = self.dice.millis(self.now, Purpose::Server, 5, 300);
        if let Some(mut roll) = self.faults.strikes(self.now, FaultKind::SlowServer, 3) {
            takes = roll.millis(1_000, 15_000);
        }
        self.schedule(takes, Event::Recording { process });
    }

    pub(super) fn recording_step(&mut self, process: ProcessNo) {
        let running = self.servers.running.get_mut(&process);
        let Some(step) = running.and_then(|running| running.making.take()) else { return };
        // What cannot be written down is tried again.
        if self.disk.is_full {
            self.set_step(process, step);
            return;
        }
        match step {
            Making::Waiting => self.read_chunks(process),
            Making::Read { seqs, began_in } => self.recording_durable(process, seqs, began_in),
            Making::LateRead { seqs } => self.supplement_durable(process, seqs),
            Making::Completed => {
                if self.disk.claim(JobKind::Release, worker(process), self.server_wall()) {
                    self.drop_payloads();
                    self.disk.end_job(Work::Release, worker(process), self.server_wall());
                }
                self.recording_over(process);
            }
        }
    }

    fn read_chunks(&mut self, process: ProcessNo) {
        let Some(status) = self.disk.known.status() else { return };
        let fails = self.faults.strikes(self.now, FaultKind::RecordingFails, 4).is_some();
        match status {
            SessionStatus::Incomplete | SessionStatus::Finalizing
                if fails || self.disk.known.payloads_dropped =>
            {
                let (reason, took) = ("it fails".into(), Millis::ZERO);
                self.note(&Command::RecordingFailed { reason, took });
                self.recording_over(process);
            }
            SessionStatus::Incomplete | SessionStatus::Finalizing => {
                let completes = self.breakage == Some(Breakage::CompleteWithPartial);
                let began_in = if completes { SessionStatus::Finalizing } else { status };
                let seqs = self.disk.known.in_time();
                self.set_step(process, Making::Read { seqs, began_in });
            }
            // It was taken up again, or is done.
            SessionStatus::Active
            | SessionStatus::Interrupted
            | SessionStatus::Completed
            | SessionStatus::Failed
            | SessionStatus::Discarded => self.recording_over(process),
        }
    }

    /// True when the ledger takes it.
    fn note(&mut self, command: &Command) -> bool {
        matches!(self.disk.apply(command, self.server_wall(), self.now), Ok(Ok(_)))
    }

    fn recording_durable(&mut self, process: ProcessNo, seqs: SeqSet, began_in: SessionStatus) {
        let (duration, took) = (Millis::from_secs(1), Millis::ZERO);
        let completes = self.breakage == Some(Breakage::CompleteWithPartial);
        let held = if completes { self.disk.known.in_time() } else { seqs.clone() };
        let of = MadeOf { began_in, items: held.len() };
        if self.note(&Command::RecordingPlayable { of }) {
            self.disk.known.recording = Some(seqs);
            self.note(&Command::RecordingDone { of, duration, bytes: 1, took, sounds: 1 });
        }
        if self.disk.known.status() == Some(SessionStatus::Completed) {
            self.model.completed(&self.disk.known);
            self.set_step(process, Making::Completed);
        } else {
            self.recording_over(process);
        }
    }

    fn supplement_durable(&mut self, process: ProcessNo, seqs: SeqSet) {
        let (duration, took) = (Millis::from_secs(1), Millis::ZERO);
        let made = Command::SupplementMade { of: seqs.clone(), duration, bytes: 1, took };
        if self.breakage != Some(Breakage::ForgetSupplement) && self.note(&made) {
            self.disk.known.supplement = seqs;
        }
        self.disk.end_job(Work::Supplement, worker(process), self.server_wall());
        self.look_for_work(process);
    }

    fn drop_payloads(&mut self) {
        self.model.payloads_dropped(&self.disk.known);
        self.disk.known.payloads_dropped = true;
    }

    /// Tells who waits for it, and goes on with what was asked for meanwhile.
    fn recording_over(&mut self, process: ProcessNo) {
        self.disk.end_job(Work::Assemble, worker(process), self.server_wall());
        self.look_for_work(process);
        self.tell_waiting(process);
    }

    /// Those who wait in this process, if there is anything to tell.
    pub(super) fn tell_waiting(&mut self, process: ProcessNo) {
        let step = match (self.receipt(), self.disk.known.status()) {
            (Some(receipt), _) => FinishStep::Completed(receipt),
            (None, None | Some(SessionStatus::Finalizing)) => return,
            (None, Some(status)) => FinishStep::Failed(status.to_string()),
        };
        for link in self.waiting_for_recording(process) {
            self.answer_finish_last(link, step.clone());
        }
    }

    /// Proof of what is there, once the session is completed.
    pub(super) fn receipt(&self) -> Option<Receipt> {
        let known = &self.disk.known;
        (known.status() == Some(SessionStatus::Completed)).then(|| Receipt {
            items: known.items.len() as u64,
            bytes: 0,
            duration: Millis::ZERO,
            digest: Digest::from_bytes([0; 32]),
            missing: known.missing(),
            left_out: 0,
        })
    }
}
