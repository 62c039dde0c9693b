//! The numbers of rows of which each session has many, up to a bound: events, pauses, connections.

use std::collections::{BTreeSet, HashMap};

use protocol::SessionId;
use sqlx::{QueryBuilder, Row as _, Sqlite};

use super::rows;
use super::{ROWS_PER_STATEMENT, StoreError, Tx};

/// Where the next rows of some sessions go.
pub(super) struct Numbers {
    next: HashMap<SessionId, u32>,
    most: u32,
}

/// Where one row goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    Free(u32),
    /// The bound is reached: this one says that there were more.
    Last(u32),
    /// There is no room, or no such session.
    None,
}

impl Next {
    pub(super) const fn number(self) -> Option<u32> {
        match self {
            Self::Free(number) | Self::Last(number) => Some(number),
            Self::None => None,
        }
    }
}

impl Numbers {
    /// In a table whose rows have the `number` of each in its session.
    pub(super) async fn of(
        tx: &mut Tx,
        table: &'static str,
        sessions: impl Iterator<Item = SessionId>,
        most: u32,
    ) -> Result<Self, StoreError> {
        let sessions: Vec<SessionId> = sessions.collect::<BTreeSet<_>>().into_iter().collect();
        let mut next = HashMap::with_capacity(sessions.len());
        for sessions in sessions.chunks(ROWS_PER_STATEMENT) {
            let mut query = QueryBuilder::<Sqlite>::new("SELECT id, (SELECT number FROM ");
            query.push(table).push(
                " WHERE session_id = id ORDER BY number DESC LIMIT 1) AS last \
                 FROM sessions WHERE id IN (",
            );
            let mut list = query.separated(", ");
            for session in sessions {
                list.push_bind(session.as_bytes().as_slice());
            }
            list.push_unseparated(")");
            for row in query.build().fetch_all(&mut **tx).await? {
                let last: Option<u32> = row.try_get("last")?;
                let id = rows::session_id(row.try_get("id")?)?;
                next.insert(id, last.map_or(0, |last| last.saturating_add(1)));
            }
        }
        Ok(Self { next, most })
    }

    pub(super) fn next(&mut self, session: SessionId) -> Next {
        let Some(next) = self.next.get_mut(&session) else { return Next::None };
        let number = *next;
        *next = next.saturating_add(1);
        match number.cmp(&self.most) {
            std::cmp::Ordering::Less => Next::Free(number),
            std::cmp::Ordering::Equal => Next::Last(number),
            std::cmp::Ordering::Greater => Next::None,
        }
    }
}

#[cfg(test)]
mod tests {
    use protocol::UnixMillis;

    use super::*;

    #[test]
    fn up_to_the_bound_each_has_a_place_and_one_more_says_so() {
        let [one, other, unknown] =
            [1, 2, 3].map(|id| SessionId::from_parts(UnixMillis::new(id), [0; 10]));
        let mut numbers = Numbers { next: HashMap::from([(one, 0), (other, 2)]), most: 2 };
        assert_eq!([0; 2].map(|_| numbers.next(one)), [Next::Free(0), Next::Free(1)]);
        assert_eq!([0; 3].map(|_| numbers.next(one)), [Next::Last(2), Next::None, Next::None]);
        assert_eq!(numbers.next(other), Next::Last(2));
        assert_eq!(numbers.next(unknown), Next::None);
    }
}
