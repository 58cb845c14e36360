//! What a tenant lays down for its conversations.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::monitor::MonitorPolicy;
use super::park::ParkSettings;
use super::recording::RecordingPolicy;
use crate::base::digits::Digits;
use crate::base::ids::PromptName;
use crate::base::millis::Millis;

/// A tenant's rules for conversations.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TalkSettings {
    #[serde(skip_serializing_if = "MonitorPolicy::is_default")]
    pub monitor: MonitorPolicy,
    #[serde(skip_serializing_if = "RecordingPolicy::is_default")]
    pub recording: RecordingPolicy,
    /// What somebody hears who waits; a soft tone where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub music: Option<PromptName>,
    /// How long a party may be on hold; then both hear a tone. Put there by an operator or by keys
    /// they talk again; a phone that did it by itself is asked to take the call back (SIP NOTIFY,
    /// event `talk`). Without it as long as it takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hold_limit: Option<Millis>,
    /// How often a tone reminds who put another on hold, by an operator or by keys; every `10s`
    /// where nothing is said. At least `1s`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hold_reminder: Option<Millis>,
    #[serde(skip_serializing_if = "TalkKeys::is_off")]
    pub keys: TalkKeys,
    #[serde(skip_serializing_if = "ParkSettings::is_default")]
    pub park: ParkSettings,
}

/// What parties of the tenant's own may do with keys while they talk. Without codes nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TalkKeys {
    /// The keys of each, such as `**1`.
    #[schemars(with = "BTreeMap<TalkKey, String>")]
    pub codes: BTreeMap<TalkKey, Digits>,
    /// How long the next key of a code or an extension may take.
    pub next_key: Millis,
}

impl Default for TalkKeys {
    fn default() -> Self {
        Self { codes: BTreeMap::new(), next_key: Millis::seconds(3) }
    }
}

impl TalkKeys {
    /// Whether no key means anything.
    pub fn is_off(&self) -> bool {
        self.codes.is_empty()
    }
}

/// What keys can ask for.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum TalkKey {
    /// Move the other party to the extension that is typed next; `#` ends it, `*` gives up.
    Transfer,
    /// Speak with the extension that is typed next while the other party waits.
    Consult,
    Complete,
    Cancel,
    Toggle,
    /// All three of a consultation go to a room of their own.
    Merge,
    /// Let the other party wait, or talk again.
    Hold,
    /// Record, or stop that.
    Record,
    /// Write silence instead of what is said, or no more.
    Mask,
    /// Park the other party. Who typed it hears the slot, and then is let go, or goes on in the
    /// flow where it is the caller.
    Park,
}
