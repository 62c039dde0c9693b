//! Work that is due on a session, as a row of its own that outlives whoever does it: when it may begin,
//! whose it is, how often it was tried, and when it is given up.
//!
//! A try is counted before it begins. What comes to an end of which somebody can tell, well or badly, is
//! no longer counted; so what is left counted has ended the server that did it, or broke off.

use protocol::{Millis, UnixMillis};

use crate::command::Refused;
use crate::limits::{
    JOB_LEASE, JOB_POSTPONED_MAX, JOB_POSTPONED_MIN, JOB_TRIES_MAX, JOB_WAIT, JOB_WAIT_GROWS,
    REASON_BYTES_MAX,
};
use crate::work::Work;

/// A job that became due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WantedJob {
    pub work: Work,
    pub wish: Wish,
}

/// How a job is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wish {
    /// What has ended its server too often is given up again at once.
    Mild,
    /// Somebody asks for it who may begin again what was given up.
    Insisting,
    /// The same, and nothing is wanted but what was given up.
    Retrying,
    /// Not before then, even if it was to begin sooner.
    NotBefore(UnixMillis),
}

impl WantedJob {
    /// The job from now on, of which this is what there is.
    pub fn made_of(self, found: Option<Job>, now: UnixMillis) -> Result<Job, Refused> {
        let Some(mut job) = found else {
            return match self.wish {
                Wish::Retrying => Err(Refused::NoJob),
                Wish::Mild | Wish::Insisting => Ok(Job::new(now)),
                Wish::NotBefore(due) => Ok(Job::new(due)),
            };
        };
        match self.wish {
            Wish::Retrying if job.state != JobState::Stopped => return Err(Refused::NotGivenUp),
            Wish::Retrying | Wish::Insisting => job.wanted(now, true),
            Wish::Mild => job.wanted(now, false),
            Wish::NotBefore(due) => job.put_off(due),
        }
        Ok(job)
    }
}

/// One process of a server, drawn at random when it starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Worker(pub u64);

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobState {
    Waiting,
    /// Until then it is this worker's, who may say that it still works on it.
    Running {
        by: Worker,
        until: UnixMillis,
    },
    /// Given up, until somebody asks for it.
    Stopped,
}

/// Some work on one session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    pub state: JobState,
    /// Not before then, while it waits.
    pub due: UnixMillis,
    /// Begun, and not come to an end.
    pub tries: u32,
    /// Put off so many times in a row.
    pub postponed: u32,
    /// Asked for again since it was begun: it is done once more, and not before then.
    pub again: Option<UnixMillis>,
    /// Why the last try did not do it.
    pub error: Option<String>,
    /// Thousandths of the work, as far as anybody knows.
    pub progress: u16,
}

/// How a try ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobEnd {
    /// Done, or no longer wanted.
    Done,
    /// Not possible now; nothing is wrong with the job.
    Postponed(String),
    /// It broke off without an end of its own.
    BrokeOff(String),
    /// It would end the same way each time.
    Failed(String),
    /// The server stops in good order: whoever comes next begins it anew.
    HandedBack,
}

impl Job {
    /// Wanted for the first time, and not before it is due.
    pub const fn new(due: UnixMillis) -> Self {
        Self {
            state: JobState::Waiting,
            due,
            tries: 0,
            postponed: 0,
            again: None,
            error: None,
            progress: 0,
        }
    }

    /// Wanted once more. What ended its server too often is only really tried again, with one try, when
    /// somebody `insists`; otherwise it is given up again at once.
    fn wanted(&mut self, now: UnixMillis, insists: bool) {
        match self.state {
            JobState::Waiting if self.tries == 0 => self.due = self.due.min(now),
            JobState::Waiting | JobState::Stopped if insists => {
                self.tries = self.tries.min(JOB_TRIES_MAX - 1);
                (self.state, self.due) = (JobState::Waiting, now);
            }
            JobState::Stopped => (self.state, self.due) = (JobState::Waiting, now),
            JobState::Waiting => {}
            JobState::Running { .. } => self.again = Some(now),
        }
    }

