//! What the server counts and measures, for Prometheus. Counts only: nothing here names a session,
//! a person or a place. Every metric has its name, unit and help in `registered.rs`.

mod registered;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ledger::{Append, Appended};
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use protocol::event::Transport;
use protocol::item::ItemError;
use protocol::message::Refusal;
use protocol::receiver::Verdict;
use protocol::{Millis, SessionStatus};

use registered::Registered;

use crate::store::STATE_WORDS;

/// A handle to all metrics of one server. Taking a measurement never waits for a scrape.
#[derive(Debug, Clone)]
pub struct Metrics(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    registry: Registry,
    registered: Registered,
    next_connection: AtomicU64,
    /// How far each open connection's client last said that the server lags behind.
    lags: Mutex<HashMap<u64, Millis>>,
}

/// Why an event is not in its session's log.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Dropped {
    QueueFull,
    WriteFailed,
}

/// What the janitor clears away.
pub(crate) const SWEPT: [&str; 3] = ["recording_files", "abandoned_uploads", "scratch_files"];

/// How the making of a recording ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Made {
    Complete,
    /// Of what there was so far.
    Partial,
    /// Not now; it is tried again.
    Postponed,
    Failed,
}

impl Default for Metrics {
    fn default() -> Self {
        let (registry, registered) = registered::register();
        Self(Arc::new(Inner {
            registry,
            registered,
            next_connection: AtomicU64::new(0),
            lags: Mutex::default(),
        }))
    }
}

impl Metrics {
    /// All of it in the OpenMetrics text format.
    pub(crate) fn text(&self) -> String {
        self.gauge();
        let mut text = String::new();
        encode(&mut text, &self.0.registry).expect("writing to a string cannot fail");
        text
    }

    /// Brings up to date what is only known by looking.
    fn gauge(&self) {
        let lag = lock(&self.0.lags).values().max().copied().unwrap_or_default();
        self.all().spool_lag_max.set(seconds(lag));
    }

