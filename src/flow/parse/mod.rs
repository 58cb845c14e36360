//! From a document to a [`Flow`], or to everything that is wrong with its shape, at once. What a
//! flow means is for [`super::check`].

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::document::{self, PROBLEMS_MAX, below};
use super::kind::{Kind, Step};
use super::problem::Problem;
use super::shape;
use super::{Flow, nearest::nearest};
use crate::base::ids::StepName;

/// Most steps of a flow.
pub const STEPS_MAX: usize = 500;

/// Reads a flow from JSON.
pub fn parse(bytes: &[u8]) -> Result<Flow, Vec<Problem>> {
    let (tree, doubles) = document::json(bytes).map_err(|problem| vec![problem])?;
    flow(tree, doubles)
}

/// Reads a flow from YAML, of which JSON is a part.
pub fn parse_yaml(bytes: &[u8]) -> Result<Flow, Vec<Problem>> {
    let (tree, doubles) = document::yaml(bytes).map_err(|problem| vec![problem])?;
    flow(tree, doubles)
}

fn flow(tree: Value, mut problems: Vec<Problem>) -> Result<Flow, Vec<Problem>> {
    let Value::Object(mut head) = tree else {
        problems.push(Problem::error("", "wrong-type", "a flow is an object with keys"));
        return Err(problems);
    };
    let steps = steps(head.remove("steps"), &mut problems);
    head.insert("steps".into(), Value::Object(Map::new()));
    let flow = kept(shape::read::<Flow>(Value::Object(head), ""), &mut problems);
    problems.sort();
    problems.truncate(PROBLEMS_MAX);
    match flow {
        Some(flow) if problems.is_empty() => Ok(Flow { steps, ..flow }),
        _ => Err(problems),
    }
}

fn steps(tree: Option<Value>, problems: &mut Vec<Problem>) -> BTreeMap<StepName, Step> {
    let mut steps = BTreeMap::new();
    let trees = match tree {
        Some(Value::Object(trees)) => trees,
        None => {
            problems.push(Problem::error("steps", "missing-key", "`steps` is missing"));
            return steps;
        }
        Some(_) => {
            let message = "`steps` is an object: each key is the name of a step";
            problems.push(Problem::error("steps", "wrong-type", message));
            return steps;
        }
    };
    if trees.len() > STEPS_MAX {
        let message = format!("a flow has at most {STEPS_MAX} steps; this has {}", trees.len());
        problems.push(
            Problem::error("steps", "too-big", message)
                .hint("move parts of it into flows of their own".to_owned()),
        );
        return steps;
    }
    for (name, tree) in trees {
        let path = below("steps", &name);
        let step = kept(step(tree, &path), problems);
        match (name.parse::<StepName>(), step) {
            (Ok(name), Some(step)) => _ = steps.insert(name, step),
            (Ok(_), None) => {}
            (Err(error), _) => problems.push(Problem::error(path, "bad-value", error.to_string())),
        }
    }
    steps
}

fn kept<T>(read: Result<T, Vec<Problem>>, problems: &mut Vec<Problem>) -> Option<T> {
    read.map_err(|more| problems.extend(more)).ok()
}

/// Reads one step. Each kind is read as its own type, so that paths reach into it.
fn step(tree: Value, path: &str) -> Result<Step, Vec<Problem>> {
    let Value::Object(mut tree) = tree else {
        let message = "a step is an object with a `kind`";
        return Err(vec![Problem::error(path, "wrong-type", message)]);
    };
    let kind = kind(tree.remove("kind"), &below(path, "kind")).map_err(|problem| vec![problem])?;
    let mut problems = strange_outcomes(kind, &mut tree, path);
    let step = step_of(kind, Value::Object(tree), path);
    if problems.is_empty() {
        return step;
    }
    kept(step, &mut problems);
    Err(problems)
}

