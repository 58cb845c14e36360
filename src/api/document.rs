//! The documentation for programs, OpenAPI 3.1, made from the endpoints themselves.

use axum::http::Method;
use schemars::generate::SchemaSettings;
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::choices;
use super::endpoint::Endpoint;
use super::names;
use super::once::NAME_MAX;
use super::problem::Words;
use super::shape::{Described, Media};

/// Which problems an endpoint may answer with, besides those of every endpoint.
const PROBLEMS: [(&str, &str); 12] = [
    ("400", "What was sent can't be read"),
    ("401", "No API key or token, or none that counts"),
    ("403", "The key or token may not do this"),
    ("404", "There is no such thing, or it is another tenant's"),
    ("409", "It can't be done as things are now"),
    ("410", "It is not kept any more"),
    ("412", "It was changed since it was read"),
    ("413", "What was sent is too long"),
    ("415", "What was sent is of the wrong kind"),
    ("422", "What was sent is wrong, and where"),
    ("429", "You ask too often"),
    ("503", "It can't be done now"),
];

/// `sent` describes what is sent to others of itself.
pub(super) fn of(
    endpoints: &[Endpoint],
    sent: impl FnOnce(&mut SchemaGenerator) -> Value,
) -> Value {
    let mut generator = SchemaSettings::draft2020_12()
        .with(|settings| settings.definitions_path = "/components/schemas".into())
        .into_generator();
    let problem = generator.subschema_for::<Words>();
    let mut paths: Map<String, Value> = Map::new();
    for endpoint in endpoints {
        let described = (endpoint.describe)(&mut generator);
        let method = endpoint.method.as_str().to_ascii_lowercase();
        let of_path = paths.entry(endpoint.path).or_insert_with(|| json!({}));
        if let Some(of_path) = of_path.as_object_mut() {
            of_path.insert(method, operation(endpoint, &described));
        }
    }
    let sent = sent(&mut generator);
    let mut schemas = generator.take_definitions(true);
    names::give(&mut schemas);
    let mut document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Callwright",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "What can be asked of Callwright and ordered from it over HTTP. \
                Errors are `application/problem+json`; times are UTC; `ETag` and `If-Match` \
                guard changes; every answer has an `X-Request-Id`.",
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "security": [{ "key": [] }],
        "paths": paths,
        "webhooks": sent,
        "components": {
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "An API key, made by `callwright api-key add`, or a token, \
                        minted with one for a browser",
                },
            },
            "responses": problems(&problem),
            "schemas": schemas,
        },
    });
    choices::flatten(&mut document);
    document
}

fn operation(endpoint: &Endpoint, described: &Described) -> Value {
    let mut operation = json!({
        "operationId": identity(endpoint),
        "summary": endpoint.summary,
        "tags": [tag(endpoint.path)],
        "parameters": parameters(endpoint, described),
        "responses": responses(described),
    });
    if let Some(power) = endpoint.power {
        operation["description"] = json!(format!("Takes the power `{power}`."));
        operation["security"] = json!([{ "key": [power.name()] }]);
    }
    if let Some(body) = &described.body {
        operation["requestBody"] = json!({
            "required": true,
            "content": content(body),
        });
    }
    operation
}

/// Such as `get_tenants_tenant_calls`.
fn identity(endpoint: &Endpoint) -> String {
    let path = endpoint.path.trim_start_matches("/v1/").replace(['{', '}'], "");
    let method = endpoint.method.as_str().to_ascii_lowercase();
    format!("{method}_{}", path.replace(['/', '-', '.'], "_"))
}

/// The resource: the last part of a tenant's path, or the first, that is not a name.
fn tag(path: &str) -> &str {
    let rest = path.strip_prefix("/v1/tenants/{tenant}/").or_else(|| path.strip_prefix("/v1/"));
    rest.and_then(|rest| rest.split(['/', '.']).next()).unwrap_or(path)
}

fn parameters(endpoint: &Endpoint, described: &Described) -> Vec<Value> {
    let mut parameters = Vec::new();
    let known = properties(&described.path);
    for name in endpoint.path.split(['{', '}']).skip(1).step_by(2) {
        let named = known.iter().find(|(known, _)| *known == name);
        let schema =
            named.map_or_else(|| json!({ "type": "string" }), |(_, schema)| schema.clone());
        parameters.push(json!({ "name": name, "in": "path", "required": true, "schema": schema }));
    }
    if let Some(query) = &described.query {
        let required = query.get("required").and_then(Value::as_array);
        for (name, schema) in properties(query) {
            let needed = required.is_some_and(|names| names.iter().any(|one| one == &name));
            let about = schema.get("description").cloned();
            let mut parameter =
                json!({ "name": name, "in": "query", "required": needed, "schema": schema });
            if let Some(about) = about {
                parameter["description"] = about;
            }
            parameters.push(parameter);
        }
    }
    if endpoint.method == Method::POST {
        parameters.push(once());
    }
    parameters
}

/// What a request may have that is not to be done twice.
fn once() -> Value {
    json!({
        "name": "Idempotency-Key", "in": "header", "required": false,
        "description": "The same request with the same key is done once, and answered alike for \
            24 hours.",
        "schema": {
            "type": "string", "minLength": 1, "maxLength": NAME_MAX, "pattern": "^[!-~]+$",
        },
    })
}

fn properties(schema: &Schema) -> Vec<(String, Value)> {
    let properties = schema.get("properties").and_then(Value::as_object);
    let pairs = properties.into_iter().flatten();
    pairs.map(|(name, schema)| (name.clone(), schema.clone())).collect()
}

fn content(media: &Media) -> Value {
    let kinds = media.kinds.iter();
    let each = kinds.map(|kind| ((*kind).to_owned(), json!({ "schema": media.schema })));
    Value::Object(each.collect())
}

fn responses(described: &Described) -> Value {
    let mut responses = Map::new();
    for (status, _) in PROBLEMS {
        let named = json!({ "$ref": format!("#/components/responses/{status}") });
        responses.insert(status.into(), named);
    }
    for good in &described.answers {
        let mut answer = json!({ "description": good.about });
        if let Some(media) = &good.media {
            answer["content"] = content(media);
        }
        for header in good.headers {
            answer["headers"][*header] = json!({ "schema": { "type": "string" } });
        }
        responses.insert(good.status.to_string(), answer);
    }
    Value::Object(responses)
}

fn problems(problem: &Schema) -> Value {
    let content = json!({ "application/problem+json": { "schema": problem } });
    let problem = |(status, description): (&str, &str)| {
        (status.to_owned(), json!({ "description": description, "content": content }))
    };
    Value::Object(PROBLEMS.into_iter().map(problem).collect())
}
