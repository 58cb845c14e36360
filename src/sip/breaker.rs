//! One gateway that fails does not keep FreeSWITCH busy: after some failures it is left alone, and
//! each time longer.

use std::time::Duration;

use tokio::time::Instant;

/// Failures in a row after which a gateway is left alone.
const FAILURES_MAX: u32 = 5;
/// How long at first.
const REST: Duration = Duration::from_secs(60);
/// How long at most.
const REST_MAX: Duration = Duration::from_secs(3_600);

/// One gateway on one FreeSWITCH.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Breaker {
    failures: u32,
    rests: u32,
    until: Option<Instant>,
    /// The mark of the settings that failed.
    mark: String,
}

impl Breaker {
    /// A registration with these settings failed. True when the gateway is to be left alone from
    /// now on.
    pub(super) fn fail(&mut self, mark: &str, now: Instant) -> bool {
        if self.mark != mark {
            *self = Self { mark: mark.to_owned(), ..Self::default() };
        }
        if self.rests_at(mark, now) {
            return false;
        }
        self.failures += 1;
        // After a rest one more failure is enough.
        if self.failures < FAILURES_MAX && self.rests == 0 {
            return false;
        }
        let rest = REST.saturating_mul(1 << self.rests.min(16)).min(REST_MAX);
        self.rests += 1;
        self.until = Some(now + rest);
        true
    }

    /// Whether it is left alone. Other settings than those that failed are tried at once.
    pub(super) fn rests_at(&self, mark: &str, now: Instant) -> bool {
        self.mark == mark && self.until.is_some_and(|until| now < until)
    }

    /// When it is to be tried again, where it is left alone.
    pub(super) fn due(&self, now: Instant) -> Option<Instant> {
        self.until.filter(|until| now < *until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_gateway_that_fails_on_is_left_alone_longer_and_longer() {
        let mut breaker = Breaker::default();
        let mut now = Instant::now();
        for _ in 1..FAILURES_MAX {
            assert!(!breaker.fail("a", now));
        }
        assert!(!breaker.rests_at("a", now));
        let mut rests = Vec::new();
        for _ in 0..9 {
            assert!(breaker.fail("a", now));
            assert!(!breaker.fail("a", now), "what comes late counts no more");
            let due = breaker.due(now).unwrap();
            rests.push((due - now).as_secs());
            assert!(breaker.rests_at("a", due - Duration::from_millis(1)));
            assert!(!breaker.rests_at("a", due));
            now = due;
        }
        assert_eq!(rests, [60, 120, 240, 480, 960, 1_920, 3_600, 3_600, 3_600]);
    }

    #[tokio::test(start_paused = true)]
    async fn other_settings_are_tried_at_once() {
        let mut breaker = Breaker::default();
        let now = Instant::now();
        while !breaker.fail("a", now) {}
        assert!(breaker.rests_at("a", now) && !breaker.rests_at("b", now));
        assert!(!breaker.fail("b", now), "they have their own failures");
        assert_eq!(breaker.due(now), None);
    }
}
