//! What surrounds a call: the dialplan, the sounds on the disk, and whoever is dialled.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use schemars::JsonSchema;
use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::script::Room;
use crate::base::cause::HangupCause;
use crate::base::digits::Digits;
use crate::base::millis::Millis;

/// One action of a dialplan extension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    pub app: String,
    pub data: Vec<u8>,
}

impl Action {
    pub fn new(app: &str, data: &str) -> Self {
        Self { app: app.to_owned(), data: data.as_bytes().to_vec() }
    }
}

/// Everything that calls share and that no call changes.
#[derive(Debug, Clone)]
pub struct World {
    /// What a new call runs; an action `socket` makes it ask for a connection.
    pub dialplan: Vec<Action>,
    /// Where transfers lead; `*` stands for every extension that is not named.
    pub extensions: BTreeMap<String, Vec<Action>>,
    /// Who answers at a dialled number; `*` stands for all that are not named.
    pub far_ends: BTreeMap<String, FarEnd>,
    /// The gateways that exist; `None`: all do.
    pub gateways: Option<BTreeSet<String>>,
    pub sounds: Sounds,
    /// Every conference room.
    pub room: Room,
}

impl Default for World {
    fn default() -> Self {
        let somewhere = vec![Action::new("sleep", "1000"), Action::new("hangup", "")];
        Self {
            dialplan: vec![Action::new("socket", "127.0.0.1:8084 async full")],
            extensions: BTreeMap::from([("*".to_owned(), somewhere)]),
            far_ends: BTreeMap::new(),
            gateways: None,
            sounds: Sounds::default(),
            room: Room::default(),
        }
    }
}

impl World {
    pub(super) fn far_end(&self, number: &str) -> Option<&FarEnd> {
        self.far_ends.get(number).or_else(|| self.far_ends.get("*"))
    }

    pub(super) fn extension(&self, number: &str) -> Option<&[Action]> {
        self.extensions.get(number).or_else(|| self.extensions.get("*")).map(Vec::as_slice)
    }

    pub(super) fn has_gateway(&self, name: &str) -> bool {
        self.gateways.as_ref().is_none_or(|known| known.contains(name))
    }
}

/// The sounds on the simulated disk and how long they last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sounds {
    /// By path, or by the end of a path.
    pub known: BTreeMap<String, Millis>,
    /// Files that do not exist, by path or by the end of a path.
    pub missing: BTreeSet<String>,
    /// How long every other file lasts; `None`: other files do not exist.
    pub other: Option<Millis>,
    /// Engines that `speak` knows.
    pub engines: BTreeSet<String>,
    /// How long each character lasts that `say` says; zero as if its sounds were not installed.
    pub said_character: Millis,
    /// How long each character lasts that `speak` speaks.
    pub spoken_character: Millis,
}

impl Default for Sounds {
    fn default() -> Self {
        Self {
            known: BTreeMap::new(),
            missing: BTreeSet::new(),
            other: Some(Millis(2_000)),
            engines: BTreeSet::from(["flite".to_owned()]),
            said_character: Millis(400),
            spoken_character: Millis(80),
        }
    }
}

impl Sounds {
    pub(super) fn length(&self, path: &str) -> Option<u64> {
        if self.missing.iter().any(|end| path.ends_with(end.as_str())) {
            return None;
        }
        let named = || self.known.iter().find(|(end, _)| path.ends_with(end.as_str()));
        let known = self.known.get(path).or_else(|| named().map(|(_, length)| length));
        known.copied().or(self.other).map(Millis::ms)
    }
}

/// How a dialled party behaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FarEnd {
    /// Fails at once, or after ringing, with this cause.
    Fails {
        cause: HangupCause,
        after: Millis,
    },
    /// Rings until the caller gives up.
    Rings,
    Answers(Answers),
}

/// A dialled party that answers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Answers {
    /// How long it rings before.
    #[serde(default)]
    pub answer: Millis,
    /// How long it talks before it hangs up; without it, until the caller does.
    #[serde(default)]
    pub talk: Option<Millis>,
    /// The cause with which it hangs up; NORMAL_CLEARING without it.
    #[serde(default)]
    pub cause: Option<HangupCause>,
    /// The keys it presses when it is asked to confirm that a person answered.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pub press: Option<Digits>,
    /// How long after its answer it presses them; one second without it.
    #[serde(default)]
    pub press_after: Option<Millis>,
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    Busy,
    Rejects,
    NoAnswer,
    Unreachable,
    Unallocated,
}

impl From<Outcome> for FarEnd {
    fn from(outcome: Outcome) -> Self {
        let cause = match outcome {
            Outcome::NoAnswer => return Self::Rings,
            Outcome::Busy => HangupCause::UserBusy,
            Outcome::Rejects => HangupCause::CallRejected,
            Outcome::Unreachable => HangupCause::NormalTemporaryFailure,
            Outcome::Unallocated => HangupCause::UnallocatedNumber,
        };
        Self::Fails { cause, after: Millis(0) }
    }
}

impl<'de> Deserialize<'de> for FarEnd {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FarEndVisitor)
    }
}

struct FarEndVisitor;

impl<'de> Visitor<'de> for FarEndVisitor {
    type Value = FarEnd;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`busy`, `no_answer`, … or a map such as `{ answer: 2s, talk: 10s }`")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<FarEnd, E> {
        Outcome::deserialize(StrDeserializer::new(text)).map(FarEnd::from)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<FarEnd, A::Error> {
        Answers::deserialize(MapAccessDeserializer::new(map)).map(FarEnd::Answers)
    }
}

impl JsonSchema for FarEnd {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "FarEnd".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let either = [generator.subschema_for::<Outcome>(), generator.subschema_for::<Answers>()];
        schemars::json_schema!({
            "description": "How a dialled party behaves.",
            "oneOf": either
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_far_end_is_a_word_or_a_map_and_a_wrong_one_is_named() {
        let busy: FarEnd = serde_json::from_str("\"busy\"").unwrap();
        assert!(matches!(busy, FarEnd::Fails { cause: HangupCause::UserBusy, .. }));
        let answers: FarEnd = serde_json::from_str(r#"{"answer":"2s","talk":"10s"}"#).unwrap();
        assert!(matches!(answers, FarEnd::Answers(a) if a.talk == Some(Millis(10_000))));
        let error = serde_json::from_str::<FarEnd>(r#"{"anwser":"2s"}"#).unwrap_err().to_string();
        assert!(error.contains("anwser"), "{error}");
    }

    #[test]
    fn a_sound_is_found_by_the_end_of_its_path() {
        let mut sounds = Sounds { other: None, ..Sounds::default() };
        sounds.known.insert("welcome.wav".to_owned(), Millis(3_000));
        assert_eq!(sounds.length("/sounds/welcome.wav"), Some(3_000));
        assert_eq!(sounds.length("/sounds/other.wav"), None);
    }
}
