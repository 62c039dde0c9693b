//! The sender's connection: when to connect, when to give one up, how long to wait in between.

use crate::limits::{
    ANSWER_DEADLINE, CONNECT_DEADLINE, HEARTBEAT_EVERY, RECONNECT_DELAY_MAX, RECONNECT_DELAY_MIN,
    SILENCE_MAX,
};
use crate::message::Refusal;
use crate::{Epoch, Millis};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Phase {
    Down {
        retry_at: Millis,
    },
    Connecting {
        deadline: Millis,
    },
    Greeting {
        deadline: Millis,
    },
    Online {
        epoch: Epoch,
        heard_at: Millis,
        heartbeat_at: Millis,
    },
    /// The server refused for good; only a new sender helps.
    Stopped(Refusal),
    /// Nothing is left to say.
    Closed,
}

#[derive(Debug)]
pub(super) struct Link {
    pub(super) phase: Phase,
    failed_attempts: u32,
    jitter: u64,
    /// The newest epoch under which this sender was welcomed.
    welcomed: Option<Epoch>,
    /// Every `Hello` since that was not answered may have been welcomed.
    hellos_unanswered: u64,
}

/// What the passing of time asks of the link.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Due {
    Connect,
    GiveUp,
    Heartbeat,
    Nothing,
}

impl Link {
    /// A link that connects at once. `jitter_seed` spreads the reconnects of many clients.
    pub(super) fn new(now: Millis, jitter_seed: u64) -> Self {
        Self {
            phase: Phase::Down { retry_at: now },
            failed_attempts: 0,
            jitter: jitter_seed,
            welcomed: None,
            hellos_unanswered: 0,
        }
    }

    pub(super) fn due(&self, now: Millis, oldest_question: Option<Millis>) -> Due {
        match &self.phase {
            Phase::Down { retry_at } if now >= *retry_at => Due::Connect,
            Phase::Connecting { deadline } | Phase::Greeting { deadline } if now >= *deadline => {
                Due::GiveUp
            }
            Phase::Online { heard_at, heartbeat_at, .. } => {
                let unanswered = oldest_question.is_some_and(|at| now >= at + ANSWER_DEADLINE);
                if unanswered || now >= *heard_at + SILENCE_MAX {
                    Due::GiveUp
                } else if now >= *heartbeat_at {
                    Due::Heartbeat
                } else {
                    Due::Nothing
                }
            }
            Phase::Down { .. }
            | Phase::Connecting { .. }
            | Phase::Greeting { .. }
            | Phase::Stopped(_)
            | Phase::Closed => Due::Nothing,
        }
    }

    pub(super) fn deadline(&self, oldest_question: Option<Millis>) -> Option<Millis> {
        match &self.phase {
            Phase::Down { retry_at } => Some(*retry_at),
            Phase::Connecting { deadline } | Phase::Greeting { deadline } => Some(*deadline),
            Phase::Online { heard_at, heartbeat_at, .. } => {
                let answer_by = oldest_question.map(|at| at + ANSWER_DEADLINE);
                [Some(*heard_at + SILENCE_MAX), Some(*heartbeat_at), answer_by]
                    .into_iter()
                    .flatten()
                    .min()
            }
            Phase::Stopped(_) | Phase::Closed => None,
        }
    }

    pub(super) fn connecting(&mut self, now: Millis) {
        self.phase = Phase::Connecting { deadline: now + CONNECT_DEADLINE };
    }

    /// True when a `Hello` is to be sent now.
    pub(super) fn connected(&mut self, now: Millis) -> bool {
        let expected = matches!(self.phase, Phase::Connecting { .. });
        if expected {
            self.phase = Phase::Greeting { deadline: now + CONNECT_DEADLINE };
            self.hellos_unanswered += 1;
        }
        expected
    }

    pub(super) fn welcomed(&mut self, now: Millis, epoch: Epoch) {
        self.failed_attempts = 0;
        self.welcomed = Some(epoch);
        self.hellos_unanswered = 0;
        let heartbeat_at = now + HEARTBEAT_EVERY;
        self.phase = Phase::Online { epoch, heard_at: now, heartbeat_at };
    }

