//! Limits beyond which new calls go back to the dialplan, each with its word there.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use super::pulse::Pulse;
use crate::base::millis::Millis;

/// How much is taken at once. A call that comes back with its state is never refused for its rate,
/// for memory or for a slow loop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Calls held at once. Default: 10000.
    pub calls: usize,
    /// New calls in a second, over a longer time. Default: as many as come.
    pub per_second: Option<u32>,
    /// New calls that may come at once after a quiet time. Default: as many as in two seconds.
    pub burst: Option<u32>,
    /// Bytes of memory that the process may take before it refuses calls. Default: no limit.
    pub memory: Option<u64>,
    /// How late the event loop may be before it refuses calls. Default: 500ms.
    pub delay: Millis,
}

impl Default for Limits {
    fn default() -> Self {
        Self { calls: 10_000, per_second: None, burst: None, memory: None, delay: Millis(500) }
    }
}

/// Which limit a call was over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// Calls held at once.
    Busy,
    /// Calls in a second.
    Rate,
    /// Memory of the process.
    Memory,
    /// The event loop is late.
    Slow,
}

impl Refusal {
    pub const ALL: [Self; 4] = [Self::Busy, Self::Rate, Self::Memory, Self::Slow];

    /// The word for the variable `callwright_refused`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::Rate => "rate",
            Self::Memory => "memory",
            Self::Slow => "slow",
        }
    }
}

/// Decides who comes in.
#[derive(Debug)]
pub struct Gate {
    calls: Arc<Semaphore>,
    bucket: Option<Mutex<Bucket>>,
    pulse: Arc<Pulse>,
    refused: [AtomicU64; Refusal::ALL.len()],
}

impl Gate {
    pub fn new(limits: &Limits) -> Self {
        let bucket = limits.per_second.map(|per_second| {
            let burst = limits.burst.unwrap_or_else(|| per_second.saturating_mul(2));
            Mutex::new(Bucket::new(per_second, burst, Instant::now()))
        });
        Self {
            calls: Arc::new(Semaphore::new(limits.calls.min(Semaphore::MAX_PERMITS))),
            bucket,
            pulse: Arc::new(Pulse::new(limits.delay.into(), limits.memory)),
            refused: Default::default(),
        }
    }

    /// A place for one more call, free again when dropped.
    pub(super) fn admit(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        self.decide().inspect_err(|refusal| {
            self.refused[*refusal as usize].fetch_add(1, Ordering::Relaxed);
        })
    }

    fn decide(&self) -> Result<OwnedSemaphorePermit, Refusal> {
        if let Some(refusal) = self.pulse.sheds() {
            return Err(refusal);
        }
        let place = Arc::clone(&self.calls).try_acquire_owned().map_err(|_| Refusal::Busy)?;
        match &self.bucket {
            None => Ok(place),
            Some(bucket) => {
                let mut bucket = bucket.lock().unwrap_or_else(PoisonError::into_inner);
                if bucket.take(Instant::now()) { Ok(place) } else { Err(Refusal::Rate) }
            }
        }
    }

    pub fn pulse(&self) -> Arc<Pulse> {
        Arc::clone(&self.pulse)
    }

    /// The limit that the next call would be over, as far as can be told without trying.
    pub fn sheds(&self) -> Option<Refusal> {
        let busy = (self.calls.available_permits() == 0).then_some(Refusal::Busy);
        self.pulse.sheds().or(busy)
    }

    /// How many calls were over a limit.
    pub fn refused(&self, refusal: Refusal) -> u64 {
        self.refused[refusal as usize].load(Ordering::Relaxed)
    }
}

/// A token bucket: it holds `burst` tokens, and `per_second` new ones come in a second.
#[derive(Debug)]
struct Bucket {
    per_second: f64,
    burst: f64,
    tokens: f64,
    filled: Instant,
}

impl Bucket {
    fn new(per_second: u32, burst: u32, now: Instant) -> Self {
        let burst = f64::from(burst.max(1));
        Self { per_second: f64::from(per_second), burst, tokens: burst, filled: now }
    }

    fn take(&mut self, now: Instant) -> bool {
        let passed: Duration = now.saturating_duration_since(self.filled);
        self.filled = now;
        self.tokens = (self.tokens + passed.as_secs_f64() * self.per_second).min(self.burst);
        let enough = self.tokens >= 1.0;
        if enough {
            self.tokens -= 1.0;
        }
        enough
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Offers `per_second` calls for `seconds`, each of which lasts `lasts`; who was let in.
    async fn offer(limits: Limits, per_second: u32, seconds: u32, lasts: Duration) -> Gate {
        let gate = Gate::new(&limits);
        let pause = Duration::from_secs(1) / per_second;
        for _ in 0..per_second * seconds {
            if let Ok(place) = gate.admit() {
                tokio::spawn(async move {
                    tokio::time::sleep(lasts).await;
                    drop(place);
                });
            }
            tokio::time::sleep(pause).await;
        }
        gate
    }

    #[tokio::test(start_paused = true)]
    async fn at_twice_the_rate_half_of_the_calls_are_refused_for_it() {
        let limits = Limits { per_second: Some(50), burst: Some(50), ..Limits::default() };
        let gate = offer(limits, 100, 60, Duration::from_secs(1)).await;
        let refused = gate.refused(Refusal::Rate);
        assert!((2_900..=3_000).contains(&refused), "{refused} of 6000");
        assert_eq!(gate.refused(Refusal::Busy), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn at_twice_the_calls_half_are_refused_and_places_come_back() {
        let limits = Limits { calls: 100, ..Limits::default() };
        let gate = offer(limits, 20, 60, Duration::from_secs(10)).await;
        let refused = gate.refused(Refusal::Busy);
        assert!((500..=700).contains(&refused), "{refused} of 1200");
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_quiet_time_a_burst_is_let_in_and_no_more() {
        let limits = Limits { per_second: Some(2), burst: Some(5), ..Limits::default() };
        let gate = Gate::new(&limits);
        tokio::time::advance(Duration::from_secs(3_600)).await;
        let let_in = (0..10).filter(|_| gate.admit().is_ok()).count();
        assert_eq!(let_in, 5);
        assert_eq!(gate.refused(Refusal::Rate), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn a_late_loop_refuses_new_calls_until_it_is_itself_again() {
        let gate = Gate::new(&Limits { delay: Millis(100), ..Limits::default() });
        gate.pulse().late(Duration::from_millis(150));
        assert_eq!(gate.admit().unwrap_err(), Refusal::Slow);
        assert_eq!(gate.sheds(), Some(Refusal::Slow));
        for _ in 0..super::super::pulse::CALM_BEATS {
            gate.pulse().late(Duration::from_millis(1));
        }
        assert!(gate.admit().is_ok());
    }
}
