//! What differs between two versions of a flow, by path.

use std::collections::BTreeSet;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Flow;
use super::document::below;

/// Longest value that a printed line shows, in characters; serialized changes hold all of it.
const SHOWN_MAX: usize = 80;

/// One difference: where, and what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "FlowChange")]
pub struct Change {
    /// Where in the document: `steps.main.choices.2`. Places of a list are those of the new
    /// version, for removed ones those of the old.
    pub path: String,
    #[serde(flatten)]
    pub edit: Edit,
}

/// What became of a value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum Edit {
    Added {
        new: Value,
    },
    Removed {
        old: Value,
    },
    Changed {
        old: Value,
        new: Value,
    },
    /// A step has another name and is otherwise as before.
    Renamed {
        to: String,
    },
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.path.escape_debug())?;
        match &self.edit {
            Edit::Added { new } => write!(f, "added, {}", shown(new)),
            Edit::Removed { old } => write!(f, "removed, was {}", shown(old)),
            Edit::Changed { old, new } => write!(f, "{} → {}", shown(old), shown(new)),
            Edit::Renamed { to } => write!(f, "renamed to {to}"),
        }
    }
}

/// All differences, in the order of their paths; none where the flows mean the same, defaults
/// written out or not.
pub fn diff(old: &Flow, new: &Flow) -> Vec<Change> {
    let mut changes = Vec::new();
    compare(&tree(old), &tree(new), "", &mut changes);
    changes
}

fn tree(flow: &Flow) -> Value {
    // Every map of a flow has texts as keys, so it always has a tree.
    serde_json::to_value(flow).unwrap_or_default()
}

fn compare(old: &Value, new: &Value, path: &str, changes: &mut Vec<Change>) {
    match (old, new) {
        (old, new) if old == new => {}
        (Value::Object(old), Value::Object(new)) => objects(old, new, path, changes),
        (Value::Array(old), Value::Array(new)) => lists(old, new, path, changes),
        (old, new) => changes.push(Change {
            path: path.to_owned(),
            edit: Edit::Changed { old: old.clone(), new: new.clone() },
        }),
    }
}

fn objects(
    old: &Map<String, Value>,
    new: &Map<String, Value>,
    path: &str,
    changes: &mut Vec<Change>,
) {
    let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    for key in keys {
        let path_of_key = below(path, key);
        let edit = match (old.get(key), new.get(key)) {
            (Some(old), Some(new)) => {
                compare(old, new, &path_of_key, changes);
                continue;
            }
            (Some(this), None) => match new_name(this, old, new).filter(|_| path == "steps") {
                Some(to) => Edit::Renamed { to: to.clone() },
                None => Edit::Removed { old: this.clone() },
            },
            (None, Some(this)) => {
                if path == "steps" && new_name(this, new, old).is_some() {
                    continue;
                }
                Edit::Added { new: this.clone() }
            }
            (None, None) => continue,
        };
        changes.push(Change { path: path_of_key, edit });
    }
}

/// The only key that the very same value has on the other side, if it has lost its key on this
/// side.
fn new_name<'a>(
    value: &Value,
    here: &Map<String, Value>,
    there: &'a Map<String, Value>,
) -> Option<&'a String> {
    let gone = here.iter().filter(|(key, this)| *this == value && !there.contains_key(*key));
    let mut come = there.iter().filter(|(key, this)| *this == value && !here.contains_key(*key));
    let (name, _) = come.next()?;
    (come.next().is_none() && gone.count() == 1).then_some(name)
}

/// What stands alike at both ends of two lists is left out; the rest is compared one by one.
fn lists(old: &[Value], new: &[Value], path: &str, changes: &mut Vec<Change>) {
    let head = old.iter().zip(new).take_while(|(old, new)| old == new).count();
    let (old, new) = (&old[head..], &new[head..]);
    let tail = old.iter().rev().zip(new.iter().rev()).take_while(|(old, new)| old == new).count();
    let (old, new) = (&old[..old.len() - tail], &new[..new.len() - tail]);
    for at in 0..old.len().max(new.len()) {
        let path = below(path, head + at);
        match (old.get(at), new.get(at)) {
            (Some(old), Some(new)) => compare(old, new, &path, changes),
            (Some(old), None) => {
                changes.push(Change { path, edit: Edit::Removed { old: old.clone() } });
            }
            (None, Some(new)) => {
                changes.push(Change { path, edit: Edit::Added { new: new.clone() } });
            }
            (None, None) => {}
        }
    }
}

