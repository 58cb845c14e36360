//! What was changed, ordered or heard, and by whom.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::base::ids::ApiKeyId;

/// What stands in the place of a secret.
const MASKED: &str = "•";

/// Who does something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// In words, such as the name of a key.
    pub who: String,
    /// The API key, where it was done over HTTP.
    pub key: Option<ApiKeyId>,
    /// The request's name.
    pub request: Option<String>,
}

impl Actor {
    /// Callwright itself.
    pub fn callwright() -> Self {
        Self { who: "callwright".into(), key: None, request: None }
    }

    /// Somebody at the command line, by the name they have there.
    pub fn at_command_line(user: &str) -> Self {
        Self { who: format!("{user} at the command line"), key: None, request: None }
    }
}

/// An entry of the audit log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Act {
    pub id: Uuid,
    pub at: Timestamp,
    /// Such as `room.put`, `flow.publish`, `recording.heard` or `call.monitored`.
    pub what: String,
    /// The name or id of what it was done to.
    pub subject: String,
    pub who: String,
    /// The API key, where it was done over HTTP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<ApiKeyId>,
    /// `X-Request-Id` of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
    /// The reason that was given.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
    /// How it was, with secrets masked; none where it was not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// How it is from then on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
}

/// Puts a mask in the place of each secret, wherever it stands.
pub fn mask(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                if is_secret(name) && !field.is_null() && !field.is_boolean() {
                    *field = MASKED.into();
                } else {
                    mask(field);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(mask),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// By its name: what is new and secret is to be called so.
fn is_secret(name: &str) -> bool {
    name.split(['_', '-']).any(|word| {
        let word = word.to_ascii_lowercase();
        ["pin", "pins", "password", "passwords", "secret", "secrets", "token", "authorization"]
            .contains(&word.as_str())
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_are_masked_wherever_they_stand_and_nothing_else_is() {
        let mut value = json!({
            "member_pin": "1234", "spin": "left", "pin": null,
            "lines": [{ "password": "x", "user": "100" }, { "secret": { "a": "b" } }],
            "headers": { "Authorization": "Bearer y" }, "has_password": true,
        });
        mask(&mut value);
        let expected = json!({
            "member_pin": "•", "spin": "left", "pin": null,
            "lines": [{ "password": "•", "user": "100" }, { "secret": "•" }],
            "headers": { "Authorization": "•" }, "has_password": true,
        });
        assert_eq!(value, expected);
    }
}
