//! The JSON Schema of the flow language, for editors. It tells of a document's shape; what a flow
//! means is for [`super::check`].

use serde_json::{Value, json};

use super::{Flow, Kind};

/// The schema, as committed in `src/flow/flow.schema.json`.
pub fn schema() -> Value {
    let mut schema = schemars::schema_for!(Flow).to_value();
    let steps = schema.pointer_mut("/$defs/Step/oneOf").and_then(Value::as_array_mut);
    for step in steps.into_iter().flatten() {
        let name = step.pointer("/properties/kind/const").and_then(Value::as_str);
        let kind = Kind::ALL.into_iter().find(|kind| Some(kind.name()) == name);
        if let (Some(kind), Some(on)) = (kind, step.pointer_mut("/properties/on")) {
            *on = ways(kind);
        }
    }
    schema
}

/// An `on` with the outcomes of one kind.
fn ways(kind: Kind) -> Value {
    let to = json!({ "$ref": "#/$defs/StepName" });
    let outcomes = kind.outcomes().iter().map(|outcome| (outcome.name().to_owned(), to.clone()));
    json!({
        "description": "Where the call goes by each outcome.",
        "type": "object",
        "properties": outcomes.collect::<serde_json::Map<_, _>>(),
        "additionalProperties": false
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMITTED: &str = include_str!("flow.schema.json");

    /// `CALLWRIGHT_WRITE_SCHEMA=1 cargo test schema` writes it anew.
    #[test]
    fn the_committed_schema_is_that_of_the_types() {
        let text = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
        if std::env::var_os("CALLWRIGHT_WRITE_SCHEMA").is_some() {
            let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/flow/flow.schema.json");
            std::fs::write(path, &text).unwrap();
            return;
        }
        assert!(text == COMMITTED, "run with CALLWRIGHT_WRITE_SCHEMA=1 to write it anew");
    }

    #[test]
    fn each_kind_names_its_own_outcomes_only() {
        let schema = schema();
        let steps = schema.pointer("/$defs/Step/oneOf").unwrap().as_array().unwrap();
        assert_eq!(steps.len(), Kind::ALL.len());
        let hours =
            steps.iter().find(|step| step["properties"]["kind"]["const"] == "hours").unwrap();
        let on = &hours["properties"]["on"]["properties"];
        let keys: Vec<_> = on.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["closed", "holiday"]);
    }
}
