//! `dial`: another party is called and joined to the caller.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::de::{Deserializer, Error as _};
use serde::{Deserialize, Serialize};

use crate::base::digits::Digits;
use crate::base::ids::{GatewayName, PromptName, StepName, VarName};
use crate::base::millis::Millis;
use crate::flow::Exits;
use crate::flow::expr::Template;

/// Dials targets and joins the first that answers to the caller. `next` is taken when the far end
/// hangs up after a conversation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Dial {
    /// One to twenty.
    pub targets: Vec<Target>,
    #[serde(default)]
    pub strategy: Strategy,
    /// How long it rings: in all for `all`, for each target in the other strategies.
    #[serde(default = "ring_for")]
    pub timeout: Millis,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller_id: Option<CallerId>,
    /// What the caller hears while it rings.
    #[serde(default)]
    pub ringback: Ringback,
    /// The conversation is ended after this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_limit: Option<Millis>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accept: Option<Accept>,
    /// A key with which the caller gives up while it rings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub cancel_key: Option<Digits>,
    /// Whether the conversation is recorded; without this key as the tenant has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<bool>,
    /// Which parties are the tenant's own, so that they may use its key codes while they talk. Left
    /// out: the target, where it is an extension.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inside: Option<BTreeSet<Inside>>,
    /// The variable that takes which target answered: 1, 2, ….
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered_by: Option<VarName>,
    pub next: StepName,
    #[serde(default, skip_serializing_if = "Exits::is_empty")]
    pub on: Exits,
}

const fn ring_for() -> Millis {
    Millis::seconds(30)
}

/// Whom to dial.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Target {
    #[serde(flatten)]
    pub to: Address,
    /// `all`: this target begins to ring so much later.
    #[schemars(default)]
    pub delay: Millis,
    /// Another ring time than the step's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Millis>,
}

impl Target {
    /// What says where it is.
    pub const fn template(&self) -> &Template {
        match &self.to {
            Address::Extension { extension } => extension,
            Address::Number { number, .. } => number,
            Address::Sip { sip } => sip,
        }
    }
}

impl<'de> Deserialize<'de> for Target {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        WrittenTarget::deserialize(deserializer)?.try_into().map_err(D::Error::custom)
    }
}

/// Every key that a target may have; which go together is told in words.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenTarget {
    extension: Option<Template>,
    number: Option<Template>,
    gateway: Option<GatewayName>,
    sip: Option<Template>,
    #[serde(default)]
    delay: Millis,
    timeout: Option<Millis>,
}

impl TryFrom<WrittenTarget> for Target {
    type Error = &'static str;
    fn try_from(written: WrittenTarget) -> Result<Self, &'static str> {
        let WrittenTarget { extension, number, gateway, sip, delay, timeout } = written;
        let to = match (extension, number, gateway, sip) {
            (Some(extension), None, None, None) => Address::Extension { extension },
            (None, Some(number), gateway, None) => Address::Number { number, gateway },
            (None, None, None, Some(sip)) => Address::Sip { sip },
            (None, None, Some(_), None) => {
                return Err("a `gateway` needs the `number` that is dialed through it");
            }
            _ => {
                return Err("a target is one of `extension`, `number` and `sip`");
            }
        };
        Ok(Self { to, delay, timeout })
    }
}

/// Where a target is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Address {
    /// A user of the tenant's domain.
    Extension { extension: Template },
    /// A number, through one of the tenant's gateways; without one, as the tenant's routes say.
    Number {
        number: Template,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        gateway: Option<GatewayName>,
    },
    /// A SIP address (`user@host`) at a host that the operator allows.
    Sip { sip: Template },
}

/// A party of a dialed conversation.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Inside {
    Caller,
    Target,
}

/// In which order targets ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// All at once.
    #[default]
    All,
    /// One after another, each alone.
    InTurn,
    /// One after another, but only past targets that are busy or can't be reached: one that rings
    /// unanswered or declines ends the step.
    Rollover,
}

/// What the far end sees.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CallerId {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Template>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<Template>,
}

/// What the caller hears while targets ring.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Ringback {
    /// A ringing tone.
    #[default]
    Tone,
    /// What the far end's network sends, or silence.
    EarlyMedia,
    /// The tenant's music, or a ringing tone where it has none.
    Music,
    /// One of the tenant's prompts, again and again.
    Prompt(PromptName),
}

/// The far end must press a key before it is joined, so that no answering machine takes the call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Accept {
    /// What the far end hears: one of the tenant's prompts.
    pub prompt: PromptName,
    #[serde(default = "key_one")]
    #[schemars(with = "String", regex(pattern = "^[0-9*#A-D]$"))]
    pub key: Digits,
    /// How long it may think.
    #[serde(default = "accept_for")]
    pub timeout: Millis,
}

const fn accept_for() -> Millis {
    Millis::seconds(10)
}

#[allow(clippy::unwrap_used, reason = "`1` is a key")]
fn key_one() -> Digits {
    "1".parse().unwrap()
}
