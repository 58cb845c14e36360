//! Identities. Each kind is a type of its own, so that one can't be passed for another.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Why a text is not a valid name or identity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a valid {what}: {expected}")]
pub struct IdError {
    what: &'static str,
    text: String,
    expected: &'static str,
}

impl IdError {
    fn new(what: &'static str, text: &str, expected: &'static str) -> Self {
        Self { what, text: text.chars().take(80).collect(), expected }
    }
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
            JsonSchema,
        )]
        #[serde(transparent)]
        #[schemars(inline)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Uuid::parse_str(text)
                    .map(Self)
                    .map_err(|_| IdError::new($what, text, "expected a UUID"))
            }
        }
    };
}

uuid_id!(
    /// A tenant: a customer of the phone system. Every lookup in the store takes one.
    TenantId,
    "tenant id"
);
uuid_id!(
    /// One conversation, from its first leg to its last hang-up; ours, not FreeSWITCH's.
    CallId,
    "call id"
);
uuid_id!(
    /// A recording; its file in FreeSWITCH's spool has it as a name.
    RecordingId,
    "recording id"
);

impl RecordingId {
    /// The id of a call's recording of this number, from 1 on: every process that runs the call
    /// finds the same.
    pub fn nth(call: CallId, number: u32) -> Self {
        // An odd factor keeps apart what is apart; the first 8 bytes are a time and the version.
        let mixed = number.wrapping_mul(0x9e37_79b1).to_be_bytes();
        let mut bytes = *call.0.as_bytes();
        bytes[12..].iter_mut().zip(mixed).for_each(|(byte, other)| *byte ^= other);
        Self(Uuid::from_bytes(bytes))
    }
}

uuid_id!(
    /// One process of ours, from its start to its end.
    InstanceId,
    "instance id"
);
uuid_id!(
    /// One run of FreeSWITCH, from its start to its end.
    CoreId,
    "Core-UUID"
);
uuid_id!(
    /// A flow of a tenant, all its versions together.
    FlowId,
    "flow id"
);
uuid_id!(
    /// One session of somebody who listened in.
    AuditId,
    "audit id"
);
uuid_id!(
    /// A tenant's account at a SIP provider.
    GatewayId,
    "gateway id"
);
uuid_id!(
    /// A tenant's phone that registers.
    ExtensionId,
    "extension id"
);
uuid_id!(
    /// An entry of a tenant's blocked callers.
    BlockId,
    "id of a blocked caller"
);
uuid_id!(
    /// A key of the HTTP API.
    ApiKeyId,
    "API key id"
);
uuid_id!(
    /// Somebody who works with a tenant's phone system.
    UserId,
    "user id"
);
uuid_id!(
    /// A token for the HTTP API, minted with a key.
    TokenId,
    "token id"
);
uuid_id!(
    /// A tenant's webhook.
    WebhookId,
    "webhook id"
);
uuid_id!(
    /// What a webhook is to be sent, or was.
    DeliveryId,
    "delivery id"
);
uuid_id!(
    /// A secret with which a webhook signs.
    WebhookSecretId,
    "id of a webhook's secret"
);

