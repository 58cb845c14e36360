//! How often each key, user or token may ask: as many at once as `burst`, and `per_second` over
//! time.

use std::time::Duration;

use dashmap::DashMap;
use tokio::time::Instant;
use uuid::Uuid;

use super::config::Config;

/// Those that are counted at once; beyond them the full ones are forgotten.
const PACES_MAX: usize = 100_000;

/// The paces of all.
#[derive(Debug)]
pub(super) struct Paces {
    per_second: f64,
    burst: f64,
    each: DashMap<Uuid, Pace>,
}

#[derive(Debug, Clone, Copy)]
struct Pace {
    left: f64,
    at: Instant,
}

/// What is left of a pace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Left {
    pub(super) limit: u32,
    pub(super) requests: u32,
    /// Until the next is allowed, where none is left.
    pub(super) wait: Option<Duration>,
}

impl Paces {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            per_second: f64::from(config.per_second.max(1)),
            burst: f64::from(config.burst.max(1)),
            each: DashMap::new(),
        }
    }

    /// Takes one request of theirs.
    pub(super) fn take(&self, who: Uuid, now: Instant) -> Left {
        if self.each.len() > PACES_MAX {
            self.each.retain(|_, pace| self.filled(*pace, now) < self.burst);
        }
        let mut pace = self.each.entry(who).or_insert(Pace { left: self.burst, at: now });
        let filled = self.filled(*pace, now);
        let wait =
            (filled < 1.0).then(|| Duration::from_secs_f64((1.0 - filled) / self.per_second));
        let left = if wait.is_none() { filled - 1.0 } else { filled };
        *pace = Pace { left, at: now };
        Left { limit: whole(self.burst), requests: whole(left), wait }
    }

    fn filled(&self, pace: Pace, now: Instant) -> f64 {
        let seconds = now.saturating_duration_since(pace.at).as_secs_f64();
        (pace.left + seconds * self.per_second).min(self.burst)
    }
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "between 0 and the burst, which is a u32"
)]
fn whole(number: f64) -> u32 {
    number.max(0.0) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_its_burst_then_its_pace_and_does_not_pay_for_others() {
        let config = Config { per_second: 2, burst: 3, ..Config::default() };
        let (paces, start) = (Paces::new(&config), Instant::now());
        let key = Uuid::from_u128;
        for left in [2, 1, 0] {
            assert_eq!(paces.take(key(1), start).requests, left);
        }
        let refused = paces.take(key(1), start);
        assert_eq!(refused.wait, Some(Duration::from_millis(500)));
        assert_eq!(paces.take(key(2), start).wait, None);
        assert_eq!(paces.take(key(1), start + Duration::from_millis(500)).wait, None);
    }
}
