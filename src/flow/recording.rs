//! Which of a tenant's conversations are recorded, and how.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::ids::PromptName;
use crate::base::millis::Millis;

/// Which conversations are recorded without anybody asking, and how each recording is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RecordingPolicy {
    /// For every extension that has no rule of its own.
    pub all: RecordingRule,
    /// By extension, the caller's or the one that answered.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub extensions: BTreeMap<String, RecordingRule>,
    /// A channel for each party, the caller's on the left.
    pub stereo: bool,
    /// A short tone that both parties hear when it begins.
    pub beep: bool,
    /// What both parties hear before it begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub announcement: Option<PromptName>,
    /// It ends by itself after this time.
    pub max_length: Millis,
    /// A shorter recording is not kept.
    pub min_length: Millis,
}

/// Which directions of conversations are recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct RecordingRule {
    /// From outside to an extension.
    pub inbound: bool,
    /// From an extension to outside.
    pub outbound: bool,
    /// From an extension to another.
    pub local: bool,
}

/// Where a conversation comes from and leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    Inbound,
    Outbound,
    Local,
    /// From outside to outside.
    Through,
}

impl Default for RecordingPolicy {
    fn default() -> Self {
        Self {
            all: RecordingRule::default(),
            extensions: BTreeMap::new(),
            stereo: true,
            beep: false,
            announcement: None,
            max_length: Millis::seconds(4 * 3_600),
            min_length: Millis(0),
        }
    }
}

impl RecordingPolicy {
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a conversation between these two is recorded; an end that is none of the tenant's
    /// extensions is none here.
    pub fn wants(&self, caller: Option<&str>, far: Option<&str>) -> bool {
        let direction = match (caller, far) {
            (None, Some(_)) => Direction::Inbound,
            (Some(_), None) => Direction::Outbound,
            (Some(_), Some(_)) => Direction::Local,
            (None, None) => Direction::Through,
        };
        let rule = |extension: &str| self.extensions.get(extension).unwrap_or(&self.all);
        let mut ends = caller.into_iter().chain(far);
        ends.any(|extension| rule(extension).has(direction))
    }
}

impl RecordingRule {
    const fn has(self, direction: Direction) -> bool {
        match direction {
            Direction::Inbound => self.inbound,
            Direction::Outbound => self.outbound,
            Direction::Local => self.local,
            Direction::Through => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_extensions_own_rule_stands_above_the_tenants() {
        let policy: RecordingPolicy = serde_json::from_str(
            r#"{"all": {"inbound": true}, "extensions": {"200": {}, "300": {"outbound": true}}}"#,
        )
        .unwrap();
        assert!(policy.wants(None, Some("100")), "inbound, by the tenant's rule");
        assert!(!policy.wants(None, Some("200")), "but not to 200");
        assert!(policy.wants(Some("300"), None), "300 calls out");
        assert!(!policy.wants(Some("100"), None), "100 is not recorded when it calls out");
        assert!(!policy.wants(Some("100"), Some("300")), "nor within the house");
        assert!(!policy.wants(None, None), "through the house");
    }
}
