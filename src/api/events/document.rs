//! What followers are told, for programs: AsyncAPI 3.0, made from the types themselves.

use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use super::Follow;
use super::feed::Aside;
use super::socket::{BEARER, PATH, PROTOCOL};
use crate::api::choices;
use crate::model::event::Event;

/// As AsyncAPI 3.0.
pub(in crate::api) fn document() -> Value {
    let mut generator = SchemaSettings::draft2020_12()
        .with(|settings| settings.definitions_path = "/components/schemas".into())
        .into_generator();
    let event = generator.subschema_for::<Event>();
    let aside = generator.subschema_for::<Aside<'_>>();
    let wanted = generator.subschema_for::<Follow>();
    let schemas = generator.take_definitions(true);
    let message = |name: &str| json!({ "$ref": format!("#/components/messages/{name}") });
    let on_channel = |name: &str| json!({ "$ref": format!("#/channels/events/messages/{name}") });
    let mut document = json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Callwright: what happens",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "How a tenant's calls stand, then every event in order and once. \
                Who was cut off goes on with `after`, the sequence of the last event that it has. \
                The same comes as server-sent events from `/v1/tenants/{tenant}/events/stream`.",
            "license": { "name": "MIT OR Apache-2.0" },
        },
        "defaultContentType": "application/json",
        "channels": {
            "events": {
                "address": PATH,
                "messages": { "event": message("event"), "aside": message("aside") },
                "bindings": { "ws": { "query": wanted, "bindingVersion": "0.1.0" } },
            },
        },
        "operations": {
            "follow": {
                "action": "send",
                "channel": { "$ref": "#/channels/events" },
                "messages": [on_channel("event"), on_channel("aside")],
            },
        },
        "components": {
            "messages": {
                "event": { "payload": event },
                "aside": { "payload": aside },
            },
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": format!(
                        "An API key or a token; a browser offers it as a protocol, `{BEARER}` and \
                         the token, beside `{PROTOCOL}`"
                    ),
                },
            },
            "schemas": schemas,
        },
    });
    choices::flatten(&mut document);
    document
}
