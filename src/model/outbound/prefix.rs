//! How numbers begin.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// Longest prefix, in characters.
const PREFIX_MAX: usize = 32;

/// The beginning of numbers: digits, `*` and `#`, with at most one `+` before them. An empty one is
/// that of all.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Prefix(String);

/// A text is no prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("that is no beginning of numbers: expected up to 32 digits, `*` or `#`, `+` before them")]
pub struct NotPrefix;

impl Prefix {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Prefix {
    type Err = NotPrefix;
    fn from_str(text: &str) -> Result<Self, NotPrefix> {
        let keys = text.strip_prefix('+').unwrap_or(text);
        let key = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'*' | b'#');
        let well_formed = text.len() <= PREFIX_MAX && keys.bytes().all(key);
        if well_formed { Ok(Self(text.to_owned())) } else { Err(NotPrefix) }
    }
}

impl TryFrom<String> for Prefix {
    type Error = NotPrefix;
    fn try_from(text: String) -> Result<Self, NotPrefix> {
        text.parse()
    }
}

impl From<Prefix> for String {
    fn from(prefix: Prefix) -> Self {
        prefix.0
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl JsonSchema for Prefix {
    fn schema_name() -> Cow<'static, str> {
        "Prefix".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string", "maxLength": PREFIX_MAX, "pattern": r"^\+?[0-9*#]*$",
            "description": "How numbers begin; empty for all.",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nothing_but_a_number_is_the_beginning_of_one() {
        for text in ["", "+", "+49", "00", "*97", "#"] {
            assert!(text.parse::<Prefix>().is_ok(), "{text:?}");
        }
        for text in ["4+9", "++", "a", "1 2", "1${x}", "1\n", "\u{0661}", &"1".repeat(33)] {
            assert_eq!(text.parse::<Prefix>(), Err(NotPrefix), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn a_prefix_that_is_read_is_written_as_it_was(text in ".{0,40}") {
            if let Ok(prefix) = text.parse::<Prefix>() {
                prop_assert_eq!(prefix.as_str(), text.as_str());
            }
        }
    }
}
