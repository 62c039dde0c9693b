//! The server as its clients see it: real sockets, a real database, one folder a test.

#![expect(clippy::unwrap_used, reason = "what a test cannot unwrap is a failure of that test")]
#![expect(clippy::wildcard_enum_match_arm, reason = "a test says which message it expects")]

mod ahead;
mod api;
mod backup;
mod bad_input;
mod bounds;
mod crash;
mod damage;
mod deleting;
mod disk_full;
mod drain;
mod events;
mod export_jobs;
mod exports;
mod fencing;
mod harness;
mod http;
mod lifecycle;
mod metrics;
mod operating;
mod pages;
mod process;
mod quotas;
mod recording;
mod simulation;
mod slow_peers;
mod store;
mod supplement;
mod tail;
mod told;
mod tools;
mod tracks;
mod versions;
mod waveform;
mod work;
