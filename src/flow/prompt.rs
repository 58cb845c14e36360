//! What a caller is made to hear.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::expr::Template;
use crate::base::ids::PromptName;
use crate::base::millis::Millis;

/// One thing to play. A plain string is the name of one of the tenant's prompts.
///
/// There is no way to name a file: a tenant's text never becomes a path.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Prompt {
    Named(PromptName),
    Tone(TonePrompt),
    Silence(SilencePrompt),
    Say(SayPrompt),
    Speak(SpeakPrompt),
}

/// A tone, made by FreeSWITCH's teletone generator.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TonePrompt {
    /// One to four frequencies in Hz that sound together.
    pub tone: Vec<u16>,
    #[serde(default = "tone_on")]
    pub on: Millis,
    #[serde(default)]
    pub off: Millis,
    /// How often, 1 to 100.
    #[serde(default = "one")]
    pub times: u8,
}

fn tone_on() -> Millis {
    Millis(400)
}

const fn one() -> u8 {
    1
}

/// A pause.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SilencePrompt {
    pub silence: Millis,
}

/// A value spoken with FreeSWITCH's recorded words (`say`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SayPrompt {
    pub say: Template,
    #[serde(rename = "as", default)]
    pub kind: SayKind,
    /// Another language than the flow's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
}

/// How a value is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SayKind {
    /// `1234` as one thousand two hundred thirty-four.
    #[default]
    Number,
    /// `1234` as one two three four.
    Digits,
    /// Letters, digits and signs one by one.
    Spelled,
    /// A date, `2026-11-22` or RFC 3339.
    Date,
    /// A time of day, `14:30` or RFC 3339.
    Time,
    /// An amount such as `12.50`.
    Money,
}

/// Text to speech, where an engine is configured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SpeakPrompt {
    pub speak: Template,
    /// A voice of the configured engine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voice: Option<String>,
}
