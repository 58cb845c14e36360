//! A number in all its spellings: what is laid down for one of them counts for every other, for a
//! provider connects them all.

use super::{Prefix, Route};
use crate::model::e164::NumberPlan;

/// Characters of a number that are looked at: as many as the longest prefix has.
const LOOKED_AT: usize = 32;
/// With so many digits a number that has no prefix may be one with its country or area code.
const BARE_MIN: usize = 7;
/// What is dialed before the number of another country, where nothing is known of the tenant's
/// numbering: the ITU recommends it.
const ABROAD: &str = "00";

/// A number that somebody wants to call.
#[derive(Debug)]
pub struct Dialed<'a> {
    plan: Option<&'a NumberPlan>,
    /// As the world writes it, and as it is dialed at home; as it came where it can't be read.
    certain: Vec<String>,
    /// What a provider may make of it besides.
    possible: Vec<String>,
}

impl<'a> Dialed<'a> {
    pub fn new(number: &str, plan: Option<&'a NumberPlan>) -> Self {
        let number: String = number.chars().take(LOOKED_AT).collect();
        let certain = certain(&number, plan);
        let mut possible = Vec::new();
        let is_code = |sign| matches!(sign, '*' | '#');
        if number.contains(is_code) {
            // A code of the provider's, such as one that hides who calls, may come before a number.
            for part in number.split(is_code).filter(|part| !part.is_empty()) {
                possible.extend(self::certain(part, plan));
                possible.extend(bare(part, plan));
            }
        }
        possible.extend(bare(&number, plan));
        Self { plan, certain, possible }
    }

    /// The number as the world writes it, or else as it came.
    pub fn plainest(&self) -> &str {
        self.certain.first().map_or("", String::as_str)
    }

    /// The length of the longest of these prefixes with which the number begins.
    pub fn begins(&self, prefixes: &[Prefix]) -> Option<usize> {
        prefixes.iter().filter_map(|prefix| self.fits(prefix, &self.certain)).max()
    }

    /// The same with all that a provider may make of the number.
    pub fn may_begin(&self, prefixes: &[Prefix]) -> Option<usize> {
        let possible = prefixes.iter().filter_map(|prefix| self.fits(prefix, &self.possible));
        possible.max().max(self.begins(prefixes))
    }

    fn fits(&self, prefix: &Prefix, spellings: &[String]) -> Option<usize> {
        let begins = |form: &str| spellings.iter().any(|spelling| spelling.starts_with(form));
        let read = beginning(prefix.as_str(), self.plan).filter(|form| begins(form));
        let written = Some(prefix.as_str()).filter(|form| begins(form));
        read.map(|form| form.len()).max(written.map(str::len))
    }

    /// The spelling in which a route takes the number: the one that its prefix has, of several the
    /// world's. `whole` is the number as the world writes it, where all of it can be read.
    pub(super) fn taken_by(
        &self,
        route: &Route,
        number: &str,
        whole: Option<&str>,
    ) -> Option<String> {
        let Some(whole) = whole else {
            let fits = self.fits(&route.prefix, &[number.to_owned()]);
            return fits.map(|_| number.to_owned());
        };
        let prefix = route.prefix.as_str();
        let mut spellings = [whole.to_owned()].into_iter().chain(at_home(whole, self.plan));
        let written = spellings.find(|spelling| spelling.starts_with(prefix));
        let read = || beginning(prefix, self.plan).filter(|form| whole.starts_with(form.as_str()));
        written.or_else(|| read().map(|_| whole.to_owned()))
    }
}

fn certain(number: &str, plan: Option<&NumberPlan>) -> Vec<String> {
    match world(number, plan) {
        Some(world) => {
            let home = at_home(&world, plan);
            [world].into_iter().chain(home).collect()
        }
        None => vec![number.to_owned()],
    }
}

/// How numbers begin, as the world writes them.
fn beginning(text: &str, plan: Option<&NumberPlan>) -> Option<String> {
    match plan {
        Some(plan) => plan.beginning(text),
        None => {
            let digits = text.strip_prefix('+').or_else(|| text.strip_prefix(ABROAD))?;
            (!digits.is_empty()).then(|| format!("+{digits}"))
        }
    }
}

/// A number as the world writes it, even one of a length that no number has: providers connect what
/// has digits too many. No country's code begins with 0; what does is read as if it were dialed.
fn world(number: &str, plan: Option<&NumberPlan>) -> Option<String> {
    let code = number.find(['*', '#']).unwrap_or(number.len());
    let mut dialed = number[..code].to_owned();
    for _ in 0..LOOKED_AT {
        let world = beginning(&dialed, plan)?;
        let digits = world.strip_prefix('+').unwrap_or(&world);
        if digits.starts_with('0') {
            digits.clone_into(&mut dialed);
            continue;
        }
        return Some(without_trunk_zeros(digits, plan));
    }
    None
}

/// `+49 030` is dialed by people who know the number as `030`.
fn without_trunk_zeros(digits: &str, plan: Option<&NumberPlan>) -> String {
    let plan = plan.filter(|plan| plan.national_prefix.starts_with('0'));
    let national = plan.and_then(|plan| digits.strip_prefix(plan.country.as_str()));
    match (plan, national) {
        (Some(plan), Some(national)) => {
            format!("+{}{}", plan.country, national.trim_start_matches('0'))
        }
        _ => format!("+{digits}"),
    }
}

/// How a number that the world writes so is dialed at home.
fn at_home(world: &str, plan: Option<&NumberPlan>) -> Option<String> {
    let digits = world.strip_prefix('+')?;
    let Some(plan) = plan else { return Some(format!("{ABROAD}{digits}")) };
    match digits.strip_prefix(plan.country.as_str()) {
        Some(national) => Some(format!("{}{national}", plan.national_prefix)),
        None => Some(format!("{}{digits}", plan.international_prefixes.first()?)),
    }
}

