//! Which variables hold secrets: those that a secret gather fills, and all that is made of them.

use std::collections::BTreeSet;

use crate::base::ids::VarName;

use super::Flow;
use super::expr::Expr;
use super::kind::Step;

impl Flow {
    /// The variables of this flow that can hold a secret, if these of its arguments do.
    pub fn secret_variables(&self, arguments: &BTreeSet<VarName>) -> BTreeSet<VarName> {
        let mut secret = arguments.clone();
        loop {
            let before = secret.len();
            for step in self.steps.values() {
                match step {
                    Step::Gather(gather) if gather.secret => {
                        secret.insert(gather.into.clone());
                    }
                    Step::Set(set) => {
                        for (name, expr) in &set.variables {
                            if reads(expr, &secret) {
                                secret.insert(name.clone());
                            }
                        }
                    }
                    _ => {}
                }
            }
            if secret.len() == before {
                return secret;
            }
        }
    }
}

/// Whether an expression reads any of these variables.
pub(super) fn reads(expr: &Expr, variables: &BTreeSet<VarName>) -> bool {
    expr.variables().iter().any(|name| variables.contains(*name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_of_a_secret_is_secret() {
        let flow: Flow = serde_json::from_str(
            r#"{"callwright": 1, "start": "a", "steps": {
                "a": {"kind": "set", "variables": {"c": "b & 1", "d": "1"}, "next": "b"},
                "b": {"kind": "set", "variables": {"b": "pin"}, "next": "c"},
                "c": {"kind": "gather", "prompts": [], "max": 4, "into": "pin", "secret": true,
                      "next": "a"}}}"#,
        )
        .unwrap();
        let secret = flow.secret_variables(&BTreeSet::new());
        let names: Vec<_> = secret.iter().map(VarName::as_str).collect();
        assert_eq!(names, ["b", "c", "pin"]);
    }
}
