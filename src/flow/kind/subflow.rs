//! `flow` and `return`: one flow calls another and comes back.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::ids::{FlowName, StepName, VarName};
use crate::flow::Exits;
use crate::flow::expr::Expr;

/// Runs another flow of the tenant, in the version published when the call began.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Subflow {
    pub flow: FlowName,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub arguments: BTreeMap<VarName, Expr>,
    /// The variable that takes what the flow returns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub into: Option<VarName>,
    pub next: StepName,
    #[serde(default, skip_serializing_if = "Exits::is_empty")]
    pub on: Exits,
}

/// Ends this flow and goes on in the one that called it; in a call's first flow it hangs up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Return {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Expr>,
}
