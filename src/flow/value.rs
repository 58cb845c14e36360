//! What a variable of a flow can hold.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};

/// The longest text a variable holds, in bytes; longer ones are cut at a character's edge.
pub const TEXT_MAX: usize = 4_096;

/// Whole numbers up to here are exact in an `f64` (2⁵³).
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

/// A value: a text, a number, yes or no, or nothing. Numbers are always finite.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Value {
    #[default]
    Nothing,
    Bool(bool),
    Number(f64),
    Text(String),
}

impl Value {
    /// A text, cut to [`TEXT_MAX`].
    pub fn text(text: impl Into<String>) -> Self {
        let mut text = text.into();
        cut(&mut text);
        Self::Text(text)
    }

    /// A number, or nothing where it is not finite.
    pub fn number(number: f64) -> Self {
        if number.is_finite() { Self::Number(number) } else { Self::Nothing }
    }

    /// What `if`, `and`, `or` and `not` go by: nothing, no, `0` and the empty text are false.
    pub fn truthy(&self) -> bool {
        match self {
            Self::Nothing => false,
            Self::Bool(yes) => *yes,
            Self::Number(number) => *number != 0.0,
            Self::Text(text) => !text.is_empty(),
        }
    }

    /// The value as it stands in a template: nothing is empty, `1` is `1` and not `1.0`.
    pub fn to_text(&self) -> Cow<'_, str> {
        match self {
            Self::Nothing => Cow::Borrowed(""),
            Self::Bool(true) => Cow::Borrowed("true"),
            Self::Bool(false) => Cow::Borrowed("false"),
            Self::Number(number) => Cow::Owned(written(*number)),
            Self::Text(text) => Cow::Borrowed(text),
        }
    }

    /// The number that it is, or that its text reads as (`12`, `-0.5`; white space around it is no
    /// matter).
    pub fn to_number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(text) => read_number(text),
            Self::Nothing | Self::Bool(_) => None,
        }
    }

    /// A value of a JSON document. A list or object becomes its JSON text.
    pub fn from_json(json: &serde_json::Value) -> Self {
        match json {
            serde_json::Value::Null => Self::Nothing,
            serde_json::Value::Bool(yes) => Self::Bool(*yes),
            serde_json::Value::Number(number) => {
                number.as_f64().map_or(Self::Nothing, Self::number)
            }
            serde_json::Value::String(text) => Self::text(text.as_str()),
            other => Self::text(other.to_string()),
        }
    }

    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Nothing => serde_json::Value::Null,
            Self::Bool(yes) => (*yes).into(),
            Self::Number(number) => match whole(*number) {
                Some(whole) => whole.into(),
                None => (*number).into(),
            },
            Self::Text(text) => text.as_str().into(),
        }
    }

    /// The equality of `==`: like with like by value; a number equals a text that reads as it; yes
    /// and no equal the texts `true` and `false`; nothing equals the empty text. Else they differ.
    pub fn equals(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Number(number), Self::Text(text)) | (Self::Text(text), Self::Number(number)) => {
                read_number(text) == Some(*number)
            }
            (Self::Bool(yes), Self::Text(text)) | (Self::Text(text), Self::Bool(yes)) => {
                text == if *yes { "true" } else { "false" }
            }
            (Self::Nothing, Self::Text(text)) | (Self::Text(text), Self::Nothing) => {
                text.is_empty()
            }
            (one, other) => one == other,
        }
    }

    /// The order of `<`: two texts by their characters; else both as numbers. Values that can't be
    /// ordered have none, and every comparison of them is false.
    pub fn order(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Text(one), Self::Text(other)) => Some(one.cmp(other)),
            (one, other) => one.to_number()?.partial_cmp(&other.to_number()?),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_text())
    }
}

/// Cuts a text to [`TEXT_MAX`] bytes at a character's edge.
pub(crate) fn cut(text: &mut String) {
    text.truncate(text.floor_char_boundary(TEXT_MAX));
}

/// The number that a decimal text reads as; no exponents, no `inf`.
pub(crate) fn read_number(text: &str) -> Option<f64> {
    let text = text.trim();
    let plain = text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'+'));
    let number: f64 = if plain { text.parse().ok()? } else { return None };
    number.is_finite().then_some(number)
}

fn whole(number: f64) -> Option<i64> {
    let exact = number.fract() == 0.0 && number.abs() <= EXACT_MAX;
    #[allow(clippy::cast_possible_truncation, reason = "whole and within 2⁵³")]
    exact.then_some(number as i64)
}

