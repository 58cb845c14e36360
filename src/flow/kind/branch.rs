//! `branch`: the flow goes one way or another.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::ids::StepName;
use crate::flow::expr::Expr;

/// Takes the first case whose expression is true.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Branch {
    pub cases: Vec<Case>,
    pub otherwise: StepName,
}

/// One way and its condition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Case {
    #[serde(rename = "if")]
    pub condition: Expr,
    pub next: StepName,
}
