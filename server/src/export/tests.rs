//! About what an export will take.

use protocol::{Millis, SessionId, TrackNo, UnixMillis};

use super::*;

const HOUR: u64 = 3_600 * 1_000;

fn recording() -> Recording {
    Recording {
        key: "recordings/a/b.webm".to_owned(),
        mime: "audio/webm".to_owned(),
        bytes: 1_000_000,
        digest: None,
        duration: Millis::new(HOUR),
        left_out: 0,
    }
}

fn session(captured: Millis) -> Session {
    let at = UnixMillis::new(0);
    Session {
        id: SessionId::from_parts(at, [0; 10]),
        status: SessionStatus::Completed,
        created_at: at,
        started_at: at,
        last_heartbeat_at: at,
        completed_at: Some(at),
        last_seq: None,
        have: protocol::SeqSet::up_to(protocol::Seq::ZERO),
        late: protocol::SeqSet::new(),
        payload_bytes: 1_000_000,
        captured,
        loudest: None,
        recording: Some(recording()),
        failure: None,
    }
}

fn voice(track: u8) -> TrackFile {
    let Recording { key, mime, bytes, duration, .. } = recording();
    let (track, duration) = (TrackNo::new(track), Some(duration));
    TrackFile { track, part: 0, key, mime, bytes, duration, sounds: 1 }
}

#[test]
fn a_timeline_takes_the_room_of_its_silence_too_for_each_voice_and_up_to_the_limit() {
    let silence = |hours: u64, voices: &[TrackFile]| {
        let session = session(Millis::new(hours * HOUR));
        let room = Format::Timeline.room(&session, &recording(), voices);
        (room - recording().bytes) / (media::limits::SILENCE_BYTES_PER_SECOND_MAX * 3_600)
    };
    let two = [voice(0), voice(1)];
    assert_eq!((silence(2, &[]), silence(2, &two)), (2, 4));
    assert_eq!((silence(20, &[]), silence(20, &two)), (20, 40));
    assert_eq!((silence(31 * 24, &[]), silence(31 * 24, &two)), (24, 48));
}
