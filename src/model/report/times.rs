//! Lengths of time, counted so that their middle is known without keeping each.

use hdrhistogram::Histogram;
use schemars::JsonSchema;
use serde::Serialize;

/// Decimals that count: what is told of the middle is at most 1 % too long.
const DIGITS: u8 = 2;
/// Nothing is longer, in ms: 30 days.
const LONGEST_MS: u64 = 30 * 24 * 3_600_000;

/// Some lengths of time. At most 14 KiB, however many they are.
#[derive(Debug, Clone, Default)]
pub struct Times {
    /// None while there are none: most are never asked for.
    counts: Option<Histogram<u32>>,
    count: u64,
    sum_ms: u64,
    longest_ms: u64,
}

/// How lengths of time are spread.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Spread {
    pub count: u64,
    pub sum_ms: u64,
    pub mean_ms: u64,
    /// Half of them are at most so long. This and `p90_ms` are right to 1 %, the others are exact.
    pub median_ms: u64,
    /// Nine in ten are at most so long.
    pub p90_ms: u64,
    pub longest_ms: u64,
}

impl Times {
    pub fn add(&mut self, ms: u64) {
        let ms = ms.min(LONGEST_MS);
        if self.counts.is_none() {
            self.counts = Histogram::new(DIGITS).ok();
        }
        if let Some(counts) = &mut self.counts {
            // It grows to hold what is counted; `saturating_record` would not.
            let _ = counts.record(ms);
        }
        self.count += 1;
        self.sum_ms = self.sum_ms.saturating_add(ms);
        self.longest_ms = self.longest_ms.max(ms);
    }

    pub fn merge(&mut self, other: &Self) {
        match (&mut self.counts, &other.counts) {
            (Some(counts), Some(more)) => {
                // Both grow as they must, so one always fits into the other.
                let _ = counts.add(more);
            }
            (None, Some(more)) => self.counts = Some(more.clone()),
            (_, None) => {}
        }
        self.count += other.count;
        self.sum_ms = self.sum_ms.saturating_add(other.sum_ms);
        self.longest_ms = self.longest_ms.max(other.longest_ms);
    }

    pub const fn longest_ms(&self) -> u64 {
        self.longest_ms
    }

    /// None of nothing.
    pub fn spread(&self) -> Option<Spread> {
        let counts = self.counts.as_ref()?;
        let at = |part: f64| counts.value_at_quantile(part).min(self.longest_ms);
        Some(Spread {
            count: self.count,
            sum_ms: self.sum_ms,
            mean_ms: self.sum_ms / self.count.max(1),
            median_ms: at(0.5),
            p90_ms: at(0.9),
            longest_ms: self.longest_ms,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(all: &[u64]) -> Times {
        let mut times = Times::default();
        all.iter().for_each(|ms| times.add(*ms));
        times
    }

    /// The shortest that at least so many in a hundred don't pass.
    fn exact(all: &[u64], hundredths: usize) -> u64 {
        let mut all = all.to_vec();
        all.sort_unstable();
        all[(all.len() * hundredths).div_ceil(100).max(1) - 1]
    }

    #[test]
    fn of_nothing_there_is_no_middle() {
        assert_eq!(Times::default().spread(), None);
        let one = of(&[0]).spread().unwrap();
        assert_eq!((one.count, one.median_ms, one.longest_ms), (1, 0, 0));
    }

    #[test]
    fn however_long_and_many_they_are_it_stays_small() {
        let mut times = of(&[u64::MAX, LONGEST_MS]);
        (0..100_000).for_each(|ms| times.add(ms * 37));
        let counts = times.counts.as_ref().unwrap();
        assert!(counts.distinct_values() * size_of::<u32>() <= 14 * 1_024);
        assert_eq!(times.longest_ms(), LONGEST_MS);
    }

    proptest! {
        #[test]
        fn the_middle_is_right_to_one_in_a_hundred(
            all in prop::collection::vec(0_u64..20_000_000, 1..200)
        ) {
            let spread = of(&all).spread().unwrap();
            for (told, hundredths) in [(spread.median_ms, 50), (spread.p90_ms, 90)] {
                let exact = exact(&all, hundredths);
                prop_assert!(told >= exact && told - exact <= exact / 100, "{told} for {exact}");
            }
            prop_assert_eq!(spread.sum_ms, all.iter().sum::<u64>());
            prop_assert_eq!(Some(spread.longest_ms), all.iter().max().copied());
        }
    }
}