macro_rules! name {
    (
        $(#[$doc:meta])* $name:ident, $what:literal, $expected:literal, $max:literal,
        $first:expr, $rest:expr, $pattern:literal
    ) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(try_from = "String", into = "String")]
        #[schemars(extend("pattern" = $pattern))]
        pub struct $name(String);

        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                let first: fn(u8) -> bool = $first;
                let rest: fn(u8) -> bool = $rest;
                let well_formed = text.len() <= $max
                    && text.bytes().next().is_some_and(first)
                    && text.bytes().skip(1).all(rest);
                if well_formed {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(IdError::new($what, text, $expected))
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", self.0)
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

fn slug_first(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit()
}

fn slug_rest(byte: u8) -> bool {
    slug_first(byte) || byte == b'-' || byte == b'_'
}

name!(
    /// A tenant's short name, unlike any other's.
    TenantSlug,
    "tenant slug",
    "1 to 63 lower-case letters, digits, `-` or `_`, beginning with a letter or digit",
    63,
    slug_first,
    slug_rest,
    "^[a-z0-9][a-z0-9_-]{0,62}$"
);
name!(
    /// A flow's name within its tenant.
    FlowName,
    "flow name",
    "1 to 63 lower-case letters, digits, `-` or `_`, beginning with a letter or digit",
    63,
    slug_first,
    slug_rest,
    "^[a-z0-9][a-z0-9_-]{0,62}$"
);
impl FlowName {
    /// What stands in a flow's place, with version 0, where a call has none.
    pub fn none() -> Self {
        Self("none".into())
    }
}

name!(
    /// A step's name within its flow.
    StepName,
    "step name",
    "1 to 63 lower-case letters, digits, `-` or `_`, beginning with a letter or digit",
    63,
    slug_first,
    slug_rest,
    "^[a-z0-9][a-z0-9_-]{0,62}$"
);
name!(
    /// A prompt's name within its tenant.
    PromptName,
    "prompt name",
    "1 to 63 lower-case letters, digits, `-` or `_`, beginning with a letter or digit",
    63,
    slug_first,
    slug_rest,
    "^[a-z0-9][a-z0-9_-]{0,62}$"
);
name!(
    /// An outbound route's name within its tenant.
    RouteName,
    "route name",
    "1 to 63 lower-case letters, digits, `-` or `_`, beginning with a letter or digit",
    63,
    slug_first,
    slug_rest,
    "^[a-z0-9][a-z0-9_-]{0,62}$"
);
name!(
    /// A conference room's name within its tenant.
    RoomName,
    "room name",
    "1 to 63 lower-case letters, digits, `-` or `_`, beginning with a letter or digit",
    63,
    slug_first,
    slug_rest,
    "^[a-z0-9][a-z0-9_-]{0,62}$"
);
name!(
    /// A waiting line's name within its tenant.
    QueueName,
    "queue name",
    "1 to 63 lower-case letters, digits, `-` or `_`, beginning with a letter or digit",
    63,
    slug_first,
    slug_rest,
    "^[a-z0-9][a-z0-9_-]{0,62}$"
);
name!(
    /// A schedule's name within its tenant.
    ScheduleName,
    "schedule name",
    "1 to 63 lower-case letters, digits, `-` or `_`, beginning with a letter or digit",
    63,
    slug_first,
    slug_rest,
    "^[a-z0-9][a-z0-9_-]{0,62}$"
);
name!(
    /// A webhook's name within its tenant.
    WebhookName,
    "webhook name",
    "1 to 63 lower-case letters, digits, `-` or `_`, beginning with a letter or digit",
    63,
    slug_first,
    slug_rest,
    "^[a-z0-9][a-z0-9_-]{0,62}$"
);
name!(
    /// A user's name within its tenant; it may be a mail address.
    UserName,
    "user name",
    "1 to 127 letters, digits, `.`, `_`, `-`, `+` or `@`, beginning with a letter or digit",
    127,
    |b| b.is_ascii_alphanumeric(),
    |b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'+' | b'@'),
    "^[A-Za-z0-9][A-Za-z0-9._+@-]{0,126}$"
);
name!(
    /// A variable of a flow.
    VarName,
    "variable name",
    "1 to 63 lower-case letters, digits or `_`, beginning with a letter",
    63,
    |b| b.is_ascii_lowercase(),
    |b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_',
    "^[a-z][a-z0-9_]{0,62}$"
);
name!(
    /// A Sofia gateway's name: one global name space in FreeSWITCH (mod_sofia sofia.c,
    /// parse_gateways).
    GatewayName,
    "gateway name",
    "1 to 63 letters, digits, `_`, `.` or `-`",
    63,
    |b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'),
    |b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'),
    "^[A-Za-z0-9_.-]{1,63}$"
);
name!(
    /// FreeSWITCH's identity of a channel: a UUID unless a dial string chose another text.
    ChannelId,
    "channel id",
    "1 to 64 letters, digits, `_`, `.` or `-`",
    64,
    |b| b.is_ascii_alphanumeric(),
    |b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'),
    "^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_anything_unusual_is_refused_and_said_so() {
        for text in ["", "A", "-a", "a b", "a\n", "ä", &"a".repeat(64)] {
            assert!(text.parse::<StepName>().is_err(), "{text:?}");
        }
        let error = "Acme2".parse::<TenantSlug>().unwrap_err().to_string();
        assert!(error.contains("`Acme2` is not a valid tenant slug"), "{error}");
        let error = "no spaces".parse::<StepName>().unwrap_err().to_string();
        assert!(error.contains("`no spaces` is not a valid step name"), "{error}");
    }

    #[test]
    fn a_calls_recordings_have_ids_of_their_own_and_always_the_same() {
        let call = CallId(Uuid::from_u128(0x0199_a1b2_c3d4_7abc_8def_0123_4567_89ab));
        let ids: std::collections::BTreeSet<_> =
            (1..=1_000).map(|number| RecordingId::nth(call, number)).collect();
        assert_eq!(ids.len(), 1_000);
        assert!(!ids.contains(&RecordingId(call.0)));
        assert!(ids.iter().all(|id| id.0.get_version_num() == 7));
        assert_eq!(RecordingId::nth(call, 7), RecordingId::nth(call, 7));
    }

    #[test]
    fn a_name_is_a_plain_string_in_json() {
        let name: FlowName = serde_json::from_str("\"front-desk\"").unwrap();
        assert_eq!(serde_json::to_string(&name).unwrap(), "\"front-desk\"");
        assert!(serde_json::from_str::<FlowName>("\"Front desk\"").is_err());
    }
}
