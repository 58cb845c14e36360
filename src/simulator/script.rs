//! A caller's script, in YAML or JSON: whom it calls, who answers where, what it does and what it
//! expects.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Deserialize;

use super::profile::Call;
use super::world::{FarEnd, Sounds, World};
use crate::base::cause::HangupCause;
use crate::base::digits::Digits;
use crate::base::millis::Millis;

/// Longest script, in bytes and in steps.
const MAX_SCRIPT: usize = 256 * 1024;
const MAX_STEPS: usize = 1_000;
/// How long a caller waits for what it expects, unless its script says otherwise.
const PATIENCE: Millis = Millis(30_000);

/// What one simulated caller does.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// The number that is called.
    pub dial: String,
    #[serde(default)]
    pub from: From,
    /// Who answers at which number; `*` stands for all others.
    #[serde(default)]
    pub far_ends: BTreeMap<String, FarEnd>,
    /// The gateways that exist; without it, all that are asked for.
    #[serde(default)]
    pub gateways: Option<BTreeSet<String>>,
    /// How long a sound lasts, by the end of its path; other sounds last two seconds.
    #[serde(default)]
    pub sounds: BTreeMap<String, Millis>,
    /// Sounds that are not there, by the end of their path.
    #[serde(default)]
    pub missing_sounds: BTreeSet<String>,
    /// Channel variables that the dialplan has set.
    #[serde(default)]
    pub variables: BTreeMap<String, String>,
    /// Date and time at which the call begins: `2026-11-22T10:00:00+01:00[Europe/Berlin]`.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub at: Option<jiff::Zoned>,
    /// Answers to http steps, by the beginning of the URL.
    #[serde(default)]
    pub http: BTreeMap<String, HttpAnswer>,
    /// How conference rooms are when the caller comes.
    #[serde(default)]
    pub room: Room,
    /// How waiting lines are when the caller comes.
    #[serde(default)]
    pub queue: Line,
    /// How long the caller waits for what it expects.
    #[serde(default)]
    pub patience: Option<Millis>,
    #[serde(default)]
    pub steps: Vec<Step>,
}

/// Who calls.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct From {
    pub number: String,
    /// As the phone shows it; the number without it.
    #[serde(default)]
    pub name: Option<String>,
}

impl Default for From {
    fn default() -> Self {
        Self { number: "+15550123".to_owned(), name: None }
    }
}

/// How conference rooms are when the caller comes, and what becomes of the caller there.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Room {
    pub locked: bool,
    /// How many are in it.
    pub members: u32,
    /// Another FreeSWITCH has the room.
    pub elsewhere: Option<String>,
    /// The caller is taken out of it after so long.
    pub kicked_after: Option<Millis>,
    /// It is over after so long.
    pub ends_after: Option<Millis>,
}

impl Room {
    /// Whether one more may join who says nothing about it.
    pub(super) const fn lets_in(&self) -> bool {
        !self.locked
    }
}

/// How a waiting line is when the caller comes, and how it goes on.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Line {
    /// As many wait as may.
    pub full: bool,
    /// How many wait before the caller.
    pub ahead: u32,
    /// How often one of them has its turn.
    pub each: Millis,
}

impl Default for Line {
    fn default() -> Self {
        Self { full: false, ahead: 0, each: Millis::seconds(15) }
    }
}

/// What an http request gets instead of an answer from the network.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HttpAnswer {
    #[serde(default = "ok_status")]
    pub status: u16,
    #[serde(default)]
    pub json: Option<serde_json::Value>,
    #[serde(default)]
    pub body: Option<String>,
    /// How long the answer takes.
    #[serde(default)]
    pub after: Millis,
}

const fn ok_status() -> u16 {
    200
}

/// One thing the caller does or waits for.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Waits until a sound begins: a prompt's name, the end of a path, or a part of it.
    Hear(String),
    /// Presses keys one after another.
    Press(#[schemars(with = "String")] Digits),
    Wait(Millis),
    /// Talks for so long from now on; otherwise the caller is silent.
    Talk(Millis),
    Expect(Expect),
    Hangup,
}

/// What the caller expects to have happened, now or soon. Everything that is named must be so.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// The flow has entered this step.
    #[serde(default)]
    pub step: Option<String>,
    #[serde(default)]
    pub answered: Option<bool>,
    /// The caller talks, or talked, to the far end at this number.
    #[serde(default)]
    pub bridged: Option<String>,
    /// The call went to this extension of the dialplan.
    #[serde(default)]
    pub transferred: Option<String>,
    /// The controller gave the call back to the dialplan.
    #[serde(default)]
    pub released: Option<bool>,
    #[serde(default)]
    pub recorded: Option<bool>,
    #[serde(default)]
    pub ended: Option<ExpectEnd>,
    /// Channel variables and their values.
    #[serde(default)]
    pub variables: BTreeMap<String, String>,
}

/// How the call should have ended.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExpectEnd {
    #[serde(default)]
    pub cause: Option<HangupCause>,
}

/// Why a text is not a script.
#[derive(Debug, thiserror::Error)]
pub enum ScriptError {
    #[error("the script is longer than {MAX_SCRIPT} bytes")]
    TooLong,
    #[error("steps: a script has at most {MAX_STEPS} steps")]
    TooManySteps,
    #[error("not YAML: {0}")]
    Yaml(String),
    #[error("not JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error("{path}: {message}")]
    Shape { path: String, message: String },
}

