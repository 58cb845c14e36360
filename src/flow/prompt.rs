//! What a caller is made to hear.

use std::fmt;

use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};

use super::expr::Template;
use crate::base::ids::PromptName;
use crate::base::millis::Millis;

/// One thing to play. A plain string is the name of one of the tenant's prompts.
///
/// There is no way to name a file: a tenant's text never becomes a path.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Prompt {
    Named(PromptName),
    Tone(TonePrompt),
    Silence(SilencePrompt),
    Say(SayPrompt),
    Speak(SpeakPrompt),
}

/// A tone, made by FreeSWITCH's teletone generator.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct TonePrompt {
    /// One to four frequencies in Hz that sound together.
    pub tone: Vec<u16>,
    #[schemars(default = "tone_on")]
    pub on: Millis,
    #[schemars(default)]
    pub off: Millis,
    /// How often, 1 to 100.
    #[schemars(default = "one")]
    pub times: u8,
}

fn tone_on() -> Millis {
    Millis(400)
}

const fn one() -> u8 {
    1
}

/// A pause.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct SilencePrompt {
    pub silence: Millis,
}

/// A value spoken with FreeSWITCH's recorded words (`say`).
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct SayPrompt {
    pub say: Template,
    #[serde(rename = "as")]
    #[schemars(default)]
    pub kind: SayKind,
    /// Another language than the flow's.
    #[serde(skip_serializing_if = "Option::is_none")]
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

impl SayKind {
    pub const ALL: [Self; 6] =
        [Self::Number, Self::Digits, Self::Spelled, Self::Date, Self::Time, Self::Money];

    /// As it is written.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Number => "number",
            Self::Digits => "digits",
            Self::Spelled => "spelled",
            Self::Date => "date",
            Self::Time => "time",
            Self::Money => "money",
        }
    }
}

/// Text to speech, where an engine is configured.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct SpeakPrompt {
    pub speak: Template,
    /// A voice of the configured engine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub voice: Option<String>,
}

/// Every key that an object may have; read by hand so that what is wrong can be said.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    tone: Option<Vec<u16>>,
    on: Option<Millis>,
    off: Option<Millis>,
    times: Option<u8>,
    silence: Option<Millis>,
    say: Option<Template>,
    #[serde(rename = "as")]
    kind: Option<SayKind>,
    language: Option<String>,
    speak: Option<Template>,
    voice: Option<String>,
}

impl Written {
    /// The keys that are there and belong to none of `allowed`.
    fn strange(&self, allowed: &[&str]) -> Result<(), String> {
        let there = [
            ("tone", self.tone.is_some()),
            ("on", self.on.is_some()),
            ("off", self.off.is_some()),
            ("times", self.times.is_some()),
            ("silence", self.silence.is_some()),
            ("say", self.say.is_some()),
            ("as", self.kind.is_some()),
            ("language", self.language.is_some()),
            ("speak", self.speak.is_some()),
            ("voice", self.voice.is_some()),
        ];
        match there.iter().find(|(key, there)| *there && !allowed.contains(key)) {
            Some((key, _)) => Err(format!(
                "`{key}` does not go with `{}`; possible beside it: {}",
                allowed[0],
                if allowed.len() > 1 { allowed[1..].join(", ") } else { "nothing".to_owned() }
            )),
            None => Ok(()),
        }
    }
}

impl TryFrom<Written> for Prompt {
    type Error = String;
    fn try_from(written: Written) -> Result<Self, String> {
        if written.tone.is_some() {
            written.strange(&["tone", "on", "off", "times"])?;
        } else if written.silence.is_some() {
            written.strange(&["silence"])?;
        } else if written.say.is_some() {
            written.strange(&["say", "as", "language"])?;
        } else if written.speak.is_some() {
            written.strange(&["speak", "voice"])?;
        }
        match written {
            Written { tone: Some(tone), on, off, times, .. } => Ok(Self::Tone(TonePrompt {
                tone,
                on: on.unwrap_or_else(tone_on),
                off: off.unwrap_or_default(),
                times: times.unwrap_or_else(one),
            })),
            Written { silence: Some(silence), .. } => Ok(Self::Silence(SilencePrompt { silence })),
            Written { say: Some(say), kind, language, .. } => {
                Ok(Self::Say(SayPrompt { say, kind: kind.unwrap_or_default(), language }))
            }
            Written { speak: Some(speak), voice, .. } => {
                Ok(Self::Speak(SpeakPrompt { speak, voice }))
            }
            _ => Err("one of `tone`, `silence`, `say` and `speak` is needed here".to_owned()),
        }
    }
}

impl<'de> Deserialize<'de> for Prompt {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PromptVisitor)
    }
}

struct PromptVisitor;

impl<'de> Visitor<'de> for PromptVisitor {
    type Value = Prompt;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a prompt (its name, or an object with `tone`, `silence`, `say` or `speak`)")
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Prompt, E> {
        name.parse().map(Prompt::Named).map_err(E::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Prompt, A::Error> {
        let written = Written::deserialize(MapAccessDeserializer::new(map))?;
        written.try_into().map_err(serde::de::Error::custom)
    }
}
