//! The flow language: what an author writes, as data. A flow is a graph of named steps; each step
//! is of one kind and leaves by one of that kind's outcomes. Nothing here runs: [`crate::call`]
//! walks the graph.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

pub mod check;
pub mod diff;
pub mod document;
pub mod draw;
pub mod exits;
pub mod expr;
pub mod keys;
pub mod kind;
pub mod monitor;
pub mod nearest;
pub mod park;
pub mod parse;
pub mod problem;
pub mod program;
pub mod prompt;
pub mod recording;
pub mod room;
pub mod schedule;
pub mod schema;
mod secrets;
mod shape;
pub mod talk;
pub mod value;
pub mod visit;
pub mod ways;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::ids::{StepName, VarName};
use crate::base::millis::Millis;

pub use exits::{Exits, Outcome};
pub use kind::{Kind, Step};
#[doc(hidden)]
pub use parse::fuzz as fuzz_parse;
pub use parse::{parse, parse_yaml};
pub use problem::{Problem, Severity};
pub use value::Value;

/// One flow of a tenant, as written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Flow {
    /// The version of this language: 1.
    pub callwright: LanguageVersion,
    /// A title for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The language in which numbers, dates and digits are spoken, such as `en`.
    #[serde(default = "default_language")]
    pub language: String,
    /// An IANA time zone for this flow, such as `Europe/Berlin`; without it the tenant's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// What a calling flow may hand in, with the value each has when it is not handed in.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub arguments: BTreeMap<VarName, Value>,
    /// The flow's own variables and what they begin as.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub variables: BTreeMap<VarName, Value>,
    #[serde(default)]
    pub limits: Limits,
    /// The step with which a call begins.
    pub start: StepName,
    /// Where a call goes when a step fails and has no way out for that, so that no caller hears
    /// silence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<StepName>,
    pub steps: BTreeMap<StepName, Step>,
}

fn default_language() -> String {
    "en".into()
}

/// The one version of the language so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "u32", into = "u32")]
#[schemars(with = "u32")]
pub struct LanguageVersion;

impl TryFrom<u32> for LanguageVersion {
    type Error = String;
    fn try_from(version: u32) -> Result<Self, String> {
        if version == 1 { Ok(Self) } else { Err(format!("version {version} is not known: use 1")) }
    }
}

impl From<LanguageVersion> for u32 {
    fn from(_: LanguageVersion) -> Self {
        1
    }
}

/// Guards that end a call which would otherwise go on for ever. A flow may lower them, not raise
/// them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Steps entered in one call.
    pub steps: u32,
    /// Steps entered without a key pressed by the caller or a second of time gone by.
    pub silent_steps: u32,
    /// How long a call may last, from its first step.
    pub duration: Millis,
    /// Legs dialed in one call.
    pub legs: u32,
    /// Flows called from flows, counting the first.
    pub depth: u32,
}

impl Limits {
    /// The defaults, and what no flow can raise.
    pub const CEILING: Self = Self {
        steps: 1_000,
        silent_steps: 50,
        duration: Millis::seconds(4 * 3_600),
        legs: 50,
        depth: 10,
    };
}

impl Default for Limits {
    fn default() -> Self {
        Self::CEILING
    }
}
