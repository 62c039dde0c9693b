//! Limits of the rules, in one place. Each has a test at the limit and one past it.

use protocol::Millis;

/// How long nothing is to come late of a session before its supplement is made, and how long what came
/// waits for that at most.
pub const LATE_QUIET: Millis = Millis::from_secs(30);
pub const LATE_QUIET_MAX: Millis = Millis::from_secs(600);

/// How often a job may be begun without coming to an end before it is left alone.
pub const JOB_TRIES_MAX: u32 = 5;

/// How long the next try waits after the first that did not come to an end. After each further one, so
/// many times as long.
pub const JOB_WAIT: Millis = Millis::from_secs(2);
pub const JOB_WAIT_GROWS: u64 = 4;

/// How long a job waits that could not be done now through no fault of its own: the first time, and at
/// most.
pub const JOB_POSTPONED_MIN: Millis = Millis::from_secs(1);
pub const JOB_POSTPONED_MAX: Millis = Millis::from_secs(60);

/// How long a job stays with the server that has begun it, unless that says that it still works on it.
pub const JOB_LEASE: Millis = Millis::from_secs(30);

/// Bytes of what is kept of a reason.
pub const REASON_BYTES_MAX: usize = 500;
