//! Which calls a tenant may make to numbers outside, and what becomes of it that makes others.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{CallerRule, Dialed, OutboundFault, Prefix, fault};
use crate::model::e164::NumberPlan;

/// Prefixes and emergency numbers, each at most.
const LIST_MAX: usize = 1_000;
/// Minutes, calls and the like at most.
const COUNT_MAX: u32 = 10_000_000;
/// The longest time that a suspicion looks back, in minutes: a day.
const WINDOW_MAX: u32 = 1_440;
/// Called to help: Europe and GSM, North America, the United Kingdom, Australia, Japan, Brazil.
const EMERGENCY: [&str; 8] = ["112", "911", "999", "000", "110", "119", "190", "192"];

/// What a tenant may call. What is left out is not limited.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Rules {
    /// How numbers begin that may be called; without any, all that are not denied. Of an allowed
    /// and a denied prefix of a number the longer one counts, and the denied one of two alike.
    /// A prefix counts for every spelling of a number that the tenant's `numbering` knows; without
    /// one, `00` is read as `+` and nothing is known of national numbers.
    #[schemars(length(max = 1_000))]
    pub allowed: Vec<Prefix>,
    /// How numbers begin that may not be called, whatever a provider may make of them: behind a
    /// code of `*` and `#`, or of seven digits and more without any prefix.
    #[schemars(length(max = 1_000))]
    pub denied: Vec<Prefix>,
    /// Minutes of conversation in a day of the tenant's time zone. Whoever is called may talk for
    /// as long as minutes were left when it was called; of several at once each has them all.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 10_000_000))]
    pub minutes_per_day: Option<u32>,
    /// The same, in a month.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 10_000_000))]
    pub minutes_per_month: Option<u32>,
    /// Calls at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 10_000_000))]
    pub calls: Option<u32>,
    /// Calls that begin within a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 10_000_000))]
    pub per_second: Option<u32>,
    /// What locks the tenant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fraud: Option<FraudRule>,
    /// Numbers that are called whatever is denied, used up, full or locked.
    #[schemars(length(max = 1_000))]
    pub emergency: Vec<Prefix>,
    /// Who is shown. A call for help shows whoever calls in the place of nobody.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caller: Option<CallerRule>,
}

impl Default for Rules {
    #[allow(clippy::unwrap_used, reason = "the numbers are constants of ours, and digits")]
    fn default() -> Self {
        Self {
            allowed: Vec::new(),
            denied: Vec::new(),
            minutes_per_day: None,
            minutes_per_month: None,
            calls: None,
            per_second: None,
            fraud: None,
            caller: None,
            emergency: EMERGENCY.iter().map(|number| number.parse().unwrap()).collect(),
        }
    }
}

/// Calls as a thief of an account makes them: within a short time many, or long ones, to where the
/// tenant never called before or where calls cost much. One call more, and the tenant is locked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FraudRule {
    /// How far it looks back, in minutes.
    #[schemars(range(min = 1, max = 1_440))]
    pub window: u32,
    /// So many suspicious calls are let through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 10_000_000))]
    pub calls: Option<u32>,
    /// So many minutes of suspicious conversations are let through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 10_000_000))]
    pub minutes: Option<u32>,
    /// Calls to numbers that begin so are suspicious.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 1_000))]
    pub prefixes: Vec<Prefix>,
    /// So are calls to numbers whose first so many digits nobody of the tenant had called before
    /// the window began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 15))]
    pub unseen_digits: Option<u8>,
}

/// What makes a call suspicious.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suspicion {
    /// It is to a prefix that is listed.
    pub listed: bool,
    /// It is suspicious if nobody has called numbers that begin so.
    pub unseen: Option<String>,
}

impl FraudRule {
    /// What is suspicious about a number.
    pub fn suspects(&self, dialed: &Dialed<'_>) -> Suspicion {
        let number = dialed.plainest();
        let begins = |digits: u8| {
            let signs = usize::from(number.starts_with('+'));
            number.chars().take(usize::from(digits) + signs).collect()
        };
        Suspicion {
            listed: dialed.may_begin(&self.prefixes).is_some(),
            unseen: self.unseen_digits.map(begins),
        }
    }

