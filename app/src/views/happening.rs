//! What happened to a session, and where on its timeline.

use protocol::{Event, Millis, UnixMillis};

use super::Instant;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Happening {
    /// When it happened, by the server's clock.
    pub at: Instant,
    /// The same on the session's timeline.
    pub place: Millis,
    /// `None`: of a kind that only a newer version knows.
    pub event: Option<Event>,
}

/// When the timeline began, by the server's clock. The server learns of what the browser reports
/// some time after it happened, never before it: the report that came fastest tells best. Nothing
/// is asked of the candidate's clock, which may be wrong.
///
/// Each event is the time at which the server learned of it, with its place on the timeline if it
/// has one.
pub fn origin(
    events: impl IntoIterator<Item = (UnixMillis, Option<Millis>)>,
) -> Option<UnixMillis> {
    let (mut reported, mut first) = (None, None);
    for (at, place) in events {
        first = first.or(Some(at));
        if let Some(place) = place {
            let began = UnixMillis::new(at.get().saturating_sub(place.get()));
            reported = Some(reported.map_or(began, |before: UnixMillis| before.min(began)));
        }
    }
    reported.or(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: u64) -> UnixMillis {
        UnixMillis::new(millis)
    }

    #[test]
    fn the_report_that_came_fastest_tells_when_the_timeline_began() {
        let reported = |millis, place| (at(millis), Some(Millis::new(place)));
        assert_eq!(origin([]), None);
        assert_eq!(origin([(at(5_000), None), (at(6_000), None)]), Some(at(5_000)));
        let online = [(at(5_000), None), reported(5_100, 50), reported(9_400, 4_350)];
        assert_eq!(origin(online), Some(at(5_050)));
        // All of it was recorded without a network, and arrived at once a minute later.
        let offline = [(at(70_000), None), reported(70_100, 0), reported(70_200, 60_000)];
        assert_eq!(origin(offline), Some(at(10_200)));
    }
}
