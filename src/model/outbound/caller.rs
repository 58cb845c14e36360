//! Who calls, as somebody outside gets to see it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{OutboundFault, fault};

/// Longest number and name that are shown, in bytes.
const NUMBER_MAX: usize = 32;
const NAME_MAX: usize = 100;

/// Who calls, as it would be shown if nothing were laid down.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Calling {
    pub number: String,
    /// The tenant's extension that calls, where nobody else was named to be shown.
    pub extension: Option<String>,
}

/// Which number and name a call outside shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "show", rename_all = "snake_case", deny_unknown_fields)]
pub enum CallerRule {
    /// Whom the flow names; else the extension's number for calls outside; else whoever calls.
    Caller,
    /// The same, where the number is one of the tenant's own; else this.
    Own {
        #[schemars(length(min = 1, max = 32), regex(pattern = r"^\+?[0-9]+$"))]
        number: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(length(max = 100))]
        name: Option<String>,
    },
    /// Always this.
    Number {
        #[schemars(length(min = 1, max = 32), regex(pattern = r"^\+?[0-9]+$"))]
        number: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(length(max = 100))]
        name: Option<String>,
    },
    /// Nobody: the provider is asked not to tell who calls (RFC 3323).
    Anonymous,
}

/// Who is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shown {
    As { number: String, name: Option<String> },
    Nobody,
}

/// Whether it is a number that can be shown.
pub fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('+').unwrap_or(text);
    let well_formed = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    well_formed && text.len() <= NUMBER_MAX
}

impl CallerRule {
    pub(super) fn check(&self, field: &'static str) -> Result<(), OutboundFault> {
        let (Self::Own { number, name } | Self::Number { number, name }) = self else {
            return Ok(());
        };
        if !is_number(number) {
            return fault(field, "expected a number of up to 32 digits, with at most a + before");
        }
        let shown = |c: char| !c.is_control() && !r#""\<>$"#.contains(c);
        if name.as_ref().is_some_and(|name| name.len() > NAME_MAX || !name.chars().all(shown)) {
            return fault(field, "a name has at most 100 bytes, and none of `\"\\<>$`");
        }
        Ok(())
    }

    /// Who is shown where `caller` would be; none where that stays as it is. `is_own`: the number
    /// is one of the tenant's.
    pub(super) fn shows(
        &self,
        caller: &str,
        extension: Option<&str>,
        is_own: impl Fn(&str) -> bool,
    ) -> Option<Shown> {
        let fixed = |number: &String, name: &Option<String>| {
            Some(Shown::As { number: number.clone(), name: name.clone() })
        };
        let outside = extension.map(|number| Shown::As { number: number.to_owned(), name: None });
        match self {
            Self::Caller => outside,
            Self::Own { .. } if is_own(extension.unwrap_or(caller)) => outside,
            Self::Own { number, name } | Self::Number { number, name } => fixed(number, name),
            Self::Anonymous => Some(Shown::Nobody),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(json: &str) -> CallerRule {
        serde_json::from_str(json).unwrap()
    }

    fn shown(number: &str, name: Option<&str>) -> Option<Shown> {
        Some(Shown::As { number: number.into(), name: name.map(str::to_owned) })
    }

    #[test]
    fn only_own_numbers_are_shown_where_only_they_may_be() {
        let own = rule(r#"{"show": "own", "number": "+4930100", "name": "Acme"}"#);
        let shows = |caller, extension| own.shows(caller, extension, |one| one == "+4930101");
        assert_eq!(shows("+4930101", None), None, "it stays as it is");
        assert_eq!(shows("+18005550100", None), shown("+4930100", Some("Acme")));
        assert_eq!(shows("200", Some("+4930101")), shown("+4930101", None));
        assert_eq!(shows("200", Some("+18005550100")), shown("+4930100", Some("Acme")));
    }

    #[test]
    fn a_fixed_number_and_nobody_are_shown_whoever_calls() {
        let fixed = rule(r#"{"show": "number", "number": "+4930100"}"#);
        let nobody = rule(r#"{"show": "anonymous"}"#);
        let caller = rule(r#"{"show": "caller"}"#);
        for extension in [None, Some("+4930101")] {
            let shows = |rule: &CallerRule| rule.shows("200", extension, |_| true);
            assert_eq!(shows(&fixed), shown("+4930100", None));
            assert_eq!(shows(&nobody), Some(Shown::Nobody));
            assert_eq!(shows(&caller), extension.and_then(|number| shown(number, None)));
        }
    }

    #[test]
    fn what_is_no_number_or_name_can_not_be_shown() {
        for json in [
            r#"{"show": "number", "number": ""}"#,
            r#"{"show": "number", "number": "+"}"#,
            r#"{"show": "own", "number": "12a"}"#,
            r#"{"show": "number", "number": "1", "name": "${x}"}"#,
        ] {
            assert_eq!(rule(json).check("caller").unwrap_err().field, "caller", "{json}");
        }
        assert_eq!(rule(r#"{"show": "number", "number": "+49"}"#).check("caller"), Ok(()));
    }
}