    fn check(&self) -> Result<(), OutboundFault> {
        if !(1..=WINDOW_MAX).contains(&self.window) {
            return fault("fraud.window", "expected 1 to 1440 minutes");
        }
        for (field, count) in [("fraud.calls", self.calls), ("fraud.minutes", self.minutes)] {
            if count.is_some_and(|count| count > COUNT_MAX) {
                return fault(field, "that is more than 10000000");
            }
        }
        if self.calls.is_none() && self.minutes.is_none() {
            return fault("fraud", "say how many `calls` or `minutes` are let through");
        }
        if self.prefixes.is_empty() && self.unseen_digits.is_none() {
            return fault("fraud", "say by `prefixes` or `unseen_digits` which calls it counts");
        }
        if self.prefixes.len() > LIST_MAX {
            return fault("fraud.prefixes", "there are more than 1000");
        }
        if self.unseen_digits.is_some_and(|digits| !(1..=15).contains(&digits)) {
            return fault("fraud.unseen_digits", "expected 1 to 15 digits");
        }
        Ok(())
    }
}

impl Rules {
    /// # Errors
    /// Names the field.
    pub fn check(&self) -> Result<(), OutboundFault> {
        for (field, list) in
            [("allowed", &self.allowed), ("denied", &self.denied), ("emergency", &self.emergency)]
        {
            if list.len() > LIST_MAX {
                return fault(field, "there are more than 1000");
            }
        }
        if self.emergency.iter().any(|number| number.as_str().is_empty()) {
            return fault("emergency", "an emergency number has digits");
        }
        for (field, count) in [
            ("minutes_per_day", self.minutes_per_day),
            ("minutes_per_month", self.minutes_per_month),
            ("calls", self.calls),
            ("per_second", self.per_second),
        ] {
            if count.is_some_and(|count| count > COUNT_MAX) {
                return fault(field, "that is more than 10000000");
            }
        }
        self.caller.as_ref().map_or(Ok(()), |rule| rule.check("caller"))?;
        self.fraud.as_ref().map_or(Ok(()), FraudRule::check)
    }

    /// Whether the number is called for help.
    pub fn is_emergency(&self, number: &str, plan: Option<&NumberPlan>) -> bool {
        let read = |number: &str| plan.and_then(|plan| plan.normalise(number));
        let same =
            |known: &str| known == number || read(number).is_some_and(|n| read(known) == Some(n));
        self.emergency.iter().any(|known| same(known.as_str()))
    }

    /// Whether it may be called, as far as its digits say.
    pub fn allows(&self, dialed: &Dialed<'_>) -> bool {
        match (dialed.begins(&self.allowed), dialed.may_begin(&self.denied)) {
            (None, None) => self.allowed.is_empty(),
            (None, Some(_)) => false,
            (Some(_), None) => true,
            (Some(allowed), Some(denied)) => allowed > denied,
        }
    }

    /// Whether anything has to be counted for them.
    pub const fn counts(&self) -> bool {
        self.minutes_per_day.is_some()
            || self.minutes_per_month.is_some()
            || self.calls.is_some()
            || self.per_second.is_some()
            || self.fraud.is_some()
    }

    /// Whether they refuse and change nothing.
    pub const fn are_open(&self) -> bool {
        let refuse = !self.allowed.is_empty() || !self.denied.is_empty() || self.counts();
        !refuse && self.caller.is_none()
    }
}

/// A tenant calls no numbers outside until somebody unlocks it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Lock {
    pub since: Timestamp,
    /// What was suspicious.
    pub why: String,
}

/// What a tenant's calls to numbers outside come to now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Usage {
    /// Calls that are up or ring.
    pub calls: u32,
    /// Whole minutes of conversation on this day of the tenant's time zone.
    pub minutes_today: u64,
    /// The same, in this month.
    pub minutes_this_month: u64,
    /// Calls by each gateway, in both directions; those without any are left out.
    pub gateways: std::collections::BTreeMap<String, u32>,
    /// Why nothing is called, where that is so.
    pub lock: Option<Lock>,
}

