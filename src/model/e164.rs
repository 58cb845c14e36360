//! Telephone numbers as the whole world writes them (ITU-T E.164): `+`, country code, national
//! number.
//!
//! A provider writes who calls as it likes: `030 1234567`, `0049301234567`, `+49301234567`. A
//! tenant's plan says how to read that, and its numbers are then compared in one form. What it
//! does not read, such as an extension, stays as it came.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Most digits of a number, the country code included (E.164 section 6.2.1).
const DIGITS_MAX: usize = 15;
/// Fewest digits of a number with its country code: the smallest countries have that many.
const DIGITS_MIN: usize = 7;
/// Most digits of a country code (E.164 section 6.2.1).
const COUNTRY_MAX: usize = 3;
/// Longest prefix that is dialed before a number, and most of them.
const PREFIX_MAX: usize = 6;
const PREFIXES_MAX: usize = 8;
/// Longest text that can be a number with all that people write between its digits.
const TEXT_MAX: usize = 40;

/// How numbers are written in a tenant's country.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NumberPlan {
    /// The country code, such as `49`.
    #[schemars(regex(pattern = "^[1-9][0-9]{0,2}$"))]
    pub country: String,
    /// What is dialed before a national number: `0` in most countries, `1` in North America,
    /// nothing in Spain.
    #[serde(default = "national")]
    #[schemars(length(max = 6))]
    pub national_prefix: String,
    /// What is dialed before the number of another country: `00` in most countries, `011` in
    /// North America.
    #[serde(default = "international")]
    #[schemars(length(max = 8))]
    pub international_prefixes: Vec<String>,
    /// Fewest and most digits of a national number, without its prefix.
    #[serde(default = "shortest")]
    #[schemars(range(min = 2, max = 14))]
    pub digits_min: u8,
    #[serde(default = "longest")]
    #[schemars(range(min = 2, max = 14))]
    pub digits_max: u8,
    /// How a number without any prefix is read.
    #[serde(default)]
    pub bare: Bare,
}

/// What a number is that has no prefix.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Bare {
    /// Nothing is known of it.
    #[default]
    Unknown,
    /// A national one, as in Spain or North America.
    National,
    /// One with its country code, as some providers send who calls.
    International,
}

fn national() -> String {
    "0".to_owned()
}

fn international() -> Vec<String> {
    vec!["00".to_owned()]
}

const fn shortest() -> u8 {
    6
}

const fn longest() -> u8 {
    12
}

