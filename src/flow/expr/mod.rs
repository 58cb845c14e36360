//! Expressions and templates: small, typed, total. Reading one checks it; evaluating one always
//! ends and never fails.
//!
//! | loosest first | |
//! |---|---|
//! | `or`, `and`, `not` | by [`Value::truthy`]; the right side is looked at only where it matters |
//! | `==` `!=` | [`Value::equals`] |
//! | `<` `<=` `>` `>=` | [`Value::order`]; no where there is no order |
//! | `matches /pattern/` | a pattern found anywhere in the text; linear-time, written out |
//! | `contains` `starts_with` `ends_with` `in [a, b]` | `not` may stand before each |
//! | `&` | joins texts |
//! | `+` `-` `*` `/` `%` | numbers, and texts that read as numbers; else, and by zero, nothing |
//!
//! Functions: `if(condition, then, else)`, `default(value, otherwise)`, `length`, `lower`, `upper`,
//! `trim`, `number`, `text`, `first(text, n)`, `last(text, n)`, `slice(text, from, n)` (the first
//! character is number 1), `digits_only`, `round(number, places)`, `min`, `max`.
//! Literals: `12`, `0.5`, `"text"`, `'text'`, `true`, `false`, `nothing`.

mod eval;
mod grammar;
mod node;
mod template;
mod token;
mod types;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::value::Value;
use node::Node;

pub(super) use grammar::RESERVED;
pub use template::Template;
pub use types::{BUILT_IN, Doubt, KnownVariables, Type};

/// Longest expression and template, in bytes.
pub const SOURCE_MAX: usize = 4_096;
/// How deep brackets, calls and prefixes may be nested: evaluation recurses as deep.
pub const DEPTH_MAX: usize = 32;
/// Most operators, values and calls in one expression.
pub const NODES_MAX: usize = 256;
/// Most bytes of a compiled pattern; matching takes at most this times the text's length.
pub const PATTERN_SIZE_MAX: usize = 128 * 1_024;

/// Where an expression finds its variables. Names are those an author writes: `tries`,
/// `caller.number`, `channel.sip_h_x_account`.
pub trait Scope {
    fn lookup(&self, name: &str) -> Value;
}

/// Why a text is not an expression or template: what, and at which character; the first is number
/// 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} (at character {at})")]
pub struct ExprError {
    pub at: usize,
    pub message: String,
}

impl ExprError {
    fn new(source: &str, byte: usize, message: impl Into<String>) -> Self {
        let before = source.get(..byte).unwrap_or(source);
        Self { at: before.chars().count() + 1, message: message.into() }
    }

    fn shifted(mut self, characters: usize) -> Self {
        self.at += characters;
        self
    }
}

/// An expression such as `tries < 3 and caller.number matches /^\+49/`. Clones share one tree.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Expr(Arc<Parsed>);

struct Parsed {
    source: String,
    node: Node,
}

impl Expr {
    pub fn source(&self) -> &str {
        &self.0.source
    }

    pub fn eval(&self, scope: &dyn Scope) -> Value {
        eval::evaluate(&self.0.node, scope)
    }

    /// Every variable it reads, each once, in order of appearance by depth.
    pub fn variables(&self) -> Vec<&str> {
        variables([&self.0.node])
    }

    /// What looks wrong, given the variables that there are.
    pub fn check(&self, known: &KnownVariables) -> Vec<Doubt> {
        types::doubts(&self.0.node, known)
    }
}

fn variables<'a>(nodes: impl IntoIterator<Item = &'a Node>) -> Vec<&'a str> {
    let mut names: Vec<&str> = Vec::new();
    for node in nodes.into_iter().flat_map(Node::all) {
        if let Node::Variable(name) = node
            && !names.contains(&name.as_str())
        {
            names.push(name);
        }
    }
    names
}

impl TryFrom<String> for Expr {
    type Error = ExprError;
    fn try_from(source: String) -> Result<Self, ExprError> {
        let node = grammar::expression(&source)?;
        Ok(Self(Arc::new(Parsed { source, node })))
    }
}

impl std::str::FromStr for Expr {
    type Err = ExprError;
    fn from_str(source: &str) -> Result<Self, ExprError> {
        source.to_owned().try_into()
    }
}

impl From<Expr> for String {
    fn from(expr: Expr) -> Self {
        Arc::try_unwrap(expr.0).map_or_else(|shared| shared.source.clone(), |parsed| parsed.source)
    }
}

impl PartialEq for Expr {
    fn eq(&self, other: &Self) -> bool {
        self.0.source == other.0.source
    }
}

impl fmt::Debug for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Expr({:?})", self.0.source)
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.source)
    }
}

impl JsonSchema for Expr {
    fn schema_name() -> Cow<'static, str> {
        "Expression".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "minLength": 1,
            "maxLength": SOURCE_MAX,
            "description": "an expression over the call's variables"
        })
    }
}

#[cfg(test)]
mod tests;
