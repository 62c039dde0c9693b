//! A session that an earlier page left: its sender, and the line that the sender drives.

use protocol::sender::Sender;
use protocol::{Millis, SessionId};

use crate::high_water;
use crate::line::{Line, LineEvent};
use crate::port::Inputs;
use crate::recovery::Recovery;
use crate::spool::{Spool, Unfinished};

pub(crate) struct Pipeline {
    sender: Sender,
    line: Line,
    /// Taken up by its recovery link.
    is_recovered: bool,
}

impl Pipeline {
    /// Takes up what an earlier page left in the spool.
    pub(crate) fn restore(
        now: Millis,
        unfinished: Unfinished,
        spool: Spool,
        inputs: Inputs,
    ) -> Self {
        let Unfinished { mut record, items, unreadable } = unfinished;
        if let Some((next_seq, next_segment)) = high_water::read(record.session) {
            record.note(next_seq, next_segment);
        }
        let mut sender = Sender::restore(now, record, items);
        for seq in unreadable.seqs {
            sender.handle_unreadable(now, seq);
        }
        Self::new(sender, false, spool, inputs)
    }

    /// Takes up a session of which nothing is in this browser.
    pub(crate) fn recover(now: Millis, recovery: &Recovery, spool: Spool, inputs: Inputs) -> Self {
        let sender = Sender::recover(now, recovery.session, recovery.token.clone());
        Self::new(sender, true, spool, inputs)
    }

    fn new(sender: Sender, is_recovered: bool, spool: Spool, inputs: Inputs) -> Self {
        let line = Line::new(sender.session(), spool, inputs);
        let mut pipeline = Self { sender, line, is_recovered };
        pipeline.carry_out();
        pipeline
    }

    pub(crate) fn sender(&self) -> &Sender {
        &self.sender
    }

    pub(crate) fn session(&self) -> SessionId {
        self.sender.session()
    }

    pub(crate) fn is_recovered(&self) -> bool {
        self.is_recovered
    }

    /// For a recorder that goes on with the session.
    pub(crate) fn into_parts(self) -> (Sender, Line) {
        (self.sender, self.line)
    }

    pub(crate) fn network_online(&mut self, now: Millis) {
        self.sender.handle_network_online(now);
        self.carry_out();
    }

    /// To be called after every input and when the sender's time has come.
    pub(crate) fn tick(&mut self, now: Millis) {
        if self.sender.poll_timeout().is_some_and(|at| now >= at) {
            self.sender.handle_timeout(now);
            self.carry_out();
        }
    }

    pub(crate) fn handle(&mut self, now: Millis, event: LineEvent) {
        self.line.handle(now, &mut self.sender, event);
        self.carry_out();
    }

    pub(crate) fn finish(&mut self, now: Millis) {
        self.sender.finish(now);
        self.carry_out();
    }

    pub(crate) fn discard(&mut self, now: Millis) {
        self.sender.discard(now);
        self.carry_out();
    }

    fn carry_out(&mut self) {
        while let Some(effect) = self.sender.poll_effect() {
            self.line.carry_out(effect);
        }
    }
}
