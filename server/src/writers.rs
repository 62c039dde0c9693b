//! Which writers of this process write which session, so that a newer one ends the older one's
//! connection at once. (The ledger refuses the older one's items in any case.) Several connections
//! may write under one epoch: a page that has no WebSocket makes a request after the other.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use protocol::event::Transport;
use protocol::{Epoch, Refusal, SessionId};
use tokio::sync::watch;

#[derive(Debug, Clone, Default)]
pub(crate) struct Writers(Arc<Mutex<HashMap<SessionId, Newest>>>);

/// The newest writer of a session; every connection of it holds a receiver.
#[derive(Debug)]
struct Newest {
    epoch: Epoch,
    /// Those that are connections; a request is none.
    connections: usize,
    ended: watch::Sender<Option<Refusal>>,
}

/// Held by each connection that writes a session.
#[derive(Debug)]
pub(crate) struct Writing {
    writers: Writers,
    session: SessionId,
    epoch: Epoch,
    transport: Transport,
    ended: watch::Receiver<Option<Refusal>>,
}

impl Writers {
    /// Ends the session's older writer, if this process has it. The same writer is joined.
    pub(crate) fn enter(&self, session: SessionId, epoch: Epoch, transport: Transport) -> Writing {
        let mut writers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let ended = match writers.get(&session) {
            Some(newest) if newest.epoch > epoch => watch::channel(Some(Refusal::Fenced)).1,
            Some(newest) if newest.epoch == epoch => newest.ended.subscribe(),
            older => {
                if let Some(older) = older {
                    older.ended.send_replace(Some(Refusal::Fenced));
                }
                let (ended, receiver) = watch::channel(None);
                writers.insert(session, Newest { epoch, connections: 0, ended });
                receiver
            }
        };
        if let Some(newest) = writers.get_mut(&session).filter(|newest| newest.epoch == epoch) {
            newest.connections += connections_of(transport);
        }
        Writing { writers: self.clone(), session, epoch, transport, ended }
    }

    /// Ends every connection that writes the session, with the reason.
    pub(crate) fn end(&self, session: SessionId, refusal: Refusal) {
        let writers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(newest) = writers.get(&session) {
            newest.ended.send_replace(Some(refusal));
        }
    }
}

impl Writing {
    pub(crate) fn session(&self) -> SessionId {
        self.session
    }

    pub(crate) fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Resolves when this writer is to end. May be dropped and asked again.
    pub(crate) async fn ended(&mut self) -> Refusal {
        match self.ended.wait_for(Option::is_some).await {
            Ok(refusal) => refusal.clone().unwrap_or(Refusal::Fenced),
            // The newest writer's entry is replaced only with a word to its holders, and removed
            // only by the last of them.
            Err(_) => Refusal::Fenced,
        }
    }

    /// True for a connection when no other one writes the session under this epoch.
    pub(crate) fn is_last_connection(&self) -> bool {
        let writers = self.writers.0.lock().unwrap_or_else(PoisonError::into_inner);
        self.transport == Transport::WebSocket
            && writers
                .get(&self.session)
                .is_none_or(|newest| newest.epoch == self.epoch && newest.connections <= 1)
    }

    fn is_last_of(&self, newest: &Newest) -> bool {
        newest.epoch == self.epoch && newest.ended.receiver_count() <= 1
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        let mut writers = self.writers.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(newest) = writers.get_mut(&self.session) else { return };
        if self.is_last_of(newest) {
            writers.remove(&self.session);
        } else if newest.epoch == self.epoch {
            newest.connections -= connections_of(self.transport);
        }
    }
}

/// Only a connection is a sign of life.
const fn connections_of(transport: Transport) -> usize {
    match transport {
        Transport::WebSocket => 1,
        Transport::Http => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt as _;
    use protocol::UnixMillis;

    fn a_session() -> SessionId {
        SessionId::from_parts(UnixMillis::new(0), [0; 10])
    }

    fn ended(writing: &mut Writing) -> Option<Refusal> {
        writing.ended().now_or_never()
    }

    #[test]
    fn a_newer_writer_writers_off_the_older_and_not_the_other_way_round() {
        let writers = Writers::default();
        let mut first = writers.enter(a_session(), Epoch::new(1), Transport::WebSocket);
        let mut second = writers.enter(a_session(), Epoch::new(2), Transport::WebSocket);
        assert_eq!((ended(&mut first), ended(&mut second)), (Some(Refusal::Fenced), None));
        drop(first);
        let mut late = writers.enter(a_session(), Epoch::new(1), Transport::WebSocket);
        assert_eq!((ended(&mut late), ended(&mut second)), (Some(Refusal::Fenced), None));
        drop((late, second));
        assert!(writers.0.lock().unwrap().is_empty());
    }

    #[test]
    fn the_same_writer_is_joined_and_all_its_connections_end_together() {
        let writers = Writers::default();
        let mut socket = writers.enter(a_session(), Epoch::new(1), Transport::WebSocket);
        let mut request = writers.enter(a_session(), Epoch::new(1), Transport::Http);
        assert_eq!((ended(&mut socket), ended(&mut request)), (None, None));
        assert!(socket.is_last_connection(), "a request is no connection");
        assert!(!request.is_last_connection());
        let other = writers.enter(a_session(), Epoch::new(1), Transport::WebSocket);
        assert!(!socket.is_last_connection());
        drop(other);
        writers.end(a_session(), Refusal::Discarded);
        assert_eq!(ended(&mut socket), Some(Refusal::Discarded));
        assert_eq!(ended(&mut request), Some(Refusal::Discarded));
        drop(request);
        assert!(socket.is_last_connection());
        drop(socket);
        assert!(writers.0.lock().unwrap().is_empty());
    }
}
