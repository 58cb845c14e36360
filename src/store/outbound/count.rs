//! What is counted of a tenant's calls to numbers outside, and what follows from it.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use jiff::{Timestamp, civil};

use crate::model::outbound::{Candidate, FraudRule, Refusal, Rules};

/// Milliseconds of a minute.
const MINUTE_MS: i64 = 60_000;

/// Where a call comes to lie in the counts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Counts {
    pub(super) locked: Option<String>,
    /// Legs that are up.
    pub(super) calls: i64,
    /// Those and calls that came in, by the tenant's name of their gateway.
    pub(super) gateways: BTreeMap<String, i64>,
    /// Those that began within the last second.
    pub(super) pace: i64,
    pub(super) day_ms: i64,
    pub(super) month_ms: i64,
    /// Whether this call is suspicious.
    pub(super) suspicious: bool,
    /// Others that are, within the window.
    pub(super) suspects: i64,
    pub(super) suspect_ms: i64,
}

/// What becomes of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Judged {
    /// It goes by the candidate of this place.
    By(usize),
    Refused(Refusal),
    /// It is refused, and so are all others from now on.
    Locks(String),
}

impl Counts {
    /// So many milliseconds of conversation are left before the rules refuse any more.
    pub(super) fn left_ms(&self, rules: &Rules) -> Option<u64> {
        let left = |most: Option<u32>, spoken_ms: i64| {
            most.map(|most| (i64::from(most) * MINUTE_MS - spoken_ms).max(0).unsigned_abs())
        };
        let day = left(rules.minutes_per_day, self.day_ms);
        day.into_iter().chain(left(rules.minutes_per_month, self.month_ms)).min()
    }

    /// The first gateway that has room, where the rules let the call through. `again`: it is one
    /// that another gateway could not carry.
    pub(super) fn judge(&self, rules: &Rules, candidates: &[Candidate], again: bool) -> Judged {
        if let Some(why) = &self.locked {
            return Judged::Refused(Refusal::Locked(why.clone()));
        }
        if let Some(why) = rules.fraud.as_ref().and_then(|rule| self.suspected(rule)) {
            return Judged::Locks(why);
        }
        match self.may(rules, again) {
            Ok(()) => self.gateway(candidates),
            Err(refusal) => Judged::Refused(refusal),
        }
    }

    /// Whether the call is one too many.
    fn may(&self, rules: &Rules, again: bool) -> Result<(), Refusal> {
        let over = |most: Option<u32>, count: i64| most.filter(|most| count >= i64::from(*most));
        if let Some(most) = over(rules.calls, self.calls) {
            return Err(Refusal::Calls(most));
        }
        if let Some(most) = over(rules.per_second, self.pace).filter(|_| !again) {
            return Err(Refusal::Pace(most));
        }
        if let Some(most) = over(rules.minutes_per_day, self.day_ms / MINUTE_MS) {
            return Err(Refusal::Day(most));
        }
        if let Some(most) = over(rules.minutes_per_month, self.month_ms / MINUTE_MS) {
            return Err(Refusal::Month(most));
        }
        Ok(())
    }

    fn suspected(&self, rule: &FraudRule) -> Option<String> {
        if !self.suspicious {
            return None;
        }
        let window = rule.window;
        if let Some(most) = rule.calls.filter(|most| self.suspects >= i64::from(*most)) {
            return Some(format!("more than {most} suspicious calls in {window} minutes"));
        }
        let spoken = self.suspect_ms / MINUTE_MS;
        let most = rule.minutes.filter(|most| spoken >= i64::from(*most))?;
        Some(format!("{most} minutes of suspicious calls in {window} minutes"))
    }

    fn gateway(&self, candidates: &[Candidate]) -> Judged {
        let room = candidates.iter().position(|one| self.has_room(one));
        room.map_or_else(|| Judged::Refused(full(candidates)), Judged::By)
    }

    /// The same for a call for help, which nothing keeps from being made.
    pub(super) fn help(&self, candidates: &[Candidate]) -> usize {
        candidates.iter().position(|one| self.has_room(one)).unwrap_or(0)
    }

    fn has_room(&self, candidate: &Candidate) -> bool {
        let calls = self.gateways.get(candidate.name.as_str()).copied().unwrap_or(0);
        candidate.trunk.most.is_none_or(|most| calls < i64::from(most))
    }
}

fn full(candidates: &[Candidate]) -> Refusal {
    let each = candidates.iter().filter_map(|one| {
        let most = one.trunk.most?;
        Some(format!("{} has {most}", one.name))
    });
    Refusal::Full(each.collect::<Vec<_>>().join(", "))
}