    /// Wanted once more, and better later than it was to begin.
    fn put_off(&mut self, due: UnixMillis) {
        match self.state {
            JobState::Waiting if self.tries == 0 => self.due = due,
            JobState::Waiting | JobState::Stopped | JobState::Running { .. } => {
                self.wanted(due, false);
            }
        }
    }

    /// Whether somebody may begin it. What was begun by somebody who is gone waits, and longer each
    /// time.
    pub fn may_begin(&self, now: UnixMillis) -> bool {
        match self.state {
            JobState::Waiting => self.due <= now,
            JobState::Running { .. } => self.may_begin_at().is_some_and(|at| at <= now),
            JobState::Stopped => false,
        }
    }

    /// The first moment at which it may begin, if nothing changes.
    pub fn may_begin_at(&self) -> Option<UnixMillis> {
        match self.state {
            JobState::Waiting => Some(self.due),
            // There is nothing to wait for before it is given up.
            JobState::Running { until, .. } if self.tries >= JOB_TRIES_MAX => Some(until),
            JobState::Running { until, .. } => Some(until.plus(wait_after(self.tries))),
            JobState::Stopped => None,
        }
    }

    /// It is `by`'s from now on, and the try counts. False when it may not begin.
    pub fn claim(&mut self, by: Worker, now: UnixMillis) -> bool {
        let may = self.may_begin(now);
        if may {
            self.tries = self.tries.saturating_add(1);
            (self.again, self.progress) = (None, 0);
            self.state = JobState::Running { by, until: now.plus(JOB_LEASE) };
        }
        may
    }

    /// It has been begun too often without coming to an end: to be given up rather than done.
    pub const fn is_poison(&self) -> bool {
        self.tries > JOB_TRIES_MAX
    }

    /// Only who insists has it tried once more.
    pub const fn is_spent(&self) -> bool {
        self.tries >= JOB_TRIES_MAX
    }

    /// Somebody was ended by it before: better done with nothing else beside it.
    pub const fn is_suspect(&self) -> bool {
        self.tries > 1
    }

    /// `by` still works on it. False when it is not its any more.
    pub fn renew(&mut self, by: Worker, progress: u16, now: UnixMillis) -> bool {
        let mine = self.is_of(by);
        if mine {
            self.state = JobState::Running { by, until: now.plus(JOB_LEASE) };
            self.progress = progress;
        }
        mine
    }

    /// Whoever worked on it is certainly gone.
    pub fn expire(&mut self, now: UnixMillis) {
        if let JobState::Running { by, .. } = self.state {
            self.state = JobState::Running { by, until: now };
        }
    }

    /// The job after a try by `by`; `None` when nothing is left of it. What is not its any more stays as
    /// it is.
    #[must_use]
    pub fn ended(mut self, by: Worker, end: JobEnd, now: UnixMillis) -> Option<Self> {
        if !self.is_of(by) {
            return Some(self);
        }
        self.state = JobState::Waiting;
        match end {
            JobEnd::Done => self.again.map(|due| Self::new(due.max(now))),
            JobEnd::Postponed(why) => {
                self.due = now.plus(postponed_for(self.postponed));
                self.tries = self.tries.saturating_sub(1);
                self.postponed = self.postponed.saturating_add(1);
                self.error = Some(shortened(why));
                Some(self)
            }
            JobEnd::BrokeOff(why) => {
                self.due = now.plus(wait_after(self.tries));
                self.error = Some(shortened(why));
                if self.tries >= JOB_TRIES_MAX {
                    self.state = JobState::Stopped;
                }
                Some(self)
            }
            JobEnd::Failed(why) => {
                if !self.is_poison() {
                    self.tries = self.tries.saturating_sub(1);
                }
                self.state = JobState::Stopped;
                self.error = Some(shortened(why));
                Some(self)
            }
            JobEnd::HandedBack => {
                (self.due, self.tries) = (now, self.tries.saturating_sub(1));
                Some(self)
            }
        }
    }

