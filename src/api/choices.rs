//! Choices between words, as programs that write clients from the documentation understand them.

use serde_json::{Value, json};

/// Makes each choice between words one list of them, also where some of them are described. Those
/// schemars writes as a choice between constants, of which a client may take the first only.
pub(super) fn flatten(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            fields.values_mut().for_each(flatten);
            let words = fields.get("oneOf").and_then(Value::as_array).and_then(|all| words(all));
            let Some((words, about)) = words else { return };
            fields.remove("oneOf");
            let own = fields.get("description").and_then(Value::as_str);
            let about: Vec<_> = own.into_iter().chain(about.as_deref()).collect();
            if !about.is_empty() {
                let about = about.join("\n\n");
                fields.insert("description".into(), about.into());
            }
            fields.insert("type".into(), json!("string"));
            fields.insert("enum".into(), words.into());
        }
        Value::Array(items) => items.iter_mut().for_each(flatten),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The words of a choice, and what is said about them; nothing where there is anything else in it.
fn words(variants: &[Value]) -> Option<(Vec<Value>, Option<String>)> {
    let (mut words, mut about) = (Vec::new(), Vec::new());
    for variant in variants {
        let fields = variant.as_object()?;
        let known = |key: &String| ["const", "enum", "type", "description"].contains(&key.as_str());
        if fields.get("type")? != "string" || !fields.keys().all(known) {
            return None;
        }
        if let Some(word) = fields.get("const") {
            if let Some(told) = fields.get("description").and_then(Value::as_str) {
                about.push(format!("- `{}`: {told}", word.as_str()?));
            }
            words.push(word.clone());
        } else {
            words.extend(fields.get("enum")?.as_array()?.iter().cloned());
        }
    }
    Some((words, (!about.is_empty()).then(|| about.join("\n"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn described_words_are_one_list_with_what_is_said_of_each() {
        let mut schema = json!({ "properties": { "role": {
            "description": "What one is.",
            "oneOf": [
                { "type": "string", "enum": ["admin", "agent"] },
                { "type": "string", "const": "reader", "description": "Only looks." },
            ],
        } } });
        flatten(&mut schema);
        let role = json!({
            "type": "string",
            "enum": ["admin", "agent", "reader"],
            "description": "What one is.\n\n- `reader`: Only looks.",
        });
        assert_eq!(schema, json!({ "properties": { "role": role } }));
    }

    #[test]
    fn a_choice_with_anything_but_words_is_left() {
        let mut schema = json!({ "oneOf": [
            { "type": "string", "const": "none" },
            { "type": "object", "properties": { "some": {} } },
        ] });
        let before = schema.clone();
        flatten(&mut schema);
        assert_eq!(schema, before);
    }
}
