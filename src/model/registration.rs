//! How a gateway stands with its provider, and what that means in words.

use std::borrow::Cow;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// In the place of a provider's words: nobody could be reached.
pub const UNREACHED: &str = "not reached";
/// The same: the server's name leads nowhere.
pub const UNRESOLVED: &str = "not resolved";
/// The same: the Sofia profile has no such transport.
pub const NO_TRANSPORT: &str = "no transport";

/// Where it stands.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "RegistrationStanding")]
pub enum Standing {
    /// It is registered.
    Registered,
    /// It does not register, and calls may go through it.
    Ready,
    /// It is registering for the first time.
    Trying,
    /// The last attempt failed; it is tried again by and by.
    Failed,
    /// It failed so often that it is left alone for a while.
    Resting,
    /// The provider does not answer OPTIONS.
    Unreachable,
    /// FreeSWITCH has it not.
    Absent,
}

impl Standing {
    pub const ALL: [Self; 7] = [
        Self::Registered,
        Self::Ready,
        Self::Trying,
        Self::Failed,
        Self::Resting,
        Self::Unreachable,
        Self::Absent,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Registered => "registered",
            Self::Ready => "ready",
            Self::Trying => "trying",
            Self::Failed => "failed",
            Self::Resting => "resting",
            Self::Unreachable => "unreachable",
            Self::Absent => "absent",
        }
    }

    /// Whether calls go through it.
    pub const fn serves(self) -> bool {
        matches!(self, Self::Registered | Self::Ready)
    }
}

/// One FreeSWITCH's view of a gateway, at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Registration {
    /// The FreeSWITCH, by the name with which it introduces itself.
    pub switch: String,
    pub standing: Standing,
    /// What the provider answered, as SIP has it; 900 and above are FreeSWITCH's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<u16>,
    /// The provider's own words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub phrase: String,
    /// What that means.
    pub explained: Cow<'static, str>,
    pub since: Timestamp,
}

impl Registration {
    pub fn new(
        switch: String,
        standing: Standing,
        code: Option<u16>,
        phrase: String,
        since: Timestamp,
    ) -> Self {
        let explained = explain(standing, code, &phrase);
        Self { switch, standing, code, phrase, explained, since }
    }
}

/// A sentence for people.
pub fn explain(standing: Standing, code: Option<u16>, phrase: &str) -> Cow<'static, str> {
    match standing {
        Standing::Registered => "the account is registered".into(),
        Standing::Ready => "calls may go through it; it does not register".into(),
        Standing::Trying => "the server has not answered yet".into(),
        Standing::Absent if phrase == NO_TRANSPORT => {
            "FreeSWITCH's profile has no TLS: the operator sets it up there".into()
        }
        Standing::Absent => "FreeSWITCH has not taken it: does mod_xml_curl ask Callwright?".into(),
        Standing::Unreachable => "the server does not answer OPTIONS".into(),
        Standing::Resting => {
            let why = failure(code, phrase);
            format!("left alone for a while, after failing again and again: {why}").into()
        }
        Standing::Failed => failure(code, phrase),
    }
}

/// Why a registration failed.
fn failure(code: Option<u16>, phrase: &str) -> Cow<'static, str> {
    if phrase == UNRESOLVED {
        return "the server's name can't be resolved".into();
    }
    let Some(code) = code else {
        return "the server did not answer in time".into();
    };
    let sentence = match (code, phrase) {
        (_, UNREACHED) => {
            "the server can't be reached: nothing takes SIP there, or what is between"
        }
        (401 | 407, _) => "the server does not accept the user or the password",
        (403, _) => "the server says the password is wrong, or the account is barred",
        (404, _) => "the server knows no such account",
        (408 | 908, _) => "the server did not answer in time",
        (423, _) => "the server wants a longer registration: raise `expires_s`",
        (480 | 486 | 503 | 500 | 600..=699, _) => "the server can't register anybody now",
        (900, _) => "FreeSWITCH could not send the registration",
        (904, _) => {
            "the server asks for the password again and again: it is wrong, or for another realm"
        }
        _ => "the server refuses the registration",
    };
    format!("{sentence} ({code})").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_went_wrong_is_said_in_words_with_the_code() {
        let said = |code, phrase| explain(Standing::Failed, code, phrase).into_owned();
        assert_eq!(
            said(Some(403), "Forbidden"),
            "the server says the password is wrong, or the account is barred (403)"
        );
        assert!(said(None, UNRESOLVED).contains("can't be resolved"));
        assert!(said(Some(503), UNREACHED).contains("can't be reached"));
        assert!(said(Some(503), "Service Unavailable").contains("can't register anybody"));
        assert!(said(Some(904), "x").contains("realm"));
        assert!(said(None, "").contains("in time"));
        assert!(said(Some(488), "x").ends_with("(488)"));
        let resting = explain(Standing::Resting, Some(401), "");
        assert!(resting.contains("again and again") && resting.contains("401"), "{resting}");
    }

    #[test]
    fn each_standing_is_written_as_it_is_named() {
        for standing in Standing::ALL {
            let json = serde_json::to_value(standing).unwrap();
            assert_eq!(json, standing.name());
        }
    }
}
