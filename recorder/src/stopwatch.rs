//! Recorded time: runs while the recorder does and stands still in pauses. Knows no clock.

use protocol::Millis;

#[derive(Debug, Default)]
pub(crate) struct Stopwatch {
    counted: Millis,
    running_since: Option<Millis>,
}

impl Stopwatch {
    /// One that has counted so much already.
    pub(crate) fn with(counted: Millis) -> Self {
        Self { counted, running_since: None }
    }

    /// Starts or goes on; one that runs already just does.
    pub(crate) fn start(&mut self, now: Millis) {
        self.running_since.get_or_insert(now);
    }

    pub(crate) fn stop(&mut self, now: Millis) {
        self.counted = self.elapsed(now);
        self.running_since = None;
    }

    pub(crate) fn elapsed(&self, now: Millis) -> Millis {
        match self.running_since {
            Some(since) => self.counted + now.since(since),
            None => self.counted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_do_not_count() {
        let mut watch = Stopwatch::default();
        watch.start(Millis::new(1_000));
        watch.stop(Millis::new(3_000));
        assert_eq!(watch.elapsed(Millis::new(9_000)), Millis::new(2_000));
        watch.start(Millis::new(10_000));
        assert_eq!(watch.elapsed(Millis::new(10_500)), Millis::new(2_500));
    }

    #[test]
    fn starting_or_stopping_twice_changes_nothing() {
        let mut watch = Stopwatch::default();
        watch.start(Millis::new(1_000));
        watch.start(Millis::new(2_000));
        watch.stop(Millis::new(3_000));
        watch.stop(Millis::new(4_000));
        assert_eq!(watch.elapsed(Millis::new(5_000)), Millis::new(2_000));
    }
}
