//! Names for what is inside a choice: programs that write clients from the documentation make a
//! type of each, and need a name that stays.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

/// Gives the content of each variant that is an object under one name, as serde writes enums, a
/// schema of its own: `Command` and `hold` are `CommandHold`.
pub(super) fn give(schemas: &mut Map<String, Value>) {
    let taken: BTreeSet<String> = schemas.keys().cloned().collect();
    let mut named = Vec::new();
    for (name, schema) in schemas.iter_mut() {
        for choice in ["oneOf", "anyOf"] {
            let variants = schema.get_mut(choice).and_then(Value::as_array_mut);
            for variant in variants.into_iter().flatten() {
                named.extend(content(name, variant, &taken));
            }
        }
    }
    schemas.extend(named);
    schemas.values_mut().for_each(spell_out);
}

/// A property that may be anything is `true`, or `{}`, which more programs can read.
fn spell_out(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            let properties = fields.get_mut("properties").and_then(Value::as_object_mut);
            for property in properties.into_iter().flat_map(Map::values_mut) {
                if *property == Value::Bool(true) {
                    *property = json!({});
                }
            }
            fields.values_mut().for_each(spell_out);
        }
        Value::Array(items) => items.iter_mut().for_each(spell_out),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Nothing where the name is another's.
fn content(name: &str, variant: &mut Value, taken: &BTreeSet<String>) -> Option<(String, Value)> {
    let properties = variant.get_mut("properties")?.as_object_mut()?;
    if properties.len() != 1 {
        return None;
    }
    let (key, inner) = properties.iter_mut().next()?;
    inner.get("properties")?;
    let name = format!("{name}{}", in_one_word(key));
    if taken.contains(&name) {
        return None;
    }
    let named = json!({ "$ref": format!("#/components/schemas/{name}") });
    Some((name, std::mem::replace(inner, named)))
}

/// `send_both` is `SendBoth`.
fn in_one_word(name: &str) -> String {
    let words = name.split(['_', '-']).filter_map(|word| {
        let mut letters = word.chars();
        let first = letters.next()?.to_ascii_uppercase();
        Some(std::iter::once(first).chain(letters).collect::<String>())
    });
    words.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_anything_is_said_so_that_all_understand() {
        let mut schema = json!({ "oneOf": [{ "properties": { "new": true, "old": false } }] });
        spell_out(&mut schema);
        assert_eq!(schema, json!({ "oneOf": [{ "properties": { "new": {}, "old": false } }] }));
    }

    #[test]
    fn the_content_of_a_variant_has_a_schema_of_its_own_and_others_are_left() {
        let inner = json!({ "type": "object", "properties": { "on": { "type": "boolean" } } });
        let variant = |inner: &Value| json!({ "properties": { "put_off": inner } });
        let plain = json!({ "const": "end" });
        let text = json!({ "properties": { "name": { "type": "string" } } });
        let Value::Object(mut schemas) =
            json!({ "Order": { "oneOf": [variant(&inner), plain, text] } })
        else {
            return;
        };
        give(&mut schemas);
        let named = json!({ "$ref": "#/components/schemas/OrderPutOff" });
        assert_eq!(schemas["OrderPutOff"], inner);
        assert_eq!(schemas["Order"]["oneOf"], json!([variant(&named), plain, text]));
    }
}