fn written(number: f64) -> String {
    whole(number).map_or_else(|| number.to_string(), |whole| whole.to_string())
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Nothing => serializer.serialize_unit(),
            Self::Bool(yes) => serializer.serialize_bool(*yes),
            Self::Number(number) => match whole(*number) {
                Some(whole) => serializer.serialize_i64(whole),
                None => serializer.serialize_f64(*number),
            },
            Self::Text(text) => serializer.serialize_str(text),
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl Visitor<'_> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, a number, true, false or null")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Nothing)
    }

    fn visit_bool<E>(self, yes: bool) -> Result<Value, E> {
        Ok(Value::Bool(yes))
    }

    #[allow(clippy::cast_precision_loss, reason = "numbers of a flow are f64")]
    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Number(number as f64))
    }

    #[allow(clippy::cast_precision_loss, reason = "numbers of a flow are f64")]
    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(Value::Number(number as f64))
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Value, E> {
        if number.is_finite() {
            Ok(Value::Number(number))
        } else {
            Err(E::custom("a number must be finite"))
        }
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Value, E> {
        if text.len() > TEXT_MAX {
            return Err(E::custom(format_args!("a text holds at most {TEXT_MAX} bytes")));
        }
        Ok(Value::Text(text.to_owned()))
    }
}

impl JsonSchema for Value {
    fn schema_name() -> Cow<'static, str> {
        "Value".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["string", "number", "boolean", "null"],
            "maxLength": TEXT_MAX,
            "description": "a text, a number, true, false or null"
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::text(text)
    }

    #[test]
    fn a_whole_number_is_written_without_a_point() {
        for (number, expected) in
            [(1.0, "1"), (-0.0, "0"), (0.5, "0.5"), (1e15, "1000000000000000")]
        {
            assert_eq!(Value::Number(number).to_text(), expected);
        }
        assert_eq!(serde_json::to_string(&Value::Number(3.0)).unwrap(), "3");
    }

    #[test]
    fn equality_across_types_is_by_what_an_author_means() {
        assert!(text("007").equals(&Value::Number(7.0)));
        assert!(!text("007").equals(&text("7")));
        assert!(text("true").equals(&Value::Bool(true)));
        assert!(Value::Nothing.equals(&text("")));
        assert!(!Value::Nothing.equals(&Value::Number(0.0)));
        assert!(!Value::Bool(true).equals(&Value::Number(1.0)));
    }

    #[test]
    fn texts_are_ordered_by_character_and_numbers_by_size() {
        assert_eq!(text("10").order(&text("9")), Some(Ordering::Less));
        assert_eq!(text("10").order(&Value::Number(9.0)), Some(Ordering::Greater));
        assert_eq!(text("x").order(&Value::Number(9.0)), None);
        assert_eq!(Value::Nothing.order(&Value::Number(9.0)), None);
    }

    #[test]
    fn only_plain_decimals_read_as_numbers() {
        for (written, number) in [(" 12 ", 12.0), ("-0.5", -0.5), ("+4", 4.0)] {
            assert_eq!(text(written).to_number(), Some(number), "{written}");
        }
        for written in ["", "inf", "NaN", "1e5", "0x10", "1,5", "12a", &"9".repeat(400)] {
            assert_eq!(text(written).to_number(), None, "{written}");
        }
    }

    #[test]
    fn a_long_text_is_cut_at_a_characters_edge() {
        let Value::Text(cut) = Value::text("ä".repeat(TEXT_MAX) + "x") else { unreachable!() };
        assert_eq!(cut.len(), TEXT_MAX);
        let Value::Text(cut) = Value::text(format!("x{}", "ä".repeat(TEXT_MAX))) else {
            unreachable!()
        };
        assert_eq!(cut.len(), TEXT_MAX - 1);
    }

    #[test]
    fn a_value_is_read_from_json_and_anything_else_is_refused_in_words() {
        let value: Value = serde_json::from_str("3").unwrap();
        assert_eq!(value, Value::Number(3.0));
        let error = serde_json::from_str::<Value>("[1]").unwrap_err().to_string();
        assert!(error.contains("a text, a number, true, false or null"), "{error}");
        let json: serde_json::Value = serde_json::json!({"a": [1]});
        assert_eq!(Value::from_json(&json), text("{\"a\":[1]}"));
    }
}
