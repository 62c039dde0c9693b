//! Every limit of the protocol, in one place. Each has a test at the limit and one past it.

use crate::{Millis, Version};

/// The newest version, which is spoken wherever the other side knows it.
pub const PROTOCOL_VERSION: Version = Version::V2;

/// The oldest, which pages and servers of the last release speak.
pub const PROTOCOL_VERSION_OLDEST: Version = Version::V1;

/// Payload bytes of one item. A larger chunk is split at capture: browsers do hand over 50 MB at
/// once after sleep.
pub const ITEM_PAYLOAD_BYTES_MAX: usize = 512 * 1024;

/// Bytes of one WebSocket frame: one full item with its header, or a batch of small ones.
pub const FRAME_BYTES_MAX: usize = ITEM_PAYLOAD_BYTES_MAX + 16 * 1024;

/// Items in one `Items` message.
pub const ITEMS_PER_MESSAGE_MAX: usize = 256;

/// Bytes of an item beside its payload: number, time, place, digest, and a marker's texts.
pub const ITEM_HEADER_BYTES_MAX: usize = 96 + MIME_BYTES_MAX + LABEL_BYTES_MAX;

/// What an item counts for beside its payload wherever bytes are bounded: markers take room, too.
pub const ITEM_HEADER_BYTES_COUNTED: usize = 128;

/// What an item with so many payload bytes counts for wherever bytes are bounded.
pub const fn counted_bytes(payload_bytes: usize) -> usize {
    payload_bytes + ITEM_HEADER_BYTES_COUNTED
}

/// Bytes of the items that the sender puts into one `Items` message, each with a full header.
pub const MESSAGE_ITEM_BYTES_MAX: usize = FRAME_BYTES_MAX - 1024;

/// Bytes of the header of a tail: version, token, number, time and place.
pub const TAIL_HEADER_BYTES_MAX: usize = 128;

/// Bytes sent and not yet acked, headers counted; what is above waits in the spool.
pub const IN_FLIGHT_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Items sent and not yet acked.
pub const IN_FLIGHT_ITEMS_MAX: usize = 1024;

/// Items of one session: 69 hours at four chunks a second.
pub const ITEMS_PER_SESSION_MAX: u64 = 1_000_000;

/// The farthest point on a session's timeline: a session may be resumed days later.
pub const SESSION_DURATION_MAX: Millis = Millis::from_secs(31 * 24 * 3600);

/// The longest gap that a resumed recording shows on its timeline.
pub const RESUME_GAP_MAX: Millis = Millis::from_secs(24 * 3600);

/// Tracks of one session.
pub const TRACKS_PER_SESSION_MAX: u8 = 8;

/// Recorder runs of one session.
pub const SEGMENTS_PER_SESSION_MAX: u32 = 10_000;

/// Bytes of a MIME type such as `audio/webm;codecs=opus`.
pub const MIME_BYTES_MAX: usize = 128;

/// Bytes of a track's label such as `Built-in microphone`.
pub const LABEL_BYTES_MAX: usize = 256;

/// The client's heartbeat.
pub const HEARTBEAT_EVERY: Millis = Millis::from_secs(7);

/// No sign of life for this long: the connection is given up.
pub const SILENCE_MAX: Millis = Millis::from_secs(30);

/// How long a connection may take to its `Hello`.
pub const HELLO_DEADLINE: Millis = Millis::from_secs(10);

/// How long the client waits for a connection and its `Welcome`.
pub const CONNECT_DEADLINE: Millis = Millis::from_secs(10);

/// How long the client waits for the ack of an item, or for any answer to `Finish`, before it
/// takes the connection for dead.
pub const ANSWER_DEADLINE: Millis = Millis::from_secs(20);

/// How long the client waits for its spool before it sends an item from memory.
pub const SPOOL_DEADLINE: Millis = Millis::from_secs(5);

/// How long after a failed write the spool is tried again, for what only memory holds.
pub const SPOOL_RETRY_AFTER: Millis = Millis::from_secs(5);

/// How long the spool must not have failed to count as recovered.
pub const SPOOL_CALM_AFTER: Millis = Millis::from_secs(2);

/// Items that are written again at the same time.
pub const SPOOL_RETRIES_MAX: u64 = 64;

/// Reconnect delays: the first, and the most. Jitter takes up to half of it off.
pub const RECONNECT_DELAY_MIN: Millis = Millis::from_secs(1);
pub const RECONNECT_DELAY_MAX: Millis = Millis::from_secs(5);

/// Bytes of a body of joined frames: a full window of items in flight with their headers, and the
/// few small messages around them.
pub const FRAMES_BYTES_MAX: usize = IN_FLIGHT_BYTES_MAX / ITEM_PAYLOAD_BYTES_MAX * FRAME_BYTES_MAX;

/// Frames in the body of a request: a full window of items, each in a message of its own, and the
/// few messages around them.
pub const FRAMES_PER_REQUEST_MAX: usize = IN_FLIGHT_ITEMS_MAX + 16;

/// Frames in the body of an answer: a message may be answered by up to three.
pub const FRAMES_PER_ANSWER_MAX: usize = 4 * FRAMES_PER_REQUEST_MAX;

/// Bytes of un-acked items, headers counted, that the sender keeps in memory beside the spool.
pub const MEMORY_BYTES_MAX: usize = 8 * 1024 * 1024;

/// How often an item that the server found damaged is sent again.
pub const DAMAGED_RETRIES_MAX: u8 = 5;

/// How far the numbering jumps ahead when an earlier page may have sent items that its spool did
/// not hold: their numbers must not be used again.
pub const SEQ_SKIP_AFTER_UNSPOOLED: u64 = 4096;

/// The same of the segments that it may have begun among them.
pub const SEGMENT_SKIP_AFTER_UNSPOOLED: u32 = 16;
