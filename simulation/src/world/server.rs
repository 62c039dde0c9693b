//! Server processes: each has its connections and forgets them when it ends; the ledger stays.

use std::collections::BTreeMap;

use protocol::limits::SILENCE_MAX;
use protocol::{Millis, SessionStatus};

use super::World;
use super::event::Event;
use super::link::LinkNo;
use super::peer::Peer;
use super::recording::Making;
use crate::dice::Roll;
use crate::drive::Drive;

const CHECK_EVERY: Millis = Millis::from_secs(1);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ProcessNo(pub(super) u64);

#[derive(Default)]
pub(super) struct Servers {
    count: u64,
    pub(super) running: BTreeMap<ProcessNo, Process>,
    /// The one that takes new connections.
    pub(super) entry: Option<ProcessNo>,
}

#[derive(Default)]
pub(super) struct Process {
    pub(super) peers: BTreeMap<LinkNo, Peer>,
    pub(super) making: Option<Making>,
}

impl<D: Drive> World<D> {
    /// A process with nothing but the ledger.
    pub(super) fn start_process(&mut self) {
        self.servers.count += 1;
        let process = ProcessNo(self.servers.count);
        self.servers.running.insert(process, Process::default());
        self.servers.entry = Some(process);
        let wall = self.server_wall();
        self.disk.interrupt_silent(None, wall, self.now);
        // A server that is alone knows that whoever worked on a job is gone.
        if self.servers.running.len() == 1 {
            self.disk.expire_jobs(wall);
        }
        self.schedule(CHECK_EVERY, Event::Check { process });
    }

    pub(super) fn crash_server(&mut self, roll: &mut Roll) {
        if let Some(process) = self.servers.entry {
            self.kill_process(process);
            self.schedule(roll.millis(100, 6_000), Event::ProcessStarts);
        }
    }

    /// The old one serves whom it has for a while.
    pub(super) fn change_server(&mut self, roll: &mut Roll) {
        if let Some(process) = self.servers.entry {
            self.start_process();
            self.schedule(roll.millis(100, 10_000), Event::ProcessEnds { process });
        }
    }

    /// What it had sent is still on its way.
    pub(super) fn kill_process(&mut self, process: ProcessNo) {
        let Some(ended) = self.servers.running.remove(&process) else { return };
        if self.servers.entry == Some(process) {
            self.servers.entry = None;
        }
        for link in ended.peers.into_keys() {
            self.close_from_server(link);
        }
        if self.servers.running.is_empty() && self.servers.entry.is_none() && self.faults.stopped()
        {
            self.schedule(Millis::new(500), Event::ProcessStarts);
        }
    }

    pub(super) fn check_deadlines(&mut self, process: ProcessNo) {
        if !self.servers.running.contains_key(&process) {
            return;
        }
        self.schedule(CHECK_EVERY, Event::Check { process });
        let (wall, now) = (self.server_wall(), self.now);
        self.disk.interrupt_silent(Some(SILENCE_MAX), wall, now);
        if self.disk.check_deadline(wall, now) == Some(SessionStatus::Finalizing) {
            self.model.window_over(self.has_live_writer());
        }
        self.look_for_work(process);
        self.tell_waiting(process);
    }

    /// True when the newest writer is connected, and gave a sign of life since the session was taken
    /// for interrupted.
    fn has_live_writer(&self) -> bool {
        let processes = self.servers.running.values();
        processes.flat_map(|process| process.peers.values()).any(|peer| {
            let is_newest = peer.epoch == Some(self.disk.known.epoch());
            is_newest && !peer.is_gone && peer.heartbeat_at > self.disk.known.interrupted_at
        })
    }
}