/// Takes the outcomes that a kind of step does not have out of `on`, so that they are told of in
/// its words.
fn strange_outcomes(kind: Kind, tree: &mut Map<String, Value>, path: &str) -> Vec<Problem> {
    let known: Vec<String> = kind.outcomes().iter().map(|outcome| outcome.name().into()).collect();
    let Some(Value::Object(on)) = tree.get_mut("on").filter(|_| !known.is_empty()) else {
        return Vec::new();
    };
    let strange = on.keys().filter(|key| !known.contains(key)).cloned().collect::<Vec<_>>();
    strange
        .into_iter()
        .map(|key| {
            on.remove(&key);
            let problem = Problem::error(
                below(&below(path, "on"), &key),
                "unknown-outcome",
                format!("a `{kind}` step never ends as `{}`", key.escape_debug()),
            );
            let written_as_next = matches!(key.as_str(), "done" | "next" | "open" | "answered");
            problem.hint(match written_as_next {
                true => Some("write it as the step's `next`, beside `on`".to_owned()),
                false => shape::meant(&key, &known, "possible"),
            })
        })
        .collect()
}

fn step_of(kind: Kind, tree: Value, path: &str) -> Result<Step, Vec<Problem>> {
    match kind {
        Kind::Answer => shape::read(tree, path).map(Step::Answer),
        Kind::Ring => shape::read(tree, path).map(Step::Ring),
        Kind::Reject => shape::read(tree, path).map(Step::Reject),
        Kind::Play => shape::read(tree, path).map(Step::Play),
        Kind::Menu => boxed(tree, path, Step::Menu),
        Kind::Gather => boxed(tree, path, Step::Gather),
        Kind::Set => shape::read(tree, path).map(Step::Set),
        Kind::Branch => shape::read(tree, path).map(Step::Branch),
        Kind::Hours => shape::read(tree, path).map(Step::Hours),
        Kind::Http => boxed(tree, path, Step::Http),
        Kind::Dial => boxed(tree, path, Step::Dial),
        Kind::Dtmf => shape::read(tree, path).map(Step::Dtmf),
        Kind::Queue => boxed(tree, path, Step::Queue),
        Kind::Transfer => shape::read(tree, path).map(Step::Transfer),
        Kind::Conference => boxed(tree, path, Step::Conference),
        Kind::Message => boxed(tree, path, Step::Message),
        Kind::Record => shape::read(tree, path).map(Step::Record),
        Kind::Hold => shape::read(tree, path).map(Step::Hold),
        Kind::Park => boxed(tree, path, Step::Park),
        Kind::Retrieve => shape::read(tree, path).map(Step::Retrieve),
        Kind::Flow => shape::read(tree, path).map(Step::Flow),
        Kind::Return => shape::read(tree, path).map(Step::Return),
        Kind::Hangup => shape::read(tree, path).map(Step::Hangup),
    }
}

fn boxed<T: DeserializeOwned>(
    tree: Value,
    path: &str,
    step: impl FnOnce(Box<T>) -> Step,
) -> Result<Step, Vec<Problem>> {
    shape::read::<T>(tree, path).map(|data| step(Box::new(data)))
}

fn kind(tree: Option<Value>, path: &str) -> Result<Kind, Problem> {
    let names = || Kind::ALL.iter().map(|kind| kind.name());
    let all = || {
        format!("possible: {}", names().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", "))
    };
    match tree {
        None => Err(Problem::error(path, "missing-key", "`kind` is missing").hint(all())),
        Some(Value::String(word)) => {
            Kind::ALL.into_iter().find(|kind| kind.name() == word).ok_or_else(|| {
                let word = word.chars().take(80).collect::<String>();
                let message = format!("there is no kind of step `{}`", word.escape_debug());
                let near = nearest(&word, names()).map(|near| format!("do you mean `{near}`? "));
                Problem::error(path, "unknown-kind", message)
                    .hint(near.unwrap_or_default() + &all())
            })
        }
        Some(_) => Err(Problem::error(path, "wrong-type", "a text is needed here").hint(all())),
    }
}

/// For fuzzing: whatever the bytes are, reading ends, and a flow that was read is printed and read
/// back as itself.
#[doc(hidden)]
pub fn fuzz(bytes: &[u8]) {
    let _ = parse_yaml(bytes);
    if let Ok(flow) = parse(bytes) {
        let printed = serde_json::to_vec(&flow).unwrap_or_default();
        assert_eq!(parse(&printed).as_ref(), Ok(&flow), "a flow is read back as itself");
    }
}

#[cfg(test)]
mod tests;