    fn is_of(&self, worker: Worker) -> bool {
        matches!(self.state, JobState::Running { by, .. } if by == worker)
    }
}

/// After so many tries that never ended.
fn wait_after(tries: u32) -> Millis {
    let times = JOB_WAIT_GROWS.saturating_pow(tries.clamp(1, JOB_TRIES_MAX) - 1);
    Millis::new(JOB_WAIT.get().saturating_mul(times))
}

fn postponed_for(before: u32) -> Millis {
    let wait = JOB_POSTPONED_MIN.get().saturating_mul(2_u64.saturating_pow(before));
    Millis::new(wait).min(JOB_POSTPONED_MAX)
}

/// A reason as it is kept.
pub fn shortened(mut reason: String) -> String {
    reason.truncate(reason.floor_char_boundary(REASON_BYTES_MAX));
    reason
}

#[cfg(test)]
mod tests {
    use super::*;

    const ME: Worker = Worker(1);
    const NOW: UnixMillis = UnixMillis::new(1_000_000);

    fn claimed(tries_before: u32) -> Job {
        let mut job = Job { tries: tries_before, ..Job::new(NOW) };
        assert!(job.claim(ME, NOW));
        job
    }

    fn later(millis: u64) -> UnixMillis {
        NOW.plus(Millis::new(millis))
    }

    #[test]
    fn a_job_is_one_workers_until_its_lease_is_over() {
        let mut job = claimed(0);
        assert!(!job.claim(Worker(2), NOW));
        let free = JOB_LEASE + JOB_WAIT;
        assert!(!job.clone().claim(Worker(2), NOW.plus(free - Millis::new(1))));
        assert!(job.claim(Worker(2), NOW.plus(free)));
        assert_eq!(job.tries, 2, "the first try never ended");
        assert_eq!(job.clone().ended(ME, JobEnd::Done, NOW), Some(job), "it is not mine any more");
    }

    #[test]
    fn who_says_that_it_still_works_keeps_the_job() {
        let mut job = claimed(0);
        assert!(job.renew(ME, 500, later(29_000)));
        assert_eq!(job.progress, 500);
        assert!(!job.may_begin(NOW.plus(JOB_LEASE + JOB_WAIT)));
        assert!(!job.renew(Worker(2), 0, NOW));
    }

    #[test]
    fn what_is_asked_for_while_it_runs_is_done_once_more() {
        let mut job = claimed(0);
        job.wanted(NOW, false);
        let again = job.clone().ended(ME, JobEnd::Done, later(5)).unwrap();
        assert_eq!(again, Job::new(later(5)));
        job.put_off(later(9));
        assert_eq!(job.ended(ME, JobEnd::Done, later(5)), Some(Job::new(later(9))));
        assert_eq!(claimed(0).ended(ME, JobEnd::Done, NOW), None);
    }

    #[test]
    fn only_what_waits_and_has_ended_nobody_is_put_off() {
        let mut job = Job::new(NOW);
        job.put_off(later(7));
        assert_eq!(job, Job::new(later(7)));
        job.wanted(NOW, false);
        assert_eq!(job, Job::new(NOW), "who wants it now has it now");
        let mut suspect = Job { tries: 1, ..Job::new(NOW) };
        suspect.put_off(later(7));
        assert_eq!(suspect.due, NOW);
        let mut given_up = Job { state: JobState::Stopped, ..Job::new(NOW) };
        given_up.put_off(later(7));
        assert_eq!((given_up.state, given_up.due), (JobState::Waiting, later(7)));
    }

    #[test]
    fn what_ended_the_server_waits_longer_each_time_and_is_given_up() {
        let wait = |tries| {
            let job =
                Job { tries, state: JobState::Running { by: ME, until: NOW }, ..Job::new(NOW) };
            job.may_begin_at().unwrap().since(NOW).get()
        };
        let waits: Vec<u64> = (1..=JOB_TRIES_MAX).map(wait).collect();
        assert_eq!(waits, [2_000, 8_000, 32_000, 128_000, 0]);
        assert!(!claimed(JOB_TRIES_MAX - 1).is_poison());
        assert!(claimed(JOB_TRIES_MAX).is_poison());
        assert!(!claimed(0).is_suspect());
        assert!(claimed(1).is_suspect());
    }