/// The day on which it is this moment in a time zone, and its month's first and last.
pub(super) fn days(now_ms: i64, timezone: &str) -> [String; 3] {
    let zone = TimeZone::get(timezone).unwrap_or(TimeZone::UTC);
    let now = Timestamp::from_millisecond(now_ms).unwrap_or(Timestamp::UNIX_EPOCH);
    let day: civil::Date = zone.to_datetime(now).date();
    [day, day.first_of_month(), day.last_of_month()].map(|day| day.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::outbound::Trunk;

    fn candidate(name: &str, most: Option<u32>) -> Candidate {
        let trunk = Trunk { switch: format!("cw-{name}").parse().unwrap(), most };
        Candidate { name: name.parse().unwrap(), trunk, number: "1".into(), shown: None }
    }

    fn up(gateways: &[(&str, i64)]) -> Counts {
        let calls = gateways.iter().map(|(_, count)| *count).sum();
        let gateways = gateways.iter().map(|(name, count)| ((*name).to_owned(), *count));
        Counts { calls, gateways: gateways.collect(), ..Counts::default() }
    }

    fn rules(json: &str) -> Rules {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_full_gateway_is_passed_over_and_all_full_say_so() {
        let candidates = [candidate("a", Some(1)), candidate("b", Some(2)), candidate("c", None)];
        let open = Rules::default();
        let judge = |counts: &Counts, most: usize| counts.judge(&open, &candidates[..most], false);
        assert_eq!(judge(&up(&[]), 3), Judged::By(0));
        assert_eq!(judge(&up(&[("a", 1), ("b", 1)]), 3), Judged::By(1));
        assert_eq!(judge(&up(&[("a", 1), ("b", 2), ("c", 90)]), 3), Judged::By(2));
        let all = up(&[("a", 1), ("b", 2)]);
        let full = Refusal::Full("a has 1, b has 2".into());
        assert_eq!(judge(&all, 2), Judged::Refused(full));
        assert_eq!(all.help(&candidates[..2]), 0);
        assert_eq!(up(&[("a", 1)]).help(&candidates[..2]), 1);
    }

    #[test]
    fn each_limit_refuses_the_call_that_is_one_too_many() {
        let one = [candidate("a", None)];
        for (json, counts, why) in [
            (r#"{"calls": 2}"#, up(&[("a", 1), ("b", 1)]), Refusal::Calls(2)),
            (r#"{"per_second": 3}"#, Counts { pace: 3, ..up(&[]) }, Refusal::Pace(3)),
            (r#"{"minutes_per_day": 1}"#, Counts { day_ms: 60_000, ..up(&[]) }, Refusal::Day(1)),
            (
                r#"{"minutes_per_month": 2}"#,
                Counts { month_ms: 120_000, ..up(&[]) },
                Refusal::Month(2),
            ),
        ] {
            assert_eq!(counts.judge(&rules(json), &one, false), Judged::Refused(why), "{json}");
        }
        let rules = rules(r#"{"calls": 2, "per_second": 3, "minutes_per_day": 1}"#);
        let below = Counts { pace: 2, day_ms: 59_999, ..up(&[("a", 1)]) };
        assert_eq!(below.judge(&rules, &one, false), Judged::By(0));
        let again = Counts { pace: 9, ..up(&[]) };
        assert_eq!(again.judge(&rules, &one, true), Judged::By(0), "it has begun before");
    }

    #[test]
    fn what_is_left_to_talk_is_the_lesser_of_the_day_and_the_month() {
        let counts = Counts { day_ms: 59_000, month_ms: 170_000, ..Counts::default() };
        let left = |json| counts.left_ms(&rules(json));
        assert_eq!(left(r#"{"minutes_per_day": 1}"#), Some(1_000));
        assert_eq!(left(r#"{"minutes_per_day": 2, "minutes_per_month": 3}"#), Some(10_000));
        assert_eq!(left(r#"{"minutes_per_month": 1}"#), Some(0));
        assert_eq!(left("{}"), None);
    }

    #[test]
    fn one_suspicious_call_too_many_locks_and_one_that_is_not_suspicious_never_does() {
        let one = [candidate("a", None)];
        let rules = rules(r#"{"fraud": {"window": 10, "calls": 2, "minutes": 5}}"#);
        let counts = |suspicious, suspects, suspect_ms| {
            let counts = Counts { suspicious, suspects, suspect_ms, ..Counts::default() };
            counts.judge(&rules, &one, false)
        };
        assert_eq!(counts(true, 1, 0), Judged::By(0));
        let many = "more than 2 suspicious calls in 10 minutes";
        assert_eq!(counts(true, 2, 0), Judged::Locks(many.into()));
        assert_eq!(counts(false, 9, 900_000), Judged::By(0));
        let long = "5 minutes of suspicious calls in 10 minutes";
        assert_eq!(counts(true, 0, 300_000), Judged::Locks(long.into()));
        let locked = Counts { locked: Some("x".into()), suspicious: true, suspects: 9, ..up(&[]) };
        let refused = Judged::Refused(Refusal::Locked("x".into()));
        assert_eq!(locked.judge(&rules, &one, false), refused, "it is locked once");
    }

    #[test]
    fn a_day_begins_at_midnight_of_the_tenants_time_zone() {
        let late = "2026-11-30T23:30:00Z".parse::<Timestamp>().unwrap().as_millisecond();
        assert_eq!(days(late, "UTC"), ["2026-11-30", "2026-11-01", "2026-11-30"]);
        assert_eq!(days(late, "Europe/Berlin"), ["2026-12-01", "2026-12-01", "2026-12-31"]);
        assert_eq!(days(late, "nowhere"), days(late, "UTC"));
    }
}
