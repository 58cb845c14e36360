//! Texts with expressions in them.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::node::Node;
use super::types::{self, Doubt, KnownVariables};
use super::{ExprError, NODES_MAX, SOURCE_MAX, Scope, eval, grammar, variables};
use crate::flow::value::{Value, cut};

/// A text with expressions in braces: `Hello {caller.name}`. `{{` and `}}` are braces. Clones share
/// one tree.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Template(Arc<Parsed>);

struct Parsed {
    source: String,
    parts: Vec<Part>,
}

#[derive(Debug, PartialEq)]
enum Part {
    Text(String),
    Node(Node),
}

impl Template {
    pub fn source(&self) -> &str {
        &self.0.source
    }

    /// The text, at most [`crate::flow::value::TEXT_MAX`] bytes of it.
    pub fn render(&self, scope: &dyn Scope) -> String {
        self.render_with(scope, |value| value)
    }

    /// The text, each value in braces changed by `encode`, as an address or a header needs it.
    pub fn render_with(&self, scope: &dyn Scope, encode: impl Fn(String) -> String) -> String {
        let mut out = String::new();
        for part in &self.0.parts {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Node(node) => {
                    out.push_str(&encode(eval::evaluate(node, scope).to_text().into_owned()));
                }
            }
            cut(&mut out);
        }
        out
    }

    /// The value of a template that is one expression in braces and nothing else, type and all;
    /// else the text.
    pub fn value(&self, scope: &dyn Scope) -> Value {
        match self.0.parts.as_slice() {
            [Part::Node(node)] => eval::evaluate(node, scope),
            _ => Value::text(self.render(scope)),
        }
    }

    /// The text, if there is no expression in it.
    pub fn literal(&self) -> Option<&str> {
        match self.0.parts.as_slice() {
            [] => Some(""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// The text before the first expression.
    pub fn literal_prefix(&self) -> &str {
        match self.0.parts.first() {
            Some(Part::Text(text)) => text,
            Some(Part::Node(_)) | None => "",
        }
    }

    /// Every variable it reads, each once.
    pub fn variables(&self) -> Vec<&str> {
        variables(self.nodes())
    }

    /// What looks wrong, given the variables that there are.
    pub fn check(&self, known: &KnownVariables) -> Vec<Doubt> {
        self.nodes().flat_map(|node| types::doubts(node, known)).collect()
    }

    fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.0.parts.iter().filter_map(|part| match part {
            Part::Node(node) => Some(node),
            Part::Text(_) => None,
        })
    }
}

fn parts(source: &str) -> Result<Vec<Part>, ExprError> {
    if source.len() > SOURCE_MAX {
        let message = format!("a text with expressions has at most {SOURCE_MAX} bytes");
        return Err(ExprError::new(source, 0, message));
    }
    let mut parts = Vec::new();
    let mut text = String::new();
    let mut rest = source;
    let mut nodes = 0;
    while let Some(brace) = rest.find(['{', '}']) {
        let at = source.len() - rest.len() + brace;
        text.push_str(&rest[..brace]);
        let after = &rest[brace..];
        if let Some(after) = after.strip_prefix("{{") {
            text.push('{');
            rest = after;
        } else if let Some(after) = after.strip_prefix("}}") {
            text.push('}');
            rest = after;
        } else if let Some(inner) = after.strip_prefix('{') {
            let characters = source[..=at].chars().count();
            let (node, end) =
                grammar::leading_expression(inner).map_err(|error| error.shifted(characters))?;
            nodes += node.all().len();
            let Some(after) = inner[end..].strip_prefix('}') else {
                return Err(ExprError::new(source, at, "this brace is not closed"));
            };
            if nodes > NODES_MAX {
                let message = format!("the expressions of a text have at most {NODES_MAX} parts");
                return Err(ExprError::new(source, at, message));
            }
            if !text.is_empty() {
                parts.push(Part::Text(std::mem::take(&mut text)));
            }
            parts.push(Part::Node(node));
            rest = after;
        } else {
            let message = "this brace closes nothing: write `}}` for a brace";
            return Err(ExprError::new(source, at, message));
        }
    }
    text.push_str(rest);
    if !text.is_empty() {
        parts.push(Part::Text(text));
    }
    Ok(parts)
}

impl TryFrom<String> for Template {
    type Error = ExprError;
    fn try_from(source: String) -> Result<Self, ExprError> {
        let parts = parts(&source)?;
        Ok(Self(Arc::new(Parsed { source, parts })))
    }
}

impl std::str::FromStr for Template {
    type Err = ExprError;
    fn from_str(source: &str) -> Result<Self, ExprError> {
        source.to_owned().try_into()
    }
}

impl From<Template> for String {
    fn from(template: Template) -> Self {
        Arc::try_unwrap(template.0)
            .map_or_else(|shared| shared.source.clone(), |parsed| parsed.source)
    }
}

impl PartialEq for Template {
    fn eq(&self, other: &Self) -> bool {
        self.0.source == other.0.source
    }
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Template({:?})", self.0.source)
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.source)
    }
}

impl JsonSchema for Template {
    fn schema_name() -> Cow<'static, str> {
        "Template".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "maxLength": SOURCE_MAX,
            "description": "a text with expressions in braces"
        })
    }
}
