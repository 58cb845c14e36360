//! Who may listen in on whom: the one place that says so.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Stands for every extension of the tenant, in a supervisor's `groups`.
pub const EVERYBODY: &str = "*";

/// A tenant's rules for listening in. By default nobody may.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MonitorPolicy {
    /// The extensions of each group.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub groups: BTreeMap<String, BTreeSet<String>>,
    /// By extension.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub supervisors: BTreeMap<String, Supervisor>,
    /// Whoever was called hears a short tone when somebody begins to listen in.
    pub tone: bool,
}

/// What a supervisor may do.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Supervisor {
    pub may: BTreeSet<Power>,
    /// Whose conversations; `*` is everybody's.
    pub groups: BTreeSet<String>,
}

/// What one may do with others' conversations.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "MonitorPower")]
pub enum Power {
    Listen,
    /// Speak so that one party hears it.
    Whisper,
    /// Speak so that both hear it.
    Barge,
    TakeOver,
}

/// Why somebody may not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    #[error("`{0}` is no supervisor")]
    NoSupervisor(String),
    #[error("`{0}` is one of those who talk")]
    Party(String),
    #[error("`{by}` may not {}", power.verb())]
    Power { by: String, power: Power },
    #[error("`{0}` supervises nobody who talks there")]
    NotTheirs(String),
}

impl MonitorPolicy {
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Whether the supervisor at extension `by` may do this with a conversation of `parties`, each
    /// an extension, number or SIP address.
    ///
    /// # Errors
    /// Why not.
    pub fn judge(&self, by: &str, power: Power, parties: &[&str]) -> Result<(), Denied> {
        let Some(supervisor) = self.supervisors.get(by) else {
            return Err(Denied::NoSupervisor(by.to_owned()));
        };
        let users: Vec<&str> = parties.iter().map(|party| user(party)).collect();
        if users.contains(&by) {
            return Err(Denied::Party(by.to_owned()));
        }
        if !supervisor.may.contains(&power) {
            return Err(Denied::Power { by: by.to_owned(), power });
        }
        let theirs = supervisor.groups.iter().any(|group| {
            let members = self.groups.get(group);
            let member = |user: &&str| members.is_some_and(|members| members.contains(*user));
            group == EVERYBODY || users.iter().any(member)
        });
        if theirs { Ok(()) } else { Err(Denied::NotTheirs(by.to_owned())) }
    }
}

/// The user of a SIP address; what is none is its own.
fn user(party: &str) -> &str {
    party.split_once('@').map_or(party, |(user, _)| user)
}

impl Power {
    const fn verb(self) -> &'static str {
        match self {
            Self::Listen => "listen in",
            Self::Whisper => "whisper",
            Self::Barge => "barge in",
            Self::TakeOver => "take calls over",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> MonitorPolicy {
        serde_json::from_str(
            r#"{"groups": {"sales": ["201", "202"], "support": ["210"]},
                "supervisors": {"300": {"may": ["listen", "whisper"], "groups": ["sales"]},
                                "301": {"may": ["listen"], "groups": ["*"]},
                                "201": {"may": ["listen"], "groups": ["sales"]},
                                "302": {"may": ["listen"]}}}"#,
        )
        .unwrap()
    }

    #[test]
    fn nobody_may_unless_it_is_laid_down() {
        let denied = MonitorPolicy::default().judge("300", Power::Listen, &["201"]);
        assert_eq!(denied, Err(Denied::NoSupervisor("300".into())));
    }

    #[test]
    fn a_supervisor_has_its_own_groups_and_its_own_powers() {
        let policy = policy();
        let judge = |by, power, parties: &[&str]| {
            policy.judge(by, power, parties).map_err(|denied| denied.to_string())
        };
        assert_eq!(judge("300", Power::Listen, &["+4930", "201"]), Ok(()));
        assert_eq!(judge("300", Power::Whisper, &["202@pbx.example", "+4930"]), Ok(()));
        assert_eq!(
            judge("300", Power::Barge, &["+4930", "201"]),
            Err("`300` may not barge in".into())
        );
        assert_eq!(
            judge("300", Power::Listen, &["+4930", "210"]),
            Err("`300` supervises nobody who talks there".into())
        );
        assert_eq!(judge("301", Power::Listen, &["+4930", "210"]), Ok(()));
        assert!(judge("302", Power::Listen, &["+4930", "210"]).is_err());
        assert_eq!(
            judge("201", Power::Listen, &["201", "202"]),
            Err("`201` is one of those who talk".into())
        );
    }
}
