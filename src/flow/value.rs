//! What a variable of a flow can hold.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The longest text a variable holds, in bytes; longer ones are cut at a character's edge.
pub const TEXT_MAX: usize = 4_096;

/// A value: a text, a number, yes or no, or nothing.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Value {
    #[default]
    Nothing,
    Bool(bool),
    Number(f64),
    Text(String),
}
