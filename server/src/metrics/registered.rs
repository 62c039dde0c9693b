//! Every metric: its name, its unit, what it means, and the values that its labels take. All of
//! them are there from the start, at zero, so that a first event shows as a change.

use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Metric, Registry, Unit};
use protocol::SessionStatus;
use protocol::event::Transport;
use protocol::item::ItemError;

use super::{Dropped, Made, SWEPT};
use crate::store::STATE_WORDS;

/// One label, whose values are known when the server is built.
type Label = [(&'static str, &'static str); 1];
type Seconds = Gauge<f64, AtomicU64>;

#[derive(Debug)]
pub(super) struct Registered {
    pub(super) sessions: Family<Label, Gauge>,
    pub(super) jobs: Family<Label, Gauge>,
    pub(super) sessions_resumed: Family<Label, Counter>,
    pub(super) sessions_auto_finalized: Family<Label, Counter>,
    pub(super) connections: Family<Label, Gauge>,
    pub(super) connections_refused: Family<Label, Counter>,
    pub(super) items_stored: Counter,
    pub(super) bytes_stored: Counter,
    pub(super) items_duplicate: Counter,
    pub(super) items_missing: Counter,
    pub(super) items_lost: Counter,
    pub(super) runs_left_out: Counter,
    pub(super) items_refused: Family<Label, Counter>,
    pub(super) ack_latency: Histogram,
    pub(super) commit_items: Histogram,
    pub(super) commit_time: Histogram,
    pub(super) spool_lag: Histogram,
    pub(super) spool_lag_max: Seconds,
    pub(super) recordings: Family<Label, Counter>,
    pub(super) recording_time: Histogram,
    pub(super) events_dropped: Family<Label, Counter>,
    pub(super) janitor_runs: Counter,
    pub(super) janitor_removed: Family<Label, Counter>,
    pub(super) janitor_failures: Counter,
    pub(super) disk_full: Gauge,
    pub(super) disk_full_time: Counter<f64, AtomicU64>,
}

struct Registering(Registry);

impl Registering {
    fn plain<M: Metric + Clone>(&mut self, name: &str, help: &str, metric: M) -> M {
        self.0.register(name, help, metric.clone());
        metric
    }

    fn in_unit<M: Metric + Clone>(&mut self, name: &str, help: &str, unit: Unit, metric: M) -> M {
        self.0.register_with_unit(name, help, unit, metric.clone());
        metric
    }

    fn counter(&mut self, name: &str, help: &str) -> Counter {
        self.plain(name, help, Counter::default())
    }

    fn counters(
        &mut self,
        name: &str,
        help: &str,
        label: &'static str,
        values: impl IntoIterator<Item = &'static str>,
    ) -> Family<Label, Counter> {
        let family = Family::<Label, Counter>::default();
        for value in values {
            drop(family.get_or_create(&[(label, value)]));
        }
        self.plain(name, help, family)
    }

    fn gauges(
        &mut self,
        name: &str,
        help: &str,
        label: &'static str,
        values: impl IntoIterator<Item = &'static str>,
    ) -> Family<Label, Gauge> {
        let family = Family::<Label, Gauge>::default();
        for value in values {
            drop(family.get_or_create(&[(label, value)]));
        }
        self.plain(name, help, family)
    }

    /// Buckets that double from `first` on.
    fn seconds(&mut self, name: &str, help: &str, first: f64, buckets: u16) -> Histogram {
        let histogram = Histogram::new(exponential_buckets(first, 2.0, buckets));
        self.in_unit(name, help, Unit::Seconds, histogram)
    }
}

pub(super) fn register() -> (Registry, Registered) {
    let mut all = Registering(Registry::with_prefix("holdfast"));
    let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
    all.0.register("build", "The version that runs", build);
    let registered = Registered {
        sessions: all.gauges(
            "sessions",
            "Sessions in the database by status",
            "status",
            SessionStatus::ALL.map(SessionStatus::as_str),
        ),
        jobs: all.gauges(
            "jobs",
            "Work that is due on sessions by state; what is stopped was given up",
            "state",
            STATE_WORDS,
        ),
        sessions_resumed: all.counters(
            "sessions_resumed",
            "Writers that came back, within the grace period or after it",
            "when",
            ["within_grace", "after_grace"],
        ),
        sessions_auto_finalized: all.counters(
            "sessions_auto_finalized",
            "Sessions finalized because their resume window was over, by how that ended",
            "outcome",
            Made::ALL.map(Made::as_str),
        ),
        connections: all.gauges(
            "connections",
            "Connections open now",
            "transport",
            Transport::ALL.iter().map(|transport| transport.as_str()),
        ),
        connections_refused: all.counters(
            "connections_refused",
            "Connections that the server ended, by reason",
            "reason",
            [],
        ),
        items_stored: all.counter("items_stored", "Items made durable"),
        bytes_stored: all.in_unit(
            "payload_stored",
            "Payload bytes made durable",
            Unit::Bytes,
            Counter::default(),
        ),
        items_duplicate: all.counter("items_duplicate", "Items received that were stored before"),
        items_missing: all.counter(
            "items_missing",
            "Items asked for because they were missing when a client wanted to finish",
        ),
        items_lost: all
            .counter("items_lost", "Items that were still missing when a session was completed"),
        runs_left_out: all.counter(
            "runs_left_out",
            "Recorder runs of completed sessions that are in no file, or not wholly",
        ),
        items_refused: all.counters(
            "items_refused",
            "Items received and not stored, by reason",
            "reason",
            ItemError::ALL.map(ItemError::as_str),
        ),
        ack_latency: all.seconds(
            "ack_latency",
            "From the receipt of items to their ack, the commit included",
            0.000_5,
            16,
        ),
        commit_items: all.plain(
            "commit_items",
            "Items that one commit of the ledger took",
            Histogram::new(exponential_buckets(1.0, 2.0, 13)),
        ),
        commit_time: all.seconds("commit", "Time that one commit of the ledger took", 0.000_25, 16),
        spool_lag: all.seconds(
            "spool_lag",
            "Media time that clients had captured and the server had not acked, at each heartbeat",
            0.125,
            16,
        ),
        spool_lag_max: all.in_unit(
            "spool_lag_max",
            "The largest lag that an open connection has reported last",
            Unit::Seconds,
            Seconds::default(),
        ),
        recordings: all.counters(
            "recordings",
            "Recordings made, partial ones of unfinished sessions included, and those that failed",
            "outcome",
            Made::ALL.map(Made::as_str),
        ),
        recording_time: all.seconds("recording", "Time that making a recording took", 0.01, 16),
        events_dropped: all.counters(
            "events_dropped",
            "Events that are not in their session's log, by reason",
            "reason",
            Dropped::ALL.map(Dropped::as_str),
        ),
        janitor_runs: all.counter("janitor_runs", "Rounds of the janitor"),
        janitor_removed: all.counters(
            "janitor_removed",
            "What the janitor cleared away",
            "what",
            SWEPT,
        ),
        janitor_failures: all
            .counter("janitor_failures", "What the janitor could not clear away in a round"),
        disk_full: all.plain("disk_full", "1 while the disk takes nothing more", Gauge::default()),
        disk_full_time: all.in_unit(
            "disk_full",
            "Time during which the disk took nothing more",
            Unit::Seconds,
            Counter::default(),
        ),
    };
    (all.0, registered)
}
