//! Words for what goes on between two parties.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::ids::{GatewayName, RoomName};

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

impl Side {
    pub const fn far() -> Self {
        Self::Far
    }

    pub const fn other(self) -> Self {
        match self {
            Self::Caller => Self::Far,
            Self::Far => Self::Caller,
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Caller => "the caller",
            Self::Far => "the other party",
        })
    }
}

/// Who hears something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Hearers {
    #[default]
    Caller,
    Far,
    Both,
}

impl fmt::Display for Hearers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Caller => Side::Caller.fmt(f),
            Self::Far => Side::Far.fmt(f),
            Self::Both => f.write_str("both parties"),
        }
    }
}

/// To whom a party is moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Goal {
    /// One of the tenant's extensions.
    Extension(String),
    /// A number through one of the tenant's gateways; the first where none is named.
    Number {
        number: String,
        #[serde(default)]
        gateway: Option<GatewayName>,
    },
    /// A room of the tenant.
    Room(RoomName),
}
