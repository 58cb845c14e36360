//! Settings of SIP accounts.

use serde::{Deserialize, Serialize};

use crate::model::sip::ProfileName;

/// Where gateways live in FreeSWITCH.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The Sofia profile of gateways that name none. Default: `external`.
    pub profile: ProfileName,
    /// The Sofia profile on which accounts are tried out; it has no others. Default:
    /// `callwright_try`.
    pub try_profile: ProfileName,
    /// The Sofia profile of FreeSWITCH's own at which phones register. Default: `internal`.
    pub phone_profile: ProfileName,
    /// The dialplan context into which calls from gateways and phones come. Default: `callwright`.
    pub context: ProfileName,
}

#[allow(clippy::unwrap_used, reason = "words of ours")]
fn word(text: &str) -> ProfileName {
    text.parse().unwrap()
}

impl Default for Config {
    fn default() -> Self {
        Self {
            profile: word("external"),
            try_profile: word("callwright_try"),
            phone_profile: word("internal"),
            context: word("callwright"),
        }
    }
}
