//! A tenant's phone that registers at FreeSWITCH.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::outbound::is_number;
use super::sip::{MediaEncryption, SipUser};
use crate::base::ids::ExtensionId;

/// Longest name, in bytes.
const NAME_MAX: usize = 100;

/// An extension as its tenant lays it down, but for the password.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExtensionSettings {
    /// Whom others see, besides the number.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 100))]
    pub name: String,
    /// The number that its calls to numbers outside show.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32), regex(pattern = r"^\+?[0-9]+$"))]
    pub outside: Option<String>,
    /// Whether the sound of its calls is encrypted; where the profile is stricter, that counts.
    #[serde(default, skip_serializing_if = "MediaEncryption::is_off")]
    pub encryption: MediaEncryption,
    /// Whether it may not register or call.
    #[serde(default)]
    pub disabled: bool,
}

impl ExtensionSettings {
    /// # Errors
    /// The field, and a sentence.
    pub fn check(&self) -> Result<(), (&'static str, &'static str)> {
        let shown = |c: char| !c.is_control() && !r#""\<>$"#.contains(c);
        if self.name.len() > NAME_MAX || !self.name.chars().all(shown) {
            let field = "settings.name";
            return Err((field, "a name has at most 100 bytes, and none of `\"\\<>$`"));
        }
        if self.outside.as_ref().is_some_and(|number| !is_number(number)) {
            let field = "settings.outside";
            return Err((field, "expected a number of up to 32 digits, with at most a + before"));
        }
        Ok(())
    }
}

/// An extension of a tenant, in the tenant's domain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Extension {
    pub id: ExtensionId,
    /// Its number, which is the user with whom it registers.
    pub number: SipUser,
    pub settings: ExtensionSettings,
    pub created: Timestamp,
    pub changed: Timestamp,
}
