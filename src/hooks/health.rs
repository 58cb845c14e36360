//! How a receiver does. One that fails is sent one thing at a time; one that does not even answer
//! is left in peace in between.

use std::time::Duration;

use tokio::time::Instant;

use super::jittered;

/// Deliveries of one webhook under way at once.
pub(super) const AT_ONCE: usize = 16;
/// After so many failures in a row a receiver is taken to be in trouble.
const TROUBLE: u32 = 4;
/// The pauses between two attempts with one that does not answer: at first, and at most.
const REST: Duration = Duration::from_secs(1);
const REST_MAX: Duration = Duration::from_secs(30);
/// After failing for so long, all that waits is sent at once when it is well again.
const OUTAGE: Duration = Duration::from_secs(60);

#[derive(Debug, Default)]
pub(super) struct Health {
    /// In a row; and those of them, in a row, to which there was no answer.
    failures: u32,
    silences: u32,
    since: Option<Instant>,
    rest: Option<(Duration, Instant)>,
}

impl Health {
    pub(super) const fn is_in_trouble(&self) -> bool {
        self.failures >= TROUBLE
    }

    /// Deliveries that may be under way.
    pub(super) const fn at_once(&self) -> usize {
        if self.is_in_trouble() { 1 } else { AT_ONCE }
    }

    /// Until when it is left in peace.
    pub(super) fn rests_until(&self) -> Option<Instant> {
        self.rest.map(|(_, until)| until)
    }

    pub(super) fn failed(&mut self, answered: bool, now: Instant) {
        self.failures = self.failures.saturating_add(1);
        self.since = self.since.or(Some(now));
        if answered {
            (self.silences, self.rest) = (0, None);
            return;
        }
        self.silences = self.silences.saturating_add(1);
        // What was under way together fails together: that is once.
        if self.silences >= TROUBLE && self.rest.is_none_or(|(_, until)| until <= now) {
            let pause = self.rest.map_or(REST, |(pause, _)| (pause * 2).min(REST_MAX));
            self.rest = Some((pause, now + jittered(pause)));
        }
    }

    /// It took something. True where it failed for long.
    pub(super) fn took(&mut self, now: Instant) -> bool {
        let since = std::mem::take(self).since;
        since.is_some_and(|since| now.duration_since(since) >= OUTAGE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_fails_is_sent_one_thing_at_a_time_and_rests_only_if_it_does_not_answer() {
        let (mut health, now) = (Health::default(), Instant::now());
        for _ in 1..TROUBLE {
            health.failed(true, now);
            assert_eq!((health.at_once(), health.rests_until()), (AT_ONCE, None));
        }
        for _ in 0..100 {
            health.failed(true, now);
            assert_eq!((health.at_once(), health.rests_until()), (1, None));
        }
        assert!(health.took(now + OUTAGE), "that was an outage");
        assert_eq!(health.at_once(), AT_ONCE);
        health.failed(true, now);
        assert!(!health.took(now + Duration::from_secs(1)));
    }

    #[test]
    fn the_rests_of_one_that_is_silent_grow_with_each_attempt_up_to_half_a_minute() {
        let (mut health, mut now) = (Health::default(), Instant::now());
        (0..AT_ONCE).for_each(|_| health.failed(false, now));
        for seconds in [1, 2, 4, 8, 16, 30, 30] {
            let rest = health.rests_until().unwrap() - now;
            let usual = Duration::from_secs(seconds);
            assert!(rest >= usual * 4 / 5 && rest <= usual * 6 / 5, "{rest:?}");
            now += rest;
            health.failed(false, now);
        }
        health.failed(true, now);
        assert_eq!(health.rests_until(), None, "it answers");
    }
}
