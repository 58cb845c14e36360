//! `set`: variables get values.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::ids::{StepName, VarName};
use crate::flow::expr::Expr;

/// Gives variables values. All expressions are evaluated before any variable changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Set {
    pub variables: BTreeMap<VarName, Expr>,
    pub next: StepName,
}