/// Why a number is not called.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("no route leads to the number")]
    NoRoute,
    #[error("the route's gateways are not there, or are switched off")]
    NoGateway,
    #[error("the number is not one that the tenant may call")]
    Denied,
    #[error("the tenant's calls are locked: {0}")]
    Locked(String),
    #[error("as many calls are up as the tenant may have: {0}")]
    Calls(u32),
    #[error("more calls begin within a second than the tenant may begin: {0}")]
    Pace(u32),
    #[error("the minutes of the day are used up: {0}")]
    Day(u32),
    #[error("the minutes of the month are used up: {0}")]
    Month(u32),
    #[error("every gateway has as many calls as it may have: {0}")]
    Full(String),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::e164::Bare;

    fn rules(json: &str) -> Rules {
        serde_json::from_str(json).unwrap()
    }

    fn allows(rules: &Rules, number: &str) -> bool {
        rules.allows(&Dialed::new(number, None))
    }

    #[test]
    fn of_an_allowed_and_a_denied_prefix_the_longer_one_counts() {
        let rules = rules(r#"{"allowed": ["+49", "+4990012"], "denied": ["+49900", "+44"]}"#);
        for (number, may) in [
            ("+4930123", true),
            ("+49900555", false),
            ("+49900123", true),
            ("+4420", false),
            ("+33", false),
        ] {
            assert_eq!(allows(&rules, number), may, "{number}");
        }
        let alike = self::rules(r#"{"allowed": ["+49"], "denied": ["+49"]}"#);
        assert!(!allows(&alike, "+4930"));
        assert!(allows(&self::rules(r#"{"denied": ["+49"]}"#), "+33"));
        assert!(allows(&Rules::default(), "1"));
    }

    #[test]
    fn emergency_numbers_are_whole_numbers_and_known_by_default() {
        let rules = Rules::default();
        let spain = NumberPlan { bare: Bare::National, ..NumberPlan::of("34") };
        for plan in [None, Some(&spain)] {
            let is = |number| rules.is_emergency(number, plan);
            assert!(is("112") && is("911"));
            assert!(!is("1123") && !is("11") && !is("0112"));
        }
        let own = self::rules(r#"{"emergency": ["+34912345678"]}"#);
        assert!(own.is_emergency("912345678", Some(&spain)), "it is the same number");
        assert!(rules.are_open());
        assert_eq!(rules.check(), Ok(()));
        let everything = self::rules(r#"{"emergency": [""]}"#);
        assert_eq!(everything.check().unwrap_err().field, "emergency");
    }

    #[test]
    fn a_suspicion_is_told_by_the_first_digits_and_the_sign_is_none() {
        let rule: FraudRule = serde_json::from_str(
            r#"{"window": 60, "calls": 3, "prefixes": ["+88"], "unseen_digits": 2}"#,
        )
        .unwrap();
        let expected = |listed, unseen: &str| Suspicion { listed, unseen: Some(unseen.into()) };
        let suspects = |number| rule.suspects(&Dialed::new(number, None));
        assert_eq!(suspects("+49301"), expected(false, "+49"));
        assert_eq!(suspects("0049301"), expected(false, "+49"));
        assert_eq!(suspects("0301"), expected(false, "03"));
        assert_eq!(suspects("+8812"), expected(true, "+88"));
    }

    #[test]
    fn a_pattern_that_counts_nothing_is_refused() {
        for (json, field) in [
            (r#"{"fraud": {"window": 0, "calls": 1, "unseen_digits": 3}}"#, "fraud.window"),
            (
                r#"{"fraud": {"window": 1, "minutes": 10000001, "unseen_digits": 3}}"#,
                "fraud.minutes",
            ),
            (r#"{"fraud": {"window": 5, "unseen_digits": 3}}"#, "fraud"),
            (r#"{"fraud": {"window": 5, "calls": 1}}"#, "fraud"),
            (r#"{"fraud": {"window": 5, "calls": 1, "unseen_digits": 0}}"#, "fraud.unseen_digits"),
            (r#"{"per_second": 10000001}"#, "per_second"),
        ] {
            assert_eq!(rules(json).check().unwrap_err().field, field, "{json}");
        }
    }
}
