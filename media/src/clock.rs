//! Owns when a track's packets end: the one rule by which the stitcher writes a Duration and
//! `verify` checks it.

use std::time::Duration;

use crate::block::BlockBody;
use crate::lacing::Lacing;
use crate::limits;
use crate::opus;
use crate::tracks::{TrackEntry, TrackKind};
use crate::units::Millis;

/// The least that packets are apart, as stamps are written.
const STAMP: Duration = Duration::from_millis(1);
/// Stamps are rounded, so that a packet of sound can seem to come before the last one has played; by
/// less than this.
const STAMP_BLUR: Duration = Duration::from_millis(5);

/// A moment between a packet and whatever follows it in its track. `last` is when the packet begins,
/// `end` when it has played: sound goes on right there, a picture may be followed earlier.
pub(crate) fn frontier(kind: TrackKind, last: Duration, end: Duration) -> Duration {
    let behind = last.saturating_add(STAMP);
    match kind {
        TrackKind::Audio => behind.max(end.saturating_sub(STAMP_BLUR)),
        TrackKind::Video | TrackKind::Other(_) => behind,
    }
}

/// Follows one track of the written file, packet by packet.
#[derive(Debug, Clone)]
pub(crate) struct TrackClock {
    is_opus: bool,
    /// Its packets may be written in another order than they play.
    reorders: bool,
    frame_default: Option<Duration>,
    last: Option<Millis>,
    last_step: Duration,
    end: Duration,
}

impl TrackClock {
    pub(crate) fn new(track: &TrackEntry) -> Self {
        Self {
            is_opus: track.is_opus(),
            reorders: track.reorders(),
            frame_default: track.default_duration,
            last: None,
            last_step: Duration::ZERO,
            end: Duration::ZERO,
        }
    }

    /// The time of the latest packet.
    pub(crate) fn last(&self) -> Option<Millis> {
        self.last
    }

    /// The next packet plays no earlier.
    pub(crate) fn earliest_next(&self) -> Option<Millis> {
        let back = if self.reorders { limits::REORDERING_MAX } else { Duration::ZERO };
        self.last.map(|last| Millis::nearest(last.as_duration().saturating_sub(back)))
    }

    /// When everything so far has played.
    pub(crate) fn end(&self) -> Duration {
        self.end
    }

    /// How long the codec itself says a block plays, whatever the container says.
    pub(crate) fn implied_duration(&self, body: &BlockBody<'_>) -> Option<Duration> {
        if !self.is_opus {
            return None;
        }
        match body.lacing() {
            Lacing::None => opus::packet_duration(body.payload),
            lacing @ (Lacing::Xiph | Lacing::FixedSize | Lacing::Ebml) => {
                let frames = lacing.frames(body.payload)?;
                frames.into_iter().map(opus::packet_duration).sum()
            }
        }
    }

    /// Takes the next packet: it plays as long as its codec says, else as its BlockDuration says,
    /// else as its track's DefaultDuration, else as long as the frame before it did.
    pub(crate) fn advance(&mut self, at: Millis, stated: Option<Millis>, body: &BlockBody<'_>) {
        if let Some(last) = self.last {
            let step = at.as_duration().abs_diff(last.as_duration());
            self.last_step = step.min(limits::FRAME_DURATION_MAX);
        }
        self.last = Some(self.last.map_or(at, |last| last.max(at)));
        let duration = self
            .implied_duration(body)
            .or(stated.map(Millis::as_duration))
            .or(self.frame_default)
            .unwrap_or(self.last_step);
        self.end = self.end.max(at.as_duration().saturating_add(duration));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tracks::{TrackKind, test_track};

    fn video_end(at_millis: &[u64], default: Option<Duration>) -> Duration {
        let mut track = test_track(TrackKind::Video, "V_VP8");
        track.default_duration = default;
        let mut clock = TrackClock::new(&track);
        let body = BlockBody::from_simple_block(&[0x81, 0, 0, 0, 1]).unwrap();
        for at in at_millis {
            clock.advance(Millis(*at), None, &body);
        }
        clock.end()
    }

    #[test]
    fn the_last_frame_plays_as_long_as_the_one_before() {
        assert_eq!(video_end(&[0, 33, 73], None), Duration::from_millis(113));
        assert_eq!(video_end(&[0], None), Duration::ZERO);
    }

    #[test]
    fn a_default_duration_goes_before_the_last_step() {
        let default = Some(Duration::from_micros(33_333));
        assert_eq!(video_end(&[0, 33], default), Duration::from_micros(66_333));
    }

    #[test]
    fn a_long_still_does_not_stretch_the_end_past_the_limit() {
        let max = u64::try_from(limits::FRAME_DURATION_MAX.as_millis()).unwrap();
        assert_eq!(video_end(&[0, max], None), Duration::from_millis(max * 2));
        assert_eq!(video_end(&[0, max + 1], None), Duration::from_millis(max * 2 + 1));
    }

    #[test]
    fn a_laced_block_plays_as_long_as_all_its_packets() {
        let mut clock = TrackClock::new(&test_track(TrackKind::Audio, "A_OPUS"));
        let laced = [0x81, 0, 0, 0b100, 2, 0xF8, 0xF8, 0xF8];
        clock.advance(Millis(5), None, &BlockBody::from_simple_block(&laced).unwrap());
        assert_eq!(clock.end(), Duration::from_millis(65));
    }
}