    pub(super) fn heard(&mut self, now: Millis) {
        if let Phase::Online { heard_at, .. } = &mut self.phase {
            *heard_at = now;
        }
    }

    pub(super) fn heartbeat_sent(&mut self, now: Millis) {
        if let Phase::Online { heartbeat_at, .. } = &mut self.phase {
            *heartbeat_at = now + HEARTBEAT_EVERY;
        }
    }

    /// The connection is gone: wait, each time longer, and try again, for ever.
    pub(super) fn lost(&mut self, now: Millis) {
        if !matches!(self.phase, Phase::Stopped(_) | Phase::Closed) {
            self.phase = Phase::Down { retry_at: now + self.next_delay() };
        }
    }

    /// The `Hello` was refused.
    pub(super) fn turned_away(&mut self) {
        if matches!(self.phase, Phase::Greeting { .. }) {
            self.hellos_unanswered -= 1;
        }
    }

    /// True when the newest epoch must be another writer's: this sender has not said `Hello` often
    /// enough to be it. One that was never welcomed has come to take over from whoever there is.
    pub(super) fn is_fenced_by(&self, current: Epoch) -> bool {
        self.welcomed.is_some_and(|welcomed| {
            current.get().saturating_sub(welcomed.get()) > self.hellos_unanswered
        })
    }

    pub(super) fn stopped(&mut self, refusal: Refusal) {
        self.phase = Phase::Stopped(refusal);
    }

    pub(super) fn close(&mut self) {
        self.phase = Phase::Closed;
    }

    /// The browser says that the network is back: no reason to wait.
    pub(super) fn network_is_back(&mut self, now: Millis) {
        if let Phase::Down { retry_at } = &mut self.phase {
            *retry_at = now;
        }
    }

    /// Connections that failed since the last one that was welcomed.
    pub(super) fn failed_tries(&self) -> u32 {
        self.failed_attempts
    }

    pub(super) fn is_online(&self) -> bool {
        matches!(self.phase, Phase::Online { .. })
    }

    fn next_delay(&mut self) -> Millis {
        let doubled = RECONNECT_DELAY_MIN.get() << self.failed_attempts.min(8);
        self.failed_attempts = self.failed_attempts.saturating_add(1);
        let full = doubled.min(RECONNECT_DELAY_MAX.get());
        Millis::new(full - self.next_random() % (full / 2 + 1))
    }

    /// SplitMix64: enough to keep clients from reconnecting in step.
    fn next_random(&mut self) -> u64 {
        self.jitter = self.jitter.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.jitter;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reconnect_delays_grow_to_their_most_and_stay_there() {
        let mut link = Link::new(Millis::ZERO, 1);
        let mut now = Millis::ZERO;
        for attempt in 0..20_u32 {
            link.connecting(now);
            link.lost(now);
            let Phase::Down { retry_at } = link.phase else { panic!("not down") };
            let most = (RECONNECT_DELAY_MIN.get() << attempt.min(8)).min(RECONNECT_DELAY_MAX.get());
            let delay = retry_at.since(now).get();
            assert!(delay <= most && delay >= most / 2, "attempt {attempt}: {delay} of {most}");
            now = retry_at;
        }
    }

    #[test]
    fn a_silent_or_unanswering_server_is_given_up() {
        let mut link = Link::new(Millis::ZERO, 1);
        link.connecting(Millis::ZERO);
        assert_eq!(link.due(CONNECT_DEADLINE, None), Due::GiveUp);
        link.welcomed(Millis::ZERO, Epoch::new(1));
        assert_eq!(link.due(HEARTBEAT_EVERY, None), Due::Heartbeat);
        assert_eq!(link.due(SILENCE_MAX, None), Due::GiveUp);
        link.heard(SILENCE_MAX);
        assert_eq!(link.due(SILENCE_MAX, Some(SILENCE_MAX)), Due::Heartbeat);
        link.heartbeat_sent(SILENCE_MAX);
        assert_eq!(link.due(SILENCE_MAX, Some(SILENCE_MAX)), Due::Nothing);
        assert_eq!(link.due(SILENCE_MAX, Some(SILENCE_MAX - ANSWER_DEADLINE)), Due::GiveUp);
    }
}
