//! A JSON or YAML document as a tree, with every key that stands twice.

use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::problem::Problem;

/// Longest document, in bytes.
pub const DOCUMENT_MAX: usize = 512 * 1_024;

/// Most problems that are told of one document.
pub const PROBLEMS_MAX: usize = 200;

/// Reads JSON. Duplicate keys are problems beside the tree; the first of them counts.
pub(super) fn json(bytes: &[u8]) -> Result<(Value, Vec<Problem>), Problem> {
    fits(bytes)?;
    let doubles = RefCell::default();
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let tree = Seed { path: String::new(), doubles: &doubles }
        .deserialize(&mut reader)
        .and_then(|tree| reader.end().map(|()| tree))
        .map_err(|error| Problem::error("", "not-json", format!("this is not JSON: {error}")))?;
    Ok((tree, doubles.into_inner()))
}

/// Reads YAML; a key that stands twice makes it no YAML.
pub(super) fn yaml(bytes: &[u8]) -> Result<(Value, Vec<Problem>), Problem> {
    fits(bytes)?;
    let doubles = RefCell::default();
    let mut options = serde_saphyr::Options::default();
    options.with_snippet = false;
    options.strict_booleans = true;
    let seed = Seed { path: String::new(), doubles: &doubles };
    let tree = serde_saphyr::with_deserializer_from_slice_with_options(bytes, options, |reader| {
        seed.deserialize(reader)
    })
    .map_err(|error| Problem::error("", "not-yaml", format!("this is not YAML: {error}")))?;
    Ok((tree, doubles.into_inner()))
}

fn fits(bytes: &[u8]) -> Result<(), Problem> {
    if bytes.len() > DOCUMENT_MAX {
        let message = format!("a flow has at most {DOCUMENT_MAX} bytes; this has {}", bytes.len());
        return Err(Problem::error("", "too-big", message)
            .hint("move parts of it into flows of their own".to_owned()));
    }
    Ok(())
}

/// The path of `key` below `path`.
pub(super) fn below(path: &str, key: impl fmt::Display) -> String {
    if path.is_empty() { key.to_string() } else { format!("{path}.{key}") }
}

struct Seed<'a> {
    path: String,
    doubles: &'a RefCell<Vec<Problem>>,
}

impl Seed<'_> {
    fn below(&self, key: impl fmt::Display) -> Self {
        Self { path: below(&self.path, key), doubles: self.doubles }
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Value;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, a number, true, false, null, a list or an object")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, yes: bool) -> Result<Value, E> {
        Ok(yes.into())
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Value, E> {
        serde_json::Number::from_f64(number)
            .map(Value::Number)
            .ok_or_else(|| E::custom("a number must be finite"))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut out = Vec::new();
        while let Some(item) = list.next_element_seed(self.below(out.len()))? {
            out.push(item);
        }
        Ok(Value::Array(out))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut out = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            let inner = self.below(&key);
            let path = inner.path.clone();
            let value = map.next_value_seed(inner)?;
            if out.contains_key(&key) {
                let mut doubles = self.doubles.borrow_mut();
                if doubles.len() >= PROBLEMS_MAX {
                    return Err(A::Error::custom("too many keys stand twice"));
                }
                let message = format!("`{}` stands here twice", key.escape_debug());
                doubles.push(Problem::error(path, "duplicate-key", message));
            } else {
                out.insert(key, value);
            }
        }
        Ok(Value::Object(out))
    }
}
