//! FreeSWITCH's heartbeats: the only event that comes by itself. How often they come is a setting
//! of FreeSWITCH's (`event-heartbeat-interval`, 20 s by itself) that no event tells, so that it is
//! learned from them.

use std::time::Duration;

use tokio::time::Instant;

/// Silence that is never too long.
const SILENCE_MIN: Duration = Duration::from_secs(60);
/// After so many intervals of silence no event can be hoped for.
const SILENT_BEATS: u32 = 3;

/// The heartbeats of one connection.
#[derive(Debug, Default)]
pub(super) struct Heartbeats {
    last: Option<Beat>,
    /// Between the last two, on our clock and on FreeSWITCH's.
    gap: Option<Gap>,
}

#[derive(Debug, Clone, Copy)]
struct Beat {
    at: Instant,
    stamp_us: u64,
}

#[derive(Debug, Clone, Copy)]
struct Gap {
    ours: Duration,
    theirs_us: u64,
}

impl Heartbeats {
    /// Hears one with FreeSWITCH's time in microseconds. True when others are missing before it.
    pub(super) fn hear(&mut self, at: Instant, stamp_us: u64) -> bool {
        let before = self.last.replace(Beat { at, stamp_us });
        let Some(before) = before else { return false };
        let theirs_us = stamp_us.saturating_sub(before.stamp_us);
        let gap = Gap { ours: at.saturating_duration_since(before.at), theirs_us };
        // One that is missing doubles the gap; a busy FreeSWITCH may be late by a second or two.
        let missing =
            self.gap.is_some_and(|usual| theirs_us > usual.theirs_us.saturating_mul(7) / 4);
        if !missing {
            self.gap = Some(gap);
        }
        missing
    }

    /// When there has been silence for too long; `None` until the interval is known.
    pub(super) fn overdue(&self) -> Option<Instant> {
        let (last, gap) = (self.last?, self.gap?);
        Some(last.at + SILENCE_MIN.max(gap.ours.saturating_mul(SILENT_BEATS)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn beats(at_s: &[u64]) -> (Heartbeats, Vec<bool>, Instant) {
        let start = Instant::now();
        let mut beats = Heartbeats::default();
        let hear = |at: &u64| {
            beats.hear(start + Duration::from_secs(*at), 1_795_364_420_000_000 + at * 1_000_000)
        };
        let missing = at_s.iter().map(hear).collect();
        (beats, missing, start)
    }

    #[test]
    fn a_heartbeat_that_is_missing_is_noticed_and_a_late_one_is_not() {
        assert_eq!(beats(&[0, 20, 41, 60]).1, [false; 4]);
        assert_eq!(beats(&[0, 20, 60, 80]).1, [false, false, true, false]);
        assert_eq!(beats(&[0, 300, 600, 1_200]).1, [false, false, false, true]);
    }

    #[test]
    fn silence_is_too_long_by_the_interval_that_was_learned() {
        assert_eq!(beats(&[]).0.overdue(), None);
        assert_eq!(beats(&[7]).0.overdue(), None);
        let (beats_of_20, _, start) = beats(&[0, 20]);
        assert_eq!(beats_of_20.overdue(), Some(start + Duration::from_secs(80)));
        let (beats_of_300, _, start) = beats(&[0, 300]);
        assert_eq!(beats_of_300.overdue(), Some(start + Duration::from_secs(1_200)));
    }
}
