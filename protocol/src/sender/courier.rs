//! What a courier says that delivers spooled items in the page's absence. It knows nothing of the
//! protocol: every message is made for it, and kept beside the session's record.

use super::SessionRecord;
use crate::limits::PROTOCOL_VERSION;
use crate::message::{Finish, Hello, Opening};
use crate::{Epoch, Seq, SeqSet};

/// The first and the last message around a session's items.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dispatch {
    /// To be tried one after the other when the server turns one away.
    pub hellos: Vec<Hello>,
    /// To be sent once the server has all items. Only what the candidate has asked for.
    pub finish: Option<Finish>,
}

/// Under which the first connection to a session is welcomed.
const FIRST_EPOCH: Epoch = Epoch::new(1);

impl SessionRecord {
    /// How a courier opens and finishes the session as it now stands. `None` when nothing of it is
    /// to be sent: the candidate has thrown it away, or it was recovered by its link and the server
    /// not reached since, so that there is no writer a courier could join.
    pub fn dispatch(&self) -> Option<Dispatch> {
        let openings = match self.opening {
            // Not known to have been welcomed: by now it may be, as one of the courier's own
            // requests, or as this page, which did not hear of it.
            Opening::New { .. } => vec![self.opening, Opening::Joining { epoch: FIRST_EPOCH }],
            Opening::Following { epoch } | Opening::Joining { epoch } => {
                vec![Opening::Joining { epoch }]
            }
            Opening::Existing => return None,
        };
        let hello = |opening| self.hello(PROTOCOL_VERSION, opening, 0);
        (!self.discard_asked).then(|| Dispatch {
            hellos: openings.into_iter().map(hello).collect(),
            finish: self.finish_asked.then(|| self.courier_finish()),
        })
    }

    /// Gives nothing up for lost: what is missing is for the next page to judge.
    fn courier_finish(&self) -> Finish {
        Finish { last_seq: self.next_seq.get().checked_sub(1).map(Seq::new), lost: SeqSet::new() }
    }
}
