//! The recovery link: with it a recording goes on although everything in the browser is gone, on
//! another device too. It holds the session's token, behind a `#`, so that it is never sent to a
//! server or written into a log.

use protocol::{SessionId, SessionToken};

const PREFIX: &str = "#resume=";

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Recovery {
    pub(crate) session: SessionId,
    pub(crate) token: SessionToken,
}

impl Recovery {
    /// From the page's fragment, such as `#resume=ID.TOKEN`.
    pub(crate) fn parse(fragment: &str) -> Option<Self> {
        let (session, token) = fragment.strip_prefix(PREFIX)?.split_once('.')?;
        Some(Self { session: session.parse().ok()?, token: token.parse().ok()? })
    }

    pub(crate) fn fragment(&self) -> String {
        [PREFIX, &self.session.to_string(), ".", &self.token.expose()].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::UnixMillis;

    #[test]
    fn a_link_leads_back_to_its_session() {
        let recovery = Recovery {
            session: SessionId::from_parts(UnixMillis::new(1_795_257_600_000), [7; 10]),
            token: SessionToken::from_random([9; 32]),
        };
        assert_eq!(Recovery::parse(&recovery.fragment()), Some(recovery));
        for fragment in ["", "#", "#resume=", "#resume=a.b", "#top"] {
            assert_eq!(Recovery::parse(fragment), None, "{fragment}");
        }
    }
}