/// What digits without any prefix may be.
fn bare(number: &str, plan: Option<&NumberPlan>) -> Vec<String> {
    let digits = number.bytes().all(|byte| byte.is_ascii_digit()) && !number.starts_with('0');
    if !digits || number.len() < BARE_MIN || world(number, plan).is_some() {
        return Vec::new();
    }
    let national = plan.map(|plan| format!("+{}{number}", plan.country));
    [format!("+{number}")].into_iter().chain(national).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::e164::Bare;

    fn germany() -> NumberPlan {
        NumberPlan::of("49")
    }

    fn north_america() -> NumberPlan {
        NumberPlan {
            national_prefix: "1".into(),
            international_prefixes: vec!["011".into()],
            digits_min: 10,
            digits_max: 10,
            bare: Bare::National,
            ..NumberPlan::of("1")
        }
    }

    fn prefixes(texts: &[&str]) -> Vec<Prefix> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn may_begin(number: &str, prefix: &str, plan: Option<&NumberPlan>) -> bool {
        Dialed::new(number, plan).may_begin(&prefixes(&[prefix])).is_some()
    }

    #[test]
    fn a_prefix_counts_for_every_spelling_of_a_number() {
        let germany = germany();
        for number in [
            "+49900123456",
            "0049900123456",
            "0900123456",
            "+490900123456",
            "00490900123456",
            "000900123456",
            "+0900123456",
            "09001234567890123456789012345678901234567890",
            "0900123456#",
            "*31#0900123456",
            "900123456",
        ] {
            for prefix in ["+49900", "0900", "0049900"] {
                assert!(may_begin(number, prefix, Some(&germany)), "{number} {prefix}");
            }
        }
        for number in ["+900123", "00900123", "+00900123", "#31#00900123", "9001234567"] {
            for plan in [Some(&germany), None] {
                for prefix in ["+900", "00900"] {
                    assert!(may_begin(number, prefix, plan), "{number} {prefix}");
                }
            }
        }
        for number in ["900123456", "1900123456", "+1900123456", "0111900123456"] {
            assert!(may_begin(number, "+1900", Some(&north_america())), "{number}");
        }
    }

    #[test]
    fn a_prefix_does_not_count_for_another_number() {
        let germany = germany();
        for (number, prefix) in [
            ("0900123456", "+900"),
            ("+49301234567", "00"),
            ("+49301234567", "+490900"),
            ("2001", "+20"),
            ("112", "+1"),
            ("*97", "+97"),
        ] {
            assert!(!may_begin(number, prefix, Some(&germany)), "{number} {prefix}");
        }
        assert!(may_begin("+44201234567", "00", Some(&germany)), "abroad");
    }

    #[test]
    fn a_route_takes_the_spelling_that_its_prefix_has() {
        let germany = germany();
        let gateway = |prefix: &str| Route {
            prefix: prefix.parse().unwrap(),
            ..Route::by(["a".parse().unwrap()])
        };
        for number in ["+49301234567", "0049301234567", "0301234567"] {
            let dialed = Dialed::new(number, Some(&germany));
            let taken =
                |prefix: &str| dialed.taken_by(&gateway(prefix), number, Some("+49301234567"));
            assert_eq!(taken("").as_deref(), Some("+49301234567"));
            assert_eq!(taken("+4930").as_deref(), Some("+49301234567"));
            assert_eq!(taken("004930").as_deref(), Some("+49301234567"));
            assert_eq!(taken("030").as_deref(), Some("0301234567"));
            assert_eq!(taken("031"), None);
        }
        let short = Dialed::new("2001", Some(&germany));
        assert_eq!(short.taken_by(&gateway("2"), "2001", None).as_deref(), Some("2001"));
        assert_eq!(short.taken_by(&gateway("3"), "2001", None), None);
    }

    proptest! {
        #[test]
        fn all_spellings_of_a_number_meet_the_same_rules(
            country in prop_oneof![Just("49"), Just("44"), Just("900")],
            national in "[1-9][0-9]{6,9}",
            prefix in prop_oneof![r"\+[1-9][0-9]{0,5}", "00[1-9][0-9]{0,5}", "0[0-9]{0,5}"],
        ) {
            let germany = germany();
            let mut spellings = vec![
                format!("+{country}{national}"),
                format!("00{country}{national}"),
                format!("00{country}{national}#"),
                format!("+00{country}{national}"),
            ];
            if country == "49" {
                spellings.extend([format!("0{national}"), format!("+490{national}")]);
            }
            let prefixes = prefixes(&[&prefix]);
            let begins = |number: &String| Dialed::new(number, Some(&germany)).begins(&prefixes);
            let first = begins(&spellings[0]);
            for spelling in &spellings {
                prop_assert_eq!(begins(spelling), first, "{} {}", spelling, prefix);
            }
        }

        #[test]
        fn whatever_is_dialed_begins_with_itself(number in r"[+]?[0-9*#]{1,40}") {
            let germany = germany();
            for plan in [Some(&germany), None] {
                prop_assert!(Dialed::new(&number, plan).begins(&[Prefix::default()]).is_some());
                if let Ok(prefix) = number.chars().take(6).collect::<String>().parse::<Prefix>()
                    && !number.contains(['*', '#', '+'])
                {
                    let found = Dialed::new(&number, plan).begins(std::slice::from_ref(&prefix));
                    let zeros = number.starts_with('0');
                    prop_assert!(found.is_some() || zeros, "{number} {prefix}");
                }
            }
        }
    }
}