impl Script {
    /// Somebody who calls this number, and only waits.
    pub fn to(dial: &str) -> Self {
        Self {
            dial: dial.to_owned(),
            from: From::default(),
            far_ends: BTreeMap::new(),
            gateways: None,
            sounds: BTreeMap::new(),
            missing_sounds: BTreeSet::new(),
            variables: BTreeMap::new(),
            at: None,
            http: BTreeMap::new(),
            room: Room::default(),
            queue: Line::default(),
            patience: None,
            steps: Vec::new(),
        }
    }

    /// Reads YAML, of which JSON is a part.
    pub fn from_yaml(text: &str) -> Result<Self, ScriptError> {
        check_length(text)?;
        let mut options = serde_saphyr::Options::default();
        options.strict_booleans = true;
        let value = serde_saphyr::from_str_with_options::<serde_json::Value>(text, options);
        Self::from_value(value.map_err(|error| ScriptError::Yaml(error.to_string()))?)
    }

    pub fn from_json(text: &str) -> Result<Self, ScriptError> {
        check_length(text)?;
        Self::from_value(serde_json::from_str(text)?)
    }

    fn from_value(value: serde_json::Value) -> Result<Self, ScriptError> {
        let script: Self =
            serde_path_to_error::deserialize(value).map_err(|error| ScriptError::Shape {
                path: error.path().to_string(),
                message: error.inner().to_string(),
            })?;
        if script.steps.len() > MAX_STEPS {
            return Err(ScriptError::TooManySteps);
        }
        Ok(script)
    }

    /// The JSON Schema of scripts.
    pub fn schema() -> schemars::Schema {
        schemars::schema_for!(Self)
    }

    pub fn patience(&self) -> Millis {
        self.patience.unwrap_or(PATIENCE)
    }

    /// The call that this script makes; `uuid` is its identity on the switch.
    pub fn call(&self, uuid: &str) -> Call {
        let mut call = Call::new(uuid, &self.from.number, &self.dial);
        if let Some(name) = &self.from.name {
            call.caller_name = name.clone().into_bytes();
        }
        let variables = self.variables.iter();
        call.variables = variables.map(|(n, v)| (n.clone(), v.clone().into_bytes())).collect();
        call
    }

    /// What surrounds the call; its dialplan is one `socket` action.
    pub fn world(&self) -> World {
        let sounds = Sounds {
            known: self.sounds.clone(),
            missing: self.missing_sounds.clone(),
            ..Sounds::default()
        };
        World {
            far_ends: self.far_ends.clone(),
            gateways: self.gateways.clone(),
            sounds,
            room: self.room.clone(),
            ..World::default()
        }
    }
}

const fn check_length(text: &str) -> Result<(), ScriptError> {
    if text.len() > MAX_SCRIPT { Err(ScriptError::TooLong) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = r#"
dial: "+15550100"
from: { number: "+15550123", name: "Ann" }
far_ends: { "1001": { answer: 2s, talk: 10s }, "*": busy }
at: "2026-11-22T10:00:00+01:00[Europe/Berlin]"
http: { "https://x/": { status: 200, json: { open: true } } }
steps:
  - hear: welcome
  - press: "2"
  - wait: 3s
  - expect: { step: sales, ended: { cause: NORMAL_CLEARING } }
  - hangup
"#;

    #[test]
    fn a_script_is_read_from_yaml() {
        let script = Script::from_yaml(EXAMPLE).unwrap();
        assert_eq!(script.steps.len(), 5);
        assert!(matches!(script.steps[4], Step::Hangup));
        assert_eq!(script.at.unwrap().time_zone().iana_name(), Some("Europe/Berlin"));
    }

    #[test]
    fn yes_and_no_in_a_script_are_texts() {
        for word in ["y", "n", "yes", "no", "on", "off"] {
            let text = format!("dial: {word}\nsteps: [{{ hear: {word} }}]");
            let script = Script::from_yaml(&text).unwrap();
            assert_eq!(script.dial, word);
            assert!(matches!(&script.steps[0], Step::Hear(heard) if heard == word), "{word}");
        }
    }

    #[test]
    fn an_unknown_key_or_a_wrong_value_is_told_with_its_path() {
        for (wrong, path) in [
            (EXAMPLE.replace("talk: 10s", "tlak: 10s"), "far_ends.1001"),
            (EXAMPLE.replace("press: \"2\"", "press: \"x\""), "steps[1].press"),
            (EXAMPLE.replace("step: sales", "stp: sales"), "steps[3].expect.stp"),
            (EXAMPLE.replace("wait: 3s", "wait: 3"), "steps[2].wait"),
            (EXAMPLE.replace("dial:", "dail:"), "dail"),
        ] {
            let error = Script::from_yaml(&wrong).unwrap_err().to_string();
            assert!(error.starts_with(path), "{error}");
        }
    }

    #[test]
    fn the_schema_names_every_step() {
        let schema = serde_json::to_string(&Script::schema()).unwrap();
        for word in ["hear", "press", "hangup", "far_ends", "no_answer"] {
            assert!(schema.contains(&format!("\"{word}\"")), "{word}");
        }
    }
}