    #[test]
    fn a_job_that_breaks_off_stops_at_the_last_try_and_says_why() {
        let broken = JobEnd::BrokeOff("why".into());
        let job = claimed(JOB_TRIES_MAX - 2).ended(ME, broken.clone(), NOW).unwrap();
        assert_eq!(job.state, JobState::Waiting);
        let job = claimed(JOB_TRIES_MAX - 1).ended(ME, broken, NOW).unwrap();
        assert_eq!((job.state, job.error.as_deref()), (JobState::Stopped, Some("why")));
        assert_eq!(job.may_begin_at(), None);
    }

    #[test]
    fn what_was_given_up_is_tried_once_more_if_somebody_insists() {
        let mut job = claimed(JOB_TRIES_MAX).ended(ME, JobEnd::Failed("no".into()), NOW).unwrap();
        job.wanted(NOW, false);
        assert!(job.claim(ME, NOW));
        assert!(job.is_poison(), "nobody has insisted");
        let mut job = job.ended(ME, JobEnd::Failed("no".into()), NOW).unwrap();
        job.wanted(NOW, true);
        assert!(job.claim(ME, NOW));
        assert!(!job.is_poison());
    }

    #[test]
    fn what_fails_with_an_end_of_its_own_is_not_counted_unless_it_is_given_up() {
        let failed = |before| claimed(before).ended(ME, JobEnd::Failed("no".into()), NOW).unwrap();
        let mut job = failed(0);
        assert_eq!((job.state, job.tries, job.is_spent()), (JobState::Stopped, 0, false));
        job.wanted(NOW, false);
        assert!(job.claim(ME, NOW));
        assert!(!job.is_suspect(), "it has ended nobody");
        assert!(!failed(JOB_TRIES_MAX - 1).is_spent());
        assert!(failed(JOB_TRIES_MAX).is_spent());
    }

    #[test]
    fn what_is_only_put_off_does_not_count_and_waits_up_to_a_minute() {
        let mut job = claimed(0);
        for wait in [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000] {
            job = job.ended(ME, JobEnd::Postponed("no room".into()), NOW).unwrap();
            assert_eq!((job.tries, job.due), (0, later(wait)));
            assert!(job.claim(ME, later(wait)));
            job.state = JobState::Running { by: ME, until: NOW };
        }
        let handed_back = job.ended(ME, JobEnd::HandedBack, NOW).unwrap();
        assert_eq!((handed_back.tries, handed_back.due), (0, NOW));
    }

    #[test]
    fn only_what_was_given_up_is_retried() {
        let retry = WantedJob { work: Work::Mix, wish: Wish::Retrying };
        assert_eq!(retry.made_of(None, NOW), Err(Refused::NoJob));
        let waiting = claimed(0).ended(ME, JobEnd::Postponed("no room".into()), NOW);
        for job in [Some(Job::new(NOW)), waiting, Some(claimed(3))] {
            assert_eq!(retry.made_of(job, NOW), Err(Refused::NotGivenUp));
        }
        for before in [0, JOB_TRIES_MAX] {
            let stopped = claimed(before).ended(ME, JobEnd::Failed("no".into()), NOW);
            let mut job = retry.made_of(stopped, later(7)).unwrap();
            assert_eq!((job.state, job.due), (JobState::Waiting, later(7)));
            assert!(job.claim(ME, later(7)) && !job.is_poison());
        }
    }

    #[test]
    fn a_reason_is_kept_up_to_its_limit() {
        assert_eq!(shortened("x".repeat(REASON_BYTES_MAX)).len(), REASON_BYTES_MAX);
        assert_eq!(shortened("x".repeat(REASON_BYTES_MAX + 1)).len(), REASON_BYTES_MAX);
        assert_eq!(shortened("ü".repeat(REASON_BYTES_MAX)).chars().count(), REASON_BYTES_MAX / 2);
    }
}
