//! Who works with a tenant's phone system.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::access::Role;
use super::sip::SipUser;
use crate::base::ids::{UserId, UserName};

/// Longest name to be shown, in bytes.
const NAME_MAX: usize = 100;

/// A user as its tenant lays it down. Users have no passwords here: the tenant's own programs log
/// them in, and mint tokens for them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UserSettings {
    /// Whom others see.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 100))]
    pub name: String,
    /// What the user's tokens may do at most.
    pub role: Role,
    /// The number of the user's phone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extension: Option<SipUser>,
    /// Whether tokens are minted for the user. When it becomes false, those that there are end.
    #[serde(default = "yes")]
    pub enabled: bool,
}

const fn yes() -> bool {
    true
}

impl UserSettings {
    /// # Errors
    /// The field, and a sentence.
    pub fn check(&self) -> Result<(), (&'static str, &'static str)> {
        if self.name.len() > NAME_MAX || self.name.chars().any(char::is_control) {
            return Err(("name", "a name has at most 100 bytes and no control characters"));
        }
        if self.role == Role::Operator {
            return Err(("role", "no tenant's user is the operator"));
        }
        Ok(())
    }
}

/// A user of a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct User {
    pub id: UserId,
    pub name: UserName,
    pub settings: UserSettings,
    pub created: Timestamp,
    pub changed: Timestamp,
    /// Tokens that were minted before do not count: the user was not enabled then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
}
