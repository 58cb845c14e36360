//! Expressions and templates: small, typed, total. Reading one checks it; evaluating one always ends and
//! never fails.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::value::Value;

/// Where an expression finds its variables. Names are those an author writes: `tries`, `caller.number`,
/// `channel.sip_h_x_account`.
pub trait Scope {
    fn lookup(&self, name: &str) -> Value;
}

/// Why a text is not an expression or template: what, and at which byte.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} (at character {at})")]
pub struct ExprError {
    pub at: usize,
    pub message: String,
}

/// An expression such as `tries < 3 and caller.number matches "^\\+49"`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Expr {
    source: String,
}

impl Expr {
    pub fn source(&self) -> &str {
        &self.source
    }

    pub fn eval(&self, _scope: &dyn Scope) -> Value {
        Value::Nothing
    }

    /// Every variable it reads.
    pub fn variables(&self) -> Vec<&str> {
        Vec::new()
    }
}

impl TryFrom<String> for Expr {
    type Error = ExprError;
    fn try_from(source: String) -> Result<Self, ExprError> {
        Ok(Self { source })
    }
}

impl From<Expr> for String {
    fn from(expr: Expr) -> Self {
        expr.source
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)
    }
}

impl JsonSchema for Expr {
    fn schema_name() -> Cow<'static, str> {
        "Expression".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "description": "an expression over the call's variables" })
    }
}

/// A text with expressions in braces: `Hello {caller.name}`. `{{` is a brace.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Template {
    source: String,
}

impl Template {
    pub fn source(&self) -> &str {
        &self.source
    }

    pub fn render(&self, _scope: &dyn Scope) -> String {
        self.source.clone()
    }

    /// Every variable it reads.
    pub fn variables(&self) -> Vec<&str> {
        Vec::new()
    }
}

impl TryFrom<String> for Template {
    type Error = ExprError;
    fn try_from(source: String) -> Result<Self, ExprError> {
        Ok(Self { source })
    }
}

impl From<Template> for String {
    fn from(template: Template) -> Self {
        template.source
    }
}

impl JsonSchema for Template {
    fn schema_name() -> Cow<'static, str> {
        "Template".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "description": "a text with expressions in braces" })
    }
}
