//! Reading a tree into a type with all its problems at once: what is wrong is noted, replaced by
//! something that fits, and the reading begins again.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use serde_path_to_error::{Path, Segment};

use super::document::below;
use super::nearest::nearest;
use super::problem::Problem;

/// Most problems noted in one step, or in what stands beside the steps.
const ATTEMPTS_MAX: usize = 30;

/// Reads `tree`, which stands at `base`.
pub(super) fn read<T: DeserializeOwned>(mut tree: Value, base: &str) -> Result<T, Vec<Problem>> {
    let mut noted: Vec<Vec<String>> = Vec::new();
    let mut problems = Vec::new();
    let mut outcome = attempt::<T>(&tree);
    for _ in 0..ATTEMPTS_MAX {
        let trouble = match outcome {
            Ok(read) if problems.is_empty() => return Ok(read),
            Ok(_) => break,
            Err(trouble) => trouble,
        };
        // Trouble at or around what was taken out already only follows from that.
        if !noted.iter().any(|noted| noted.starts_with(&trouble.path)) {
            problems.push(trouble.problem(base));
            noted.push(trouble.path.clone());
        }
        match mend::<T>(&mut tree, &trouble) {
            Some(next) => outcome = next,
            None => break,
        }
    }
    Err(problems)
}

struct Trouble {
    /// To the value at fault; for a missing key, to where it should be.
    path: Vec<String>,
    words: Words,
}

enum Words {
    Missing(String),
    UnknownKey { key: String, known: Vec<String> },
    UnknownWord { word: String, known: Vec<String> },
    Type { found: String, wanted: String },
    Other { message: String, quoted: Option<String> },
}

fn attempt<T: DeserializeOwned>(tree: &Value) -> Result<T, Trouble> {
    serde_path_to_error::deserialize(tree).map_err(|error| {
        let words = Words::of(&error.inner().to_string());
        Trouble { path: place(error.path(), &words, tree), words }
    })
}

fn place(path: &Path, words: &Words, tree: &Value) -> Vec<String> {
    let mut place: Vec<String> = path
        .iter()
        .filter_map(|segment| match segment {
            Segment::Seq { index } => Some(index.to_string()),
            Segment::Map { key } => Some(key.clone()),
            Segment::Enum { variant } => Some(variant.clone()),
            Segment::Unknown => None,
        })
        .collect();
    match words {
        Words::Missing(key) => place.push(key.clone()),
        Words::UnknownKey { key, .. } if place.last() != Some(key) => place.push(key.clone()),
        // A key of the wrong form is told of at the object that it stands in.
        Words::UnknownWord { word: key, .. } | Words::Other { quoted: Some(key), .. }
            if at(tree, &place).is_some_and(|object| object.get(key).is_some()) =>
        {
            place.push(key.clone());
        }
        _ => {}
    }
    place
}

fn at<'t>(tree: &'t Value, path: &[String]) -> Option<&'t Value> {
    path.iter().try_fold(tree, |tree, key| match tree {
        Value::Object(map) => map.get(key),
        Value::Array(list) => list.get(key.parse::<usize>().ok()?),
        _ => None,
    })
}

impl Words {
    /// Takes serde's sentences apart (serde_core `de::Error`: `missing_field` and its like).
    fn of(message: &str) -> Self {
        let quoted = |text: &str| -> Vec<String> {
            text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
        };
        let first = |text: &str| quoted(text).into_iter().next().unwrap_or_default();
        let split = |rest: &str| match rest.split_once(", expected ") {
            Some((found, wanted)) => (found.to_owned(), wanted.to_owned()),
            None => (rest.to_owned(), String::new()),
        };
        if let Some(rest) = message.strip_prefix("missing field ") {
            Self::Missing(first(rest))
        } else if let Some(rest) = message.strip_prefix("unknown field ") {
            let (found, known) = split(rest);
            Self::UnknownKey { key: first(&found), known: quoted(&known) }
        } else if let Some(rest) = message.strip_prefix("unknown variant ") {
            let (found, known) = split(rest);
            Self::UnknownWord { word: first(&found), known: quoted(&known) }
        } else if let Some(rest) = message
            .strip_prefix("invalid type: ")
            .or_else(|| message.strip_prefix("invalid value: "))
        {
            let (found, wanted) = split(rest);
            Self::Type { found: plain(&found), wanted: plain(&wanted) }
        } else {
            let quoted = message.starts_with('`').then(|| first(message));
            Self::Other { message: message.to_owned(), quoted }
        }
    }
}