/// Where a number begins, once its prefix is read.
enum Read<'a> {
    International(&'a str),
    National(&'a str),
    Neither,
}

impl NumberPlan {
    /// The plan of a country where `0` and `00` are dialed first.
    pub fn of(country: &str) -> Self {
        Self {
            country: country.to_owned(),
            national_prefix: national(),
            international_prefixes: international(),
            digits_min: shortest(),
            digits_max: longest(),
            bare: Bare::Unknown,
        }
    }

    /// Whether it can be read by.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn check(&self) -> Result<(), String> {
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let country = &self.country;
        let begins = country.bytes().next().is_some_and(|first| (b'1'..=b'9').contains(&first));
        if !begins || country.len() > COUNTRY_MAX || !digits(country) {
            return Err("the country code has 1 to 3 digits and does not begin with 0".to_owned());
        }
        if self.international_prefixes.len() > PREFIXES_MAX {
            return Err(format!("there are more than {PREFIXES_MAX} international prefixes"));
        }
        let fits = |prefix: &str| prefix.len() <= PREFIX_MAX && digits(prefix);
        let all = self.international_prefixes.iter();
        if !fits(&self.national_prefix) || !all.clone().all(|one| fits(one) && !one.is_empty()) {
            return Err(format!("a prefix has up to {PREFIX_MAX} digits"));
        }
        let most = DIGITS_MAX - country.len();
        let (least, longest) = (usize::from(self.digits_min), usize::from(self.digits_max));
        if least < 2 || longest < least || longest > most {
            return Err(format!("a national number has 2 to {most} digits"));
        }
        Ok(())
    }

    /// The number as the world writes it; none where it can't be read.
    pub fn normalise(&self, number: &str) -> Option<String> {
        let plain = plain(number)?;
        let found = match self.read(&plain) {
            Read::International(digits) => digits.to_owned(),
            Read::National(digits) => format!("{}{digits}", self.country),
            Read::Neither => return None,
        };
        self.is_whole(&found).then(|| format!("+{found}"))
    }

    /// The number as the world writes it, or else as it came.
    pub fn normalised(&self, number: &str) -> String {
        self.normalise(number).unwrap_or_else(|| number.to_owned())
    }

    /// The beginning of numbers, as the world writes them; none where it can't be read.
    pub fn beginning(&self, text: &str) -> Option<String> {
        let plain = plain(text)?;
        match self.read(&plain) {
            Read::International("") | Read::Neither => None,
            Read::International(digits) => Some(format!("+{digits}")),
            Read::National(digits) => Some(format!("+{}{digits}", self.country)),
        }
    }

    fn read<'a>(&self, plain: &'a str) -> Read<'a> {
        if let Some(digits) = plain.strip_prefix('+') {
            return Read::International(digits);
        }
        let prefixes = self.international_prefixes.iter();
        let longest = prefixes.filter_map(|prefix| plain.strip_prefix(prefix.as_str()));
        if let Some(digits) = longest.min_by_key(|digits| digits.len()) {
            return Read::International(digits);
        }
        let prefix = self.national_prefix.as_str();
        match (plain.strip_prefix(prefix).filter(|_| !prefix.is_empty()), self.bare) {
            (Some(digits), _) => Read::National(digits),
            (None, Bare::National) => Read::National(plain),
            (None, Bare::International) => Read::International(plain),
            (None, Bare::Unknown) => Read::Neither,
        }
    }

    fn is_whole(&self, digits: &str) -> bool {
        if digits.starts_with('0') || !(DIGITS_MIN..=DIGITS_MAX).contains(&digits.len()) {
            return false;
        }
        let national = digits.strip_prefix(self.country.as_str());
        let lengths = usize::from(self.digits_min)..=usize::from(self.digits_max);
        national.is_none_or(|national| lengths.contains(&national.len()))
    }
}

