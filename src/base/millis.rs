//! Lengths of time, written `500ms`, `3s`, `1m30s`, `2h` wherever a person writes them.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserializer, Visitor};
use serde::{Deserialize, Serialize};

/// A length of time in whole milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize)]
#[serde(into = "String")]
pub struct Millis(pub u64);

/// Why a text is not a length of time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a length of time: write it like `500ms`, `3s`, `1m30s` or `2h`")]
pub struct MillisError(String);

const UNITS: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

impl Millis {
    /// No flow or setting may name a longer time: 30 days.
    pub const MAX: Self = Self(30 * 24 * 3_600_000);

    pub const fn seconds(seconds: u64) -> Self {
        Self(seconds * 1_000)
    }

    pub const fn ms(self) -> u64 {
        self.0
    }

    /// Whole seconds, rounded up, for interfaces that know nothing finer.
    pub const fn whole_seconds(self) -> u64 {
        self.0.div_ceil(1_000)
    }
}

impl From<Millis> for Duration {
    fn from(millis: Millis) -> Self {
        Self::from_millis(millis.0)
    }
}

impl FromStr for Millis {
    type Err = MillisError;

    /// Numbers with units, largest unit first, each unit at most once: `1m30s`.
    fn from_str(text: &str) -> Result<Self, MillisError> {
        let bad = || MillisError(text.chars().take(40).collect());
        let mut rest = text;
        let mut total: u64 = 0;
        let mut units = UNITS.iter();
        while !rest.is_empty() {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let (number, tail) = rest.split_at(digits);
            let letters = tail.bytes().take_while(u8::is_ascii_alphabetic).count();
            let (unit, tail) = tail.split_at(letters);
            let (_, factor) = units.by_ref().find(|(name, _)| *name == unit).ok_or_else(bad)?;
            let part = number.parse::<u64>().ok().and_then(|n| n.checked_mul(*factor));
            total = part.and_then(|p| total.checked_add(p)).ok_or_else(bad)?;
            rest = tail;
        }
        if text.is_empty() || total > Self::MAX.0 { Err(bad()) } else { Ok(Self(total)) }
    }
}

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("0s");
        }
        let mut rest = self.0;
        for (unit, factor) in UNITS {
            if rest / factor > 0 {
                write!(f, "{}{unit}", rest / factor)?;
                rest %= factor;
            }
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Millis {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(MillisVisitor)
    }
}

/// Says what is wanted where a bare number stands.
struct MillisVisitor;

impl Visitor<'_> for MillisVisitor {
    type Value = Millis;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a length of time such as `500ms`, `3s`, `1m30s` or `2h`")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Millis, E> {
        text.parse().map_err(E::custom)
    }
}

impl From<Millis> for String {
    fn from(millis: Millis) -> Self {
        millis.to_string()
    }
}

impl JsonSchema for Millis {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "a length of time such as `500ms`, `3s`, `1m30s` or `2h`",
            "pattern": "^(\\d+h)?(\\d+m)?(\\d+s)?(\\d+ms)?$",
            "minLength": 2
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        for (text, ms) in
            [("500ms", 500), ("3s", 3_000), ("1m30s", 90_000), ("2h", 7_200_000), ("1s5ms", 1_005)]
        {
            let parsed: Millis = text.parse().unwrap();
            assert_eq!(parsed.0, ms);
            assert_eq!(parsed.to_string(), text);
        }
    }

    #[test]
    fn a_number_without_a_unit_or_with_units_out_of_order_is_refused() {
        for text in ["", "5", "s", "5 s", "-1s", "1s1m", "1s1s", "99999999999999999999s", "721h"] {
            assert!(text.parse::<Millis>().is_err(), "{text:?}");
        }
    }
}
