//! When the next worker is started, and whether callers wait for it.

use std::time::Duration;

/// The first and the longest pause after workers that died before they were ready.
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// Counts workers that die before they are ready.
#[derive(Debug, Clone, Copy)]
pub(super) struct Policy {
    failures_max: u32,
    failures: u32,
}

impl Policy {
    pub(super) const fn new(failures_max: u32) -> Self {
        Self { failures_max, failures: 0 }
    }

    /// A worker became ready.
    pub(super) const fn worked(&mut self) {
        self.failures = 0;
    }

    /// A worker died before it was ready; how long to wait before the next.
    pub(super) fn failed(&mut self) -> Duration {
        let doublings = self.failures.min(16);
        self.failures = self.failures.saturating_add(1);
        (PAUSE_MIN * (1 << doublings)).min(PAUSE_MAX)
    }

    /// Whether callers are not to wait any more: the socket is closed until the next attempt.
    pub(super) const fn is_hopeless(&self) -> bool {
        self.failures >= self.failures_max
    }

    pub(super) const fn failures(&self) -> u32 {
        self.failures
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_a_limit_and_start_again_after_success() {
        let mut policy = Policy::new(3);
        let pauses: Vec<u128> = (0..9).map(|_| policy.failed().as_millis()).collect();
        assert_eq!(pauses, [100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000]);
        policy.worked();
        assert_eq!(policy.failed(), PAUSE_MIN);
    }

    #[test]
    fn callers_wait_until_as_many_workers_failed_as_the_settings_say() {
        let mut policy = Policy::new(2);
        policy.failed();
        assert!(!policy.is_hopeless());
        policy.failed();
        assert!(policy.is_hopeless());
    }
}
