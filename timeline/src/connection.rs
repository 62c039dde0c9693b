//! When the server was out of reach, by its own clock and on the session's timeline.

use protocol::{Millis, UnixMillis};

use crate::{ConnectionMark, Marks, Span};

/// A shorter stretch without a connection is how connections begin, not an interruption.
const OUTAGE_MIN: Millis = Millis::new(500);

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

/// When the server was out of reach of a session that was recorded until `end`; recording went on.
/// Before the first connection there is none. Since a last loss behind which marks are missing, there
/// may have been one again.
pub fn outages(connections: &Marks<ConnectionMark>, end: Millis) -> Vec<Span> {
    let (mut outages, mut lost) = (Vec::new(), Some(Millis::ZERO));
    for mark in &connections.kept {
        match *mark {
            ConnectionMark::Lost(since) => {
                lost = Some(lost.map_or(since, |lost| lost.min(since)));
            }
            ConnectionMark::Connected(at) => {
                outages.extend(lost.take().map(|from| Span { from, to: at }));
            }
        }
    }
    outages.extend(lost.filter(|_| !connections.has_more).map(|from| Span { from, to: end }));
    let clipped = outages.into_iter().map(|outage| Span { to: outage.to.min(end), ..outage });
    clipped.filter(|outage| outage.length() >= OUTAGE_MIN).collect()
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

    const fn connected(millis: u64) -> ConnectionMark {
        ConnectionMark::Connected(Millis::new(millis))
    }

    const fn lost(millis: u64) -> ConnectionMark {
        ConnectionMark::Lost(Millis::new(millis))
    }

    fn span(from: u64, to: u64) -> Span {
        Span { from: Millis::new(from), to: Millis::new(to) }
    }

    #[test]
    fn the_server_is_out_of_reach_from_the_loss_to_the_next_connection() {
        let outages = |marks: &[ConnectionMark]| {
            super::outages(&Marks::all(marks.to_vec()), Millis::new(60_000))
        };
        assert_eq!(outages(&[connected(100)]), [], "a connection takes a moment");
        assert_eq!(outages(&[connected(9_000)]), [span(0, 9_000)], "it began without a network");
        assert_eq!(outages(&[]), [span(0, 60_000)]);
        let one = [connected(0), lost(5_000), lost(5_000), connected(8_000)];
        assert_eq!(outages(&one), [span(5_000, 8_000)]);
        let killed = [connected(0), lost(20_000), lost(7_000), connected(21_000)];
        assert_eq!(outages(&killed), [span(7_000, 21_000)], "a dead server notes nothing");
        assert_eq!(outages(&[connected(0), lost(50_000)]), [span(50_000, 60_000)]);
        assert_eq!(outages(&[connected(0), lost(61_000)]), [], "it was all recorded by then");
    }

    #[test]
    fn a_loss_is_not_taken_to_last_where_what_followed_it_was_not_kept() {
        let kept = vec![connected(0), lost(5_000), connected(8_000), lost(50_000)];
        let end = Millis::new(60_000);
        let outages = |has_more| super::outages(&Marks { kept: kept.clone(), has_more }, end);
        assert_eq!(outages(false), [span(5_000, 8_000), span(50_000, 60_000)]);
        assert_eq!(outages(true), [span(5_000, 8_000)]);
    }
}
