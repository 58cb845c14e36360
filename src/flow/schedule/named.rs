//! A tenant's schedules by name, as they are and as they were lately.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::base::ids::ScheduleName;
use crate::flow::kind::hours::Opening;

/// Schedules, each with the moments since which it says what. A call goes by what was said when it
/// began, whichever process it is in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Schedules(BTreeMap<ScheduleName, BTreeMap<Timestamp, Opening>>);

impl Schedules {
    pub fn add(&mut self, name: ScheduleName, since: Timestamp, opening: Opening) {
        self.0.entry(name).or_default().insert(since, opening);
    }

    /// What the schedule said at a moment; of one that was not there yet, what it said first.
    pub fn at(&self, name: &ScheduleName, moment: Timestamp) -> Option<&Opening> {
        let said = self.0.get(name)?;
        let then = said.range(..=moment).next_back().or_else(|| said.first_key_value());
        then.map(|(_, opening)| opening)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(name: &str) -> Opening {
        Opening { timezone: Some(name.into()), ..Opening::default() }
    }

    #[test]
    fn a_schedule_says_what_it_said_at_the_moment_that_is_asked_for() {
        let (name, other) = ("shop".parse().unwrap(), "other".parse().unwrap());
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut schedules = Schedules::default();
        for (second, text) in [(100, "first"), (300, "third"), (200, "second")] {
            schedules.add(ScheduleName::clone(&name), at(second), zone(text));
        }
        let said = |second| schedules.at(&name, at(second)).and_then(|one| one.timezone.as_deref());
        assert_eq!(said(99), Some("first"), "it was not there yet");
        assert_eq!(said(100), Some("first"));
        assert_eq!(said(299), Some("second"));
        assert_eq!(said(900), Some("third"));
        assert_eq!(schedules.at(&other, at(300)), None);
    }
}
