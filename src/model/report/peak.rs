//! How many calls were up at once.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

/// When calls were up: from a moment on, and until another, which is not in it. 16 bytes a call.
#[derive(Debug, Clone, Default)]
pub struct Spans {
    starts: Vec<i64>,
    ends: Vec<i64>,
}

/// The most calls at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, JsonSchema)]
pub struct Peak {
    pub calls: u64,
    /// When there were first so many.
    #[schemars(with = "Option<String>")]
    pub at: Option<Timestamp>,
}

impl Spans {
    pub fn add(&mut self, from: Timestamp, until: Timestamp) {
        let (from, until) = (from.as_millisecond(), until.as_millisecond());
        if from < until {
            self.starts.push(from);
            self.ends.push(until);
        }
    }

    pub fn merge(&mut self, other: Self) {
        self.starts.extend(other.starts);
        self.ends.extend(other.ends);
    }

    /// The peak in each of some stretches, in Unix milliseconds, that follow one another. What was
    /// up when a stretch begins counts in it.
    pub fn peaks(&mut self, stretches: &[(i64, i64)]) -> Vec<Peak> {
        self.starts.sort_unstable();
        self.ends.sort_unstable();
        let (mut begun, mut over) = (0, 0);
        let mut peaks = Vec::with_capacity(stretches.len());
        for (from, until) in stretches {
            begun += ahead(&self.starts[begun..], |start| start <= *from);
            over += ahead(&self.ends[over..], |end| end <= *from);
            let mut most = (begun - over, *from);
            while let Some(start) = self.starts.get(begun).filter(|start| *start < until) {
                begun += 1;
                over += ahead(&self.ends[over..], |end| end <= *start);
                if begun - over > most.0 {
                    most = (begun - over, *start);
                }
            }
            peaks.push(peak(most));
        }
        peaks
    }
}

/// How many of what is in order come before something.
fn ahead(moments: &[i64], before: impl Fn(i64) -> bool) -> usize {
    moments.iter().take_while(|moment| before(**moment)).count()
}

fn peak((calls, at): (usize, i64)) -> Peak {
    let at = (calls > 0).then(|| Timestamp::from_millisecond(at).ok()).flatten();
    Peak { calls: u64::try_from(calls).unwrap_or(u64::MAX), at }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millisecond(ms).unwrap()
    }

    fn of(calls: &[(i64, i64)]) -> Spans {
        let mut spans = Spans::default();
        calls.iter().for_each(|(from, until)| spans.add(at(*from), at(*until)));
        spans
    }

    #[test]
    fn one_that_ends_when_another_begins_is_not_up_with_it() {
        let peaks = of(&[(0, 10), (10, 20), (5, 12)]).peaks(&[(0, 100)]);
        assert_eq!(peaks, [Peak { calls: 2, at: Some(at(5)) }]);
        assert_eq!(of(&[(3, 3)]).peaks(&[(0, 9)]), [Peak { calls: 0, at: None }]);
    }

    #[test]
    fn what_was_up_before_counts_where_a_stretch_begins() {
        let peaks = of(&[(0, 100), (10, 20)]).peaks(&[(15, 18), (18, 30), (30, 200), (200, 300)]);
        let told: Vec<_> = peaks.iter().map(|peak| (peak.calls, peak.at)).collect();
        assert_eq!(told, [(2, Some(at(15))), (2, Some(at(18))), (1, Some(at(30))), (0, None)]);
    }

    proptest! {
        #[test]
        fn the_peak_is_the_one_that_counting_each_moment_finds(
            calls in prop::collection::vec((0_i64..60, 0_i64..20), 0..40),
            cut in 1_i64..59,
        ) {
            let calls: Vec<_> = calls.iter().map(|(from, length)| (*from, from + length)).collect();
            let up = |ms: i64| {
                calls.iter().filter(|(from, until)| *from <= ms && ms < *until).count()
            };
            let stretches = [(0, cut), (cut, 80)];
            let found = of(&calls).peaks(&stretches);
            for ((from, until), peak) in stretches.into_iter().zip(found) {
                let most = (from..until).map(up).max().unwrap();
                let first = (from..until).find(|ms| up(*ms) == most).filter(|_| most > 0);
                prop_assert_eq!(peak, Peak { calls: most as u64, at: first.map(at) });
            }
        }
    }
}
