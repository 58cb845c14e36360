//! Whether this process stood still: a stopped process, a paused machine. Its calls have been in
//! silence, and may be in other hands.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::sleep;

use super::call::Clock;

/// Longer than the longest pause of a process that is only busy.
const STOPPED_MS: u64 = 5_000;
const BEAT: Duration = Duration::from_millis(500);

/// Notices pauses, as long as somebody beats.
#[derive(Debug, Default)]
pub struct Wake {
    /// The last beat, on the clock of `Now::mono_ms`, and 1 more; 0: nobody beats.
    beaten: AtomicU64,
    /// The end of the last pause, likewise.
    woke: AtomicU64,
}

impl Wake {
    /// Beats for ever.
    pub async fn beat(&self, clock: Clock) {
        loop {
            self.beaten_at(clock.now().mono_ms);
            sleep(BEAT).await;
        }
    }

    fn beaten_at(&self, now_ms: u64) {
        if self.pauses(now_ms) {
            self.woke.store(now_ms.saturating_add(1), Ordering::Relaxed);
        }
        self.beaten.store(now_ms.saturating_add(1), Ordering::Relaxed);
    }

    /// Whether the beat is overdue: nobody has noticed the pause yet.
    fn pauses(&self, now_ms: u64) -> bool {
        let beaten = self.beaten.load(Ordering::Relaxed);
        beaten > 0 && now_ms.saturating_sub(beaten) > STOPPED_MS
    }

    /// Whether the process stood still at some time between the two moments.
    pub fn stood_still(&self, since_ms: u64, now_ms: u64) -> bool {
        self.pauses(now_ms) || self.woke.load(Ordering::Relaxed) > since_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_noticed_by_whoever_waited_through_it_and_by_nobody_after_it() {
        let wake = Wake::default();
        assert!(!wake.stood_still(0, 60_000), "nobody beats");
        wake.beaten_at(0);
        wake.beaten_at(500);
        assert!(!wake.stood_still(400, 600));
        assert!(wake.stood_still(400, 40_000), "before the beat notices");
        wake.beaten_at(40_000);
        assert!(wake.stood_still(400, 40_001), "after the beat has noticed");
        wake.beaten_at(40_500);
        assert!(!wake.stood_still(40_001, 40_600), "it began to wait after the pause");
    }
}