/// Digits with at most a `+` before them, without what people write between them; none for anything
/// else.
fn plain(text: &str) -> Option<String> {
    let text = text.trim();
    if text.len() > TEXT_MAX {
        return None;
    }
    // `+49 (0) 30` is said to everybody at once: abroad the 0 is left out.
    let abroad = text.strip_prefix('+').map(|rest| format!("+{}", rest.replacen("(0)", "", 1)));
    let text = abroad.as_deref().unwrap_or(text);
    let between = |c: &char| !matches!(c, ' ' | '-' | '(' | ')' | '.' | '/');
    let plain: String = text.chars().filter(between).collect();
    let digits = plain.strip_prefix('+').unwrap_or(&plain);
    (!digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())).then_some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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

    fn spain() -> NumberPlan {
        NumberPlan {
            national_prefix: String::new(),
            digits_min: 9,
            digits_max: 9,
            bare: Bare::National,
            ..NumberPlan::of("34")
        }
    }

    #[test]
    fn every_way_to_write_a_number_comes_to_the_same() {
        for text in [
            "+49301234567",
            "0049301234567",
            "0301234567",
            "030 / 123-4567",
            "+49 (0)30 1234567",
            "(030) 1234567",
            " +49.30.1234567 ",
        ] {
            assert_eq!(germany().normalise(text).as_deref(), Some("+49301234567"), "{text}");
        }
        for text in ["+12125550100", "12125550100", "2125550100", "(212) 555-0100"] {
            assert_eq!(north_america().normalise(text).as_deref(), Some("+12125550100"), "{text}");
        }
        let abroad = north_america().normalise("011493012345678");
        assert_eq!(abroad.as_deref(), Some("+493012345678"));
        assert_eq!(spain().normalise("912345678").as_deref(), Some("+34912345678"));
        let bare = NumberPlan { bare: Bare::International, ..germany() };
        assert_eq!(bare.normalise("4930123456").as_deref(), Some("+4930123456"));
    }

    #[test]
    fn what_is_no_number_of_the_world_stays_as_it_came() {
        for text in ["", "100", "110", "112", "0110", "anonymous", "+", "00", "30123456", "*21"] {
            assert_eq!(germany().normalise(text), None, "{text}");
            assert_eq!(germany().normalised(text), text);
        }
        for text in ["911", "5550100", "1911", "+1 212 555", "011", "0115"] {
            assert_eq!(north_america().normalise(text), None, "{text}");
        }
        assert_eq!(spain().normalise("1001"), None, "an extension");
        assert_eq!(germany().normalise("+0301234567"), None);
        assert_eq!(germany().normalise("+491234567890123"), None, "too long for the country");
        assert_eq!(germany().normalise(&"1".repeat(400)), None);
    }

    #[test]
    fn the_beginning_of_numbers_is_read_as_numbers_are() {
        assert_eq!(germany().beginning("0900").as_deref(), Some("+49900"));
        assert_eq!(germany().beginning("00 44").as_deref(), Some("+44"));
        assert_eq!(germany().beginning("+1").as_deref(), Some("+1"));
        assert_eq!(germany().beginning("00"), None);
        assert_eq!(germany().beginning("900"), None);
    }

    #[test]
    fn a_plan_that_can_not_be_right_is_refused() {
        let wrong = [
            NumberPlan::of(""),
            NumberPlan::of("049"),
            NumberPlan::of("1234"),
            NumberPlan::of("4x"),
            NumberPlan { national_prefix: "+".into(), ..germany() },
            NumberPlan { international_prefixes: vec![String::new()], ..germany() },
            NumberPlan { digits_min: 9, digits_max: 8, ..germany() },
            NumberPlan { digits_max: 14, ..germany() },
        ];
        for plan in wrong {
            assert!(plan.check().is_err(), "{plan:?}");
        }
        for plan in [germany(), north_america(), spain()] {
            plan.check().unwrap();
        }
    }

    fn plans() -> impl Strategy<Value = NumberPlan> {
        prop_oneof![Just(germany()), Just(north_america()), Just(spain())]
    }

    proptest! {
        #[test]
        fn whatever_comes_is_a_number_of_the_world_or_stays(plan in plans(), text in ".{0,48}") {
            match plan.normalise(&text) {
                Some(number) => {
                    let digits = number.strip_prefix('+').unwrap();
                    prop_assert!((7..=15).contains(&digits.len()) && !digits.starts_with('0'));
                    prop_assert!(digits.bytes().all(|byte| byte.is_ascii_digit()));
                }
                None => prop_assert_eq!(plan.normalised(&text), text),
            }
        }

        #[test]
        fn a_number_that_was_read_is_read_as_itself(plan in plans(), text in "[+0-9 ()/-]{0,24}") {
            let once = plan.normalised(&text);
            prop_assert_eq!(plan.normalised(&once), once);
        }

        #[test]
        fn at_home_and_from_abroad_a_number_is_the_same(plan in plans(), seed in any::<u64>()) {
            let length = usize::from(plan.digits_min);
            let all = format!("{}{seed:020}", 2 + seed % 8);
            let national = &all[..length];
            let home = format!("{}{national}", plan.national_prefix);
            let abroad = &plan.international_prefixes[0];
            let from_abroad = format!("{abroad}{}{national}", plan.country);
            let number = format!("+{}{national}", plan.country);
            prop_assert_eq!(plan.normalise(&home), Some(number.clone()));
            prop_assert_eq!(plan.normalise(&from_abroad), Some(number));
        }
    }
}