/// A value for a line: plain words as they are, anything else as JSON, a step by its kind.
fn shown(value: &Value) -> String {
    let kind = value.get("kind").and_then(Value::as_str);
    let text = match (value, kind) {
        (Value::String(text), _) if plain(text) => text.clone(),
        (_, Some(kind)) if plain(kind) => format!("a `{kind}` step"),
        _ => visible(&value.to_string()),
    };
    match text.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// JSON escapes what would break a line; this also escapes what would turn or hide it on a
/// terminal.
fn visible(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for character in json.chars() {
        match character {
            '"' | '\\' | '\'' => out.push(character),
            other => out.extend(other.escape_debug()),
        }
    }
    out
}

fn plain(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_./+*#:@{}".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::parse_yaml;

    const OLD: &str = r#"
callwright: 1
title: Front desk
start: main
steps:
  main:
    kind: menu
    prompts: [welcome, choose]
    choices: { "1": bye, "2": sales }
  sales:
    kind: dial
    targets: [{ extension: "201" }]
    next: bye
  bye: { kind: hangup }
"#;

    fn lines(replace: &[(&str, &str)]) -> Vec<String> {
        let mut text = OLD.to_owned();
        for (old, new) in replace {
            assert!(text.contains(old), "{old}");
            text = text.replace(old, new);
        }
        let (old, new) = (flow(OLD), flow(&text));
        diff(&old, &new).iter().map(ToString::to_string).collect()
    }

    fn flow(text: &str) -> Flow {
        parse_yaml(text.as_bytes()).unwrap()
    }

    #[test]
    fn a_flow_does_not_differ_from_itself_with_its_defaults_written_out() {
        assert_eq!(lines(&[]), Vec::<String>::new());
        let written = [("kind: hangup", "kind: hangup, cause: NORMAL_CLEARING")];
        assert_eq!(lines(&written), Vec::<String>::new());
    }

    #[test]
    fn every_difference_is_one_line_with_its_path_in_order() {
        let changes = lines(&[
            ("title: Front desk", "title: \"Front\\n desk\"\nfallback: bye"),
            ("\"2\": sales", "\"2\": bye, \"3\": sales"),
            ("extension: \"201\"", "extension: \"202\", delay: 2s"),
            ("  bye:", "  late: { kind: play, prompts: [closed], next: bye }\n  bye:"),
        ]);
        let expected = [
            "fallback: added, bye",
            "steps.late: added, a `play` step",
            "steps.main.choices.2: sales → bye",
            "steps.main.choices.3: added, sales",
            "steps.sales.targets.0.delay: 0s → 2s",
            "steps.sales.targets.0.extension: 201 → 202",
            "title: \"Front desk\" → \"Front\\n desk\"",
        ];
        assert_eq!(changes, expected);
    }

    #[test]
    fn what_is_put_into_a_list_does_not_change_what_stands_after_it() {
        let changes = lines(&[("[welcome, choose]", "[welcome, news, choose]")]);
        assert_eq!(changes, ["steps.main.prompts.1: added, news"]);
        let changes = lines(&[("[welcome, choose]", "[choose]")]);
        assert_eq!(changes, ["steps.main.prompts.0: removed, was welcome"]);
    }

    #[test]
    fn a_step_under_another_name_is_renamed_when_no_other_could_be_meant() {
        let changes = lines(&[("sales", "support")]);
        let expected = ["steps.main.choices.2: sales → support", "steps.sales: renamed to support"];
        assert_eq!(changes, expected);
        let changes = lines(&[("  bye: {", "  one: { kind: hangup }\n  two: {"), ("bye", "one")]);
        assert!(changes.contains(&"steps.bye: removed, was a `hangup` step".to_owned()));
        assert!(changes.contains(&"steps.two: added, a `hangup` step".to_owned()), "{changes:?}");
    }

    #[test]
    fn a_change_is_serialized_whole_and_printed_short() {
        let long = "x".repeat(300);
        let new = flow(&OLD.replace("Front desk", &long));
        let changes = diff(&flow(OLD), &new);
        assert!(changes[0].to_string().chars().count() < 120);
        let json = serde_json::to_value(&changes[0]).unwrap();
        let expected = serde_json::json!(
            {"path": "title", "change": "changed", "old": "Front desk", "new": long}
        );
        assert_eq!(json, expected);
    }
}
