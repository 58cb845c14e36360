//! The process's own pulse: how late the event loop is, and how much memory is taken.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::limits::Refusal;

/// Between two beats.
pub const BEAT: Duration = Duration::from_millis(100);
/// Memory is looked at every so many beats.
const MEMORY_BEATS: u32 = 10;
/// Beats in a row that must be well below the limit before a late loop counts as calm again.
pub(super) const CALM_BEATS: u32 = 10;
/// What Linux tells of this process's memory, in pages (proc_pid_statm(5)).
const STATM: &str = "/proc/self/statm";

/// What is measured, and what follows for new calls.
#[derive(Debug)]
pub struct Pulse {
    delay_max: Duration,
    memory_max: Option<u64>,
    delay_us: AtomicU64,
    memory: AtomicU64,
    calm: AtomicU32,
    late: AtomicBool,
    full: AtomicBool,
}

impl Pulse {
    /// Lateness above `delay_max` and memory above `memory_max` (bytes) turn calls away.
    pub fn new(delay_max: Duration, memory_max: Option<u64>) -> Self {
        Self {
            delay_max,
            memory_max,
            delay_us: AtomicU64::new(0),
            memory: AtomicU64::new(0),
            calm: AtomicU32::new(0),
            late: AtomicBool::new(false),
            full: AtomicBool::new(false),
        }
    }

    /// Beats for ever; `beat` is called with each.
    pub async fn run(&self, mut beat: impl FnMut()) {
        let mut count: u32 = 0;
        loop {
            if count.is_multiple_of(MEMORY_BEATS)
                && let Some(bytes) = resident()
            {
                self.takes(bytes);
            }
            count = count.wrapping_add(1);
            let due = Instant::now() + BEAT;
            sleep_until(due).await;
            self.late(due.elapsed());
            beat();
        }
    }

    /// Hears how late one beat was. One late beat is enough to refuse calls; it takes
    /// [`CALM_BEATS`] within half of the limit to take them again.
    pub(super) fn late(&self, delay: Duration) {
        let us = u64::try_from(delay.as_micros()).unwrap_or(u64::MAX);
        self.delay_us.store(us, Ordering::Relaxed);
        if delay > self.delay_max {
            self.calm.store(0, Ordering::Relaxed);
            if !self.late.swap(true, Ordering::Relaxed) {
                tracing::warn!(delay_ms = delay.as_millis(), "the event loop is late: shedding");
            }
        } else if delay * 2 > self.delay_max {
            self.calm.store(0, Ordering::Relaxed);
        } else if self.calm.fetch_add(1, Ordering::Relaxed) + 1 >= CALM_BEATS
            && self.late.swap(false, Ordering::Relaxed)
        {
            tracing::info!("the event loop keeps time again");
        }
    }

    /// Hears how many bytes of memory are taken. Calls are refused above the limit, and taken again
    /// when a twentieth of it is free.
    pub(super) fn takes(&self, bytes: u64) {
        self.memory.store(bytes, Ordering::Relaxed);
        let Some(limit) = self.memory_max else { return };
        if bytes > limit {
            if !self.full.swap(true, Ordering::Relaxed) {
                tracing::warn!(bytes, limit, "memory is over its limit: shedding");
            }
        } else if bytes <= limit - limit / 20 && self.full.swap(false, Ordering::Relaxed) {
            tracing::info!(bytes, limit, "memory is within its limit again");
        }
    }

    /// Why new calls are refused.
    pub fn sheds(&self) -> Option<Refusal> {
        if self.late.load(Ordering::Relaxed) {
            Some(Refusal::Slow)
        } else if self.full.load(Ordering::Relaxed) {
            Some(Refusal::Memory)
        } else {
            None
        }
    }

    /// How late the last beat was.
    pub fn delay(&self) -> Duration {
        Duration::from_micros(self.delay_us.load(Ordering::Relaxed))
    }

    /// Bytes of memory at the last look.
    pub fn memory(&self) -> u64 {
        self.memory.load(Ordering::Relaxed)
    }
}

/// Bytes of this process that lie in memory, where the system tells.
fn resident() -> Option<u64> {
    let text = std::fs::read_to_string(STATM).ok()?;
    let pages: u64 = text.split_ascii_whitespace().nth(1)?.parse().ok()?;
    pages.checked_mul(u64::try_from(rustix::param::page_size()).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_refused_above_the_limit_and_taken_again_well_below_it() {
        let pulse = Pulse::new(Duration::from_secs(1), Some(1_000));
        for (bytes, sheds) in [(990, false), (1_001, true), (990, true), (950, false)] {
            pulse.takes(bytes);
            assert_eq!(pulse.sheds().is_some(), sheds, "{bytes} bytes");
        }
    }

    #[test]
    fn this_process_takes_some_memory() {
        assert!(resident().is_some_and(|bytes| bytes > 100_000));
    }

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_stood_still_is_found_late() {
        let pulse = std::sync::Arc::new(Pulse::new(Duration::from_millis(300), None));
        let beats = std::sync::Arc::new(AtomicU32::new(0));
        let (own, counted) = (std::sync::Arc::clone(&pulse), std::sync::Arc::clone(&beats));
        let count = move || {
            counted.fetch_add(1, Ordering::Relaxed);
        };
        tokio::spawn(async move { own.run(count).await });
        tokio::time::sleep(BEAT * 5).await;
        assert_eq!(pulse.sheds(), None);
        assert!(beats.load(Ordering::Relaxed) >= 4);
        // Time passes although no beat could be given.
        tokio::time::advance(Duration::from_secs(1)).await;
        tokio::task::yield_now().await;
        assert_eq!(pulse.sheds(), Some(Refusal::Slow));
        tokio::time::sleep(BEAT * (CALM_BEATS + 1)).await;
        assert_eq!(pulse.sheds(), None);
    }
}
