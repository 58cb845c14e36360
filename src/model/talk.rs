//! Words for what goes on between two parties.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A side of a conversation.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Who called.
    #[default]
    Caller,
    /// Whom the caller speaks with.
    Far,
}