    pub(crate) fn sessions(&self, counts: &[(SessionStatus, u64)]) {
        for status in SessionStatus::ALL {
            let count = counts.iter().find(|(of, _)| *of == status).map_or(0, |(_, count)| *count);
            let gauge = self.all().sessions.get_or_create(&[("status", status.as_str())]).clone();
            gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }

    pub(crate) fn jobs(&self, counts: &[(String, u64)]) {
        for state in STATE_WORDS {
            let count = counts.iter().find(|(of, _)| of == state).map_or(0, |(_, count)| *count);
            let gauge = self.all().jobs.get_or_create(&[("state", state)]).clone();
            gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }

    /// How the disk stands, and for how long in all it has taken nothing more.
    pub(crate) fn disk(&self, full: bool, full_in_all: Duration) {
        self.all().disk_full.set(i64::from(full));
        let counter = &self.all().disk_full_time;
        counter.inc_by((full_in_all.as_secs_f64() - counter.get()).max(0.0));
    }

    pub(crate) fn committed(&self, appends: &[&Append], results: &[Appended], took: Duration) {
        let (mut items, mut bytes) = (0, 0);
        for (append, result) in appends.iter().zip(results) {
            let Ok(verdicts) = result else { continue };
            for (item, (_, verdict)) in append.items.iter().zip(verdicts) {
                if *verdict == Verdict::Stored {
                    items += 1;
                    bytes += item.payload_bytes() as u64;
                }
            }
        }
        self.all().items_stored.inc_by(items);
        self.all().bytes_stored.inc_by(bytes);
        let in_batch = appends.iter().map(|append| append.items.len()).sum::<usize>();
        self.all().commit_items.observe(in_batch as f64);
        self.all().commit_time.observe(took.as_secs_f64());
    }

    pub(crate) fn acked(&self, took: Duration) {
        self.all().ack_latency.observe(took.as_secs_f64());
    }

    pub(crate) fn duplicates(&self, items: u64) {
        self.all().items_duplicate.inc_by(items);
    }

    pub(crate) fn missing(&self, items: u64) {
        self.all().items_missing.inc_by(items);
    }

    pub(crate) fn lost(&self, items: u64) {
        self.all().items_lost.inc_by(items);
    }

    /// Recorder runs of a completed session that are in no file, or not wholly.
    pub(crate) fn left_out(&self, runs: u32) {
        self.all().runs_left_out.inc_by(u64::from(runs));
    }

    pub(crate) fn refused(&self, error: ItemError) {
        self.all().items_refused.get_or_create(&[("reason", error.as_str())]).inc();
    }

    pub(crate) fn turned_away(&self, refusal: &Refusal) {
        self.all().connections_refused.get_or_create(&[("reason", refusal.as_str())]).inc();
    }

    pub(crate) fn resumed(&self, within_grace: bool) {
        let when = if within_grace { "within_grace" } else { "after_grace" };
        self.all().sessions_resumed.get_or_create(&[("when", when)]).inc();
    }

    pub(crate) fn auto_finalized(&self, made: Made) {
        self.all().sessions_auto_finalized.get_or_create(&[("outcome", made.as_str())]).inc();
    }

    pub(crate) fn recording(&self, made: Made, took: Duration) {
        self.all().recordings.get_or_create(&[("outcome", made.as_str())]).inc();
        self.all().recording_time.observe(took.as_secs_f64());
    }

    pub(crate) fn events_dropped(&self, why: Dropped, events: u64) {
        self.all().events_dropped.get_or_create(&[("reason", why.as_str())]).inc_by(events);
    }

    /// What a round of the janitor cleared away, in the order of [`SWEPT`], and what it could not.
    pub(crate) fn swept(&self, counts: [u64; SWEPT.len()], failures: u64) {
        for (what, count) in SWEPT.into_iter().zip(counts) {
            self.all().janitor_removed.get_or_create(&[("what", what)]).inc_by(count);
        }
        self.all().janitor_failures.inc_by(failures);
        self.all().janitor_runs.inc();
    }

    pub(crate) fn connection_opened(&self, transport: Transport) -> OpenConnection {
        self.all().connections.get_or_create(&[("transport", transport.as_str())]).inc();
        let number = self.0.next_connection.fetch_add(1, Ordering::Relaxed);
        OpenConnection { metrics: self.clone(), transport, number }
    }

    fn all(&self) -> &Registered {
        &self.0.registered
    }
}

/// Counted as open until it is dropped.
#[derive(Debug)]
pub(crate) struct OpenConnection {
    metrics: Metrics,
    transport: Transport,
    number: u64,
}

impl OpenConnection {
    /// The client says how much media time waits with it.
    pub(crate) fn lags(&self, span: Millis) {
        self.metrics.all().spool_lag.observe(seconds(span));
        lock(&self.metrics.0.lags).insert(self.number, span);
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        let connections = &self.metrics.all().connections;
        connections.get_or_create(&[("transport", self.transport.as_str())]).dec();
        lock(&self.metrics.0.lags).remove(&self.number);
    }
}

impl Dropped {
    const ALL: [Self; 2] = [Self::QueueFull, Self::WriteFailed];

    const fn as_str(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::WriteFailed => "write_failed",
        }
    }
}

impl Made {
    const ALL: [Self; 4] = [Self::Complete, Self::Partial, Self::Postponed, Self::Failed];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Partial => "partial",
            Self::Postponed => "postponed",
            Self::Failed => "failed",
        }
    }
}

fn seconds(span: Millis) -> f64 {
    Duration::from_millis(span.get()).as_secs_f64()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(metrics: &Metrics, name: &str) -> f64 {
        let text = metrics.text();
        let line = text.lines().find(|line| line.split(' ').next() == Some(name));
        line.and_then(|line| line.rsplit(' ').next()?.parse().ok())
            .unwrap_or_else(|| panic!("no {name} in {text}"))
    }

    #[test]
    fn the_time_with_a_full_disk_is_counted_once_however_often_it_is_told() {
        let metrics = Metrics::default();
        let total = "holdfast_disk_full_seconds_total";
        metrics.disk(true, Duration::from_millis(1_500));
        metrics.disk(true, Duration::from_millis(1_500));
        assert_eq!((value(&metrics, "holdfast_disk_full"), value(&metrics, total)), (1.0, 1.5));
        metrics.disk(false, Duration::from_secs(2));
        assert_eq!((value(&metrics, "holdfast_disk_full"), value(&metrics, total)), (0.0, 2.0));
    }

    #[test]
    fn the_largest_lag_is_that_of_a_connection_that_is_open() {
        let metrics = Metrics::default();
        let name = "holdfast_spool_lag_max_seconds";
        let one = metrics.connection_opened(Transport::WebSocket);
        let other = metrics.connection_opened(Transport::WebSocket);
        one.lags(Millis::new(4_500));
        other.lags(Millis::new(500));
        assert_eq!(value(&metrics, name), 4.5);
        one.lags(Millis::ZERO);
        assert_eq!(value(&metrics, name), 0.5);
        let open = "holdfast_connections{transport=\"web_socket\"}";
        assert_eq!(value(&metrics, open), 2.0);
        drop((one, other));
        assert_eq!((value(&metrics, name), value(&metrics, open)), (0.0, 0.0));
        assert_eq!(value(&metrics, "holdfast_spool_lag_seconds_count"), 3.0);
    }
}
