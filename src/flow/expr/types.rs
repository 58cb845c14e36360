//! What can be told of an expression before it runs.

use std::collections::BTreeMap;

use super::node::{Binary, Function, Node};
use crate::flow::nearest::nearest;
use crate::flow::value::Value;

/// What is known of a value before it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    Any,
    Nothing,
    Bool,
    Number,
    Text,
    /// One of these texts.
    OneOf(&'static [&'static str]),
}

/// The variables that there are, by the names that an author writes, and what each holds.
#[derive(Debug, Clone, Default)]
pub struct KnownVariables(BTreeMap<String, Type>);

/// What every call knows of itself; channel variables are `channel.` and their name.
pub const BUILT_IN: [(&str, Type); 10] = [
    ("caller.name", Type::Text),
    ("caller.number", Type::Text),
    ("dialed", Type::Text),
    ("call.id", Type::Text),
    ("call.seconds", Type::Number),
    ("queue.position", Type::Number),
    ("queue.minutes", Type::Number),
    ("now.date", Type::Text),
    ("now.time", Type::Text),
    ("now.weekday", Type::OneOf(&["mon", "tue", "wed", "thu", "fri", "sat", "sun"])),
];

impl KnownVariables {
    /// What every call knows of itself.
    pub fn of_every_call() -> Self {
        Self(BUILT_IN.into_iter().map(|(name, kind)| (name.to_owned(), kind)).collect())
    }

    pub fn add(&mut self, name: impl Into<String>, kind: Type) {
        self.0.insert(name.into(), kind);
    }

    fn find(&self, name: &str) -> Option<Type> {
        if name.strip_prefix("channel.").is_some_and(|rest| !rest.is_empty()) {
            return Some(Type::Any);
        }
        self.0.get(name).copied()
    }
}

/// What looks wrong in an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Doubt {
    /// A variable that nothing sets, and the one that may be meant.
    UnknownVariable { name: String, meant: Option<String> },
    /// A comparison whose result is always the same.
    AlwaysThe { same: bool, comparison: String },
}

pub(super) fn doubts(node: &Node, known: &KnownVariables) -> Vec<Doubt> {
    let mut doubts = Vec::new();
    for node in node.all() {
        match node {
            Node::Variable(name) if known.find(name).is_none() => {
                let meant = nearest(name, known.0.keys().map(String::as_str)).map(str::to_owned);
                doubts.push(Doubt::UnknownVariable { name: name.clone(), meant });
            }
            Node::Binary(binary, left, right) => {
                let verdict =
                    settled(*binary, (left, infer(left, known)), (right, infer(right, known)));
                if let Some(same) = verdict {
                    doubts.push(Doubt::AlwaysThe { same, comparison: node.to_string() });
                }
            }
            Node::In(of, list) => {
                let kind = infer(of, known);
                let never = |item: &Node| {
                    let item = (item, infer(item, known));
                    settled(Binary::Equal, (of.as_ref(), kind), item) == Some(false)
                };
                if list.iter().all(never) {
                    doubts.push(Doubt::AlwaysThe { same: false, comparison: node.to_string() });
                }
            }
            _ => {}
        }
    }
    doubts
}

/// The result of a comparison, if it is the same whatever the variables hold.
fn settled(binary: Binary, left: (&Node, Type), right: (&Node, Type)) -> Option<bool> {
    match binary {
        Binary::Equal if never_equal(left, right) || never_equal(right, left) => Some(false),
        Binary::NotEqual if never_equal(left, right) || never_equal(right, left) => Some(true),
        Binary::Less | Binary::LessEqual | Binary::Greater | Binary::GreaterEqual
            if never_ordered(left, right) || never_ordered(right, left) =>
        {
            Some(false)
        }
        _ => None,
    }
}

fn literal(node: &Node) -> Option<Value> {
    match node {
        Node::Bool(yes) => Some(Value::Bool(*yes)),
        Node::Number(number) => Some(Value::Number(*number)),
        Node::Text(text) => Some(Value::Text(text.clone())),
        Node::Nothing => Some(Value::Nothing),
        _ => None,
    }
}

fn never_equal(left: (&Node, Type), right: (&Node, Type)) -> bool {
    match (left.1, right.1) {
        (Type::OneOf(words), _) => literal(right.0)
            .is_some_and(|value| !words.iter().any(|word| Value::text(*word).equals(&value))),
        (Type::Number, Type::Bool) | (Type::Nothing, Type::Number | Type::Bool) => true,
        (Type::Number, Type::Text) => {
            literal(right.0).is_some_and(|text| text.to_number().is_none())
        }
        (Type::Bool, Type::Text) => literal(right.0).is_some_and(|text| {
            !text.equals(&Value::Bool(true)) && !text.equals(&Value::Bool(false))
        }),
        _ => false,
    }
}

fn never_ordered(left: (&Node, Type), right: (&Node, Type)) -> bool {
    match (left.1, right.1) {
        (Type::Bool | Type::Nothing, _) => true,
        (Type::Number, Type::OneOf(_)) => true,
        (Type::Number, Type::Text) => {
            literal(right.0).is_some_and(|text| text.to_number().is_none())
        }
        _ => false,
    }
}

fn infer(node: &Node, known: &KnownVariables) -> Type {
    match node {
        Node::Nothing => Type::Nothing,
        Node::Bool(_) | Node::Not(_) | Node::Matches(..) | Node::In(..) => Type::Bool,
        Node::Text(_) => Type::Text,
        Node::Number(_) => Type::Number,
        Node::Variable(name) => known.find(name).unwrap_or(Type::Any),
        // Arithmetic on what is no number is nothing.
        Node::Negate(_) => Type::Any,
        Node::Binary(binary, ..) => match binary {
            Binary::Join => Type::Text,
            Binary::Add
            | Binary::Subtract
            | Binary::Multiply
            | Binary::Divide
            | Binary::Remainder => Type::Any,
            _ => Type::Bool,
        },
        Node::Call(function, _) => match function {
            Function::Length => Type::Number,
            Function::Lower
            | Function::Upper
            | Function::Trim
            | Function::Text
            | Function::DigitsOnly => Type::Text,
            Function::If
            | Function::Default
            | Function::Number
            | Function::First
            | Function::Last
            | Function::Slice
            | Function::Round
            | Function::Min
            | Function::Max => Type::Any,
        },
    }
}