/// serde's names of types, in an author's words.
fn plain(name: &str) -> String {
    match name {
        "map" | "a map" => "an object".into(),
        "sequence" | "a sequence" => "a list".into(),
        "u8" => "a whole number from 0 to 255".into(),
        "u16" => "a whole number from 0 to 65535".into(),
        "u32" => "a whole number from 0 to 4294967295".into(),
        "string" | "a string" => "a text".into(),
        "a boolean" => "true or false".into(),
        "null" | "unit value" => "null".into(),
        other => match other.split_once(' ') {
            Some(("struct" | "enum" | "variant", _)) => "an object".into(),
            Some(("integer" | "floating", number)) => {
                format!("the number {}", number.trim_start_matches("point ").trim_matches('`'))
            }
            Some(("boolean", word)) => word.trim_matches('`').to_owned(),
            Some(("string", text)) => format!("the text {text}"),
            _ => other.to_owned(),
        },
    }
}

impl Trouble {
    fn problem(&self, base: &str) -> Problem {
        let path = self.path.iter().fold(base.to_owned(), |path, key| below(&path, key));
        match &self.words {
            Words::Missing(key) => {
                Problem::error(path, "missing-key", format!("`{key}` is missing"))
            }
            Words::UnknownKey { key, known } => {
                let message = format!("`{}` means nothing here", key.escape_debug());
                Problem::error(path, "unknown-key", message).hint(meant(
                    key,
                    known,
                    "possible keys",
                ))
            }
            Words::UnknownWord { word, known } => {
                let message =
                    format!("`{}` is not a word that can stand here", word.escape_debug());
                Problem::error(path, "unknown-word", message).hint(meant(word, known, "possible"))
            }
            Words::Type { found, wanted } => {
                let message = format!("{wanted} is needed here, and this is {found}");
                Problem::error(path, "wrong-type", message)
            }
            Words::Other { message, .. } => Problem::error(path, "bad-value", message.clone()),
        }
    }
}

/// A hint at the word that was meant, or at all that there are.
pub(super) fn meant(word: &str, known: &[String], lead: &str) -> Option<String> {
    let near = nearest(word, known.iter().map(String::as_str));
    near.map(|near| format!("do you mean `{near}`?")).or_else(|| {
        let list = known.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
        if known.is_empty() { None } else { Some(format!("{lead}: {list}")) }
    })
}

/// Puts something that fits where the trouble is, and hands back the next attempt.
fn mend<T: DeserializeOwned>(tree: &mut Value, trouble: &Trouble) -> Option<Result<T, Trouble>> {
    let here = |next: &Result<T, Trouble>| {
        next.as_ref().is_err_and(|next| next.path.starts_with(&trouble.path))
    };
    if !matches!(trouble.words, Words::Missing(_)) {
        remove(tree, &trouble.path);
        let next = attempt::<T>(tree);
        if !here(&next) {
            return Some(next);
        }
    }
    let stand_ins =
        [json!("x"), json!([]), json!({}), json!(1), json!("1s"), json!("1"), json!(true)];
    for stand_in in stand_ins {
        if !put(tree, &trouble.path, stand_in) {
            return None;
        }
        let next = attempt::<T>(tree);
        if !here(&next) {
            return Some(next);
        }
    }
    None
}

fn parent<'t, 'p>(tree: &'t mut Value, path: &'p [String]) -> Option<(&'t mut Value, &'p str)> {
    let (last, above) = path.split_last()?;
    let mut at = tree;
    for key in above {
        at = match at {
            Value::Object(map) => map.get_mut(key)?,
            Value::Array(list) => list.get_mut(key.parse::<usize>().ok()?)?,
            _ => return None,
        };
    }
    Some((at, last))
}

fn remove(tree: &mut Value, path: &[String]) {
    // An element of a list is not taken out: the paths of those behind it would be wrong.
    if let Some((Value::Object(map), key)) = parent(tree, path) {
        map.remove(key);
    }
}

fn put(tree: &mut Value, path: &[String], value: Value) -> bool {
    match parent(tree, path) {
        Some((Value::Object(map), key)) => {
            map.insert(key.to_owned(), value);
            true
        }
        Some((Value::Array(list), key)) => {
            let slot = key.parse::<usize>().ok().and_then(|at| list.get_mut(at));
            slot.map(|slot| *slot = value).is_some()
        }
        Some((other, key)) => {
            *other = Value::Object(Map::from_iter([(key.to_owned(), value)]));
            true
        }
        None => false,
    }
}
