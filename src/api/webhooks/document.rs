//! What receivers are sent, for programs: the `webhooks` of OpenAPI 3.1.

use jiff::Timestamp;
use schemars::{JsonSchema, SchemaGenerator};
use serde::Serialize;
use serde_json::{Value, json};

use crate::base::ids::{TenantSlug, WebhookName};
use crate::model::event::Event;

/// An event as a webhook's receiver gets it.
#[derive(Debug, Serialize, JsonSchema)]
struct SentEvent {
    tenant: TenantSlug,
    #[serde(flatten)]
    event: Event,
}

/// What is sent to try a webhook out.
#[derive(Debug, Serialize, JsonSchema)]
struct SentTest {
    tenant: TenantSlug,
    #[schemars(with = "String")]
    at: Timestamp,
    /// `webhook.test`.
    r#type: &'static str,
    webhook: WebhookName,
}

const ABOUT: &str = "Sent at least once, what is about one call in its order. Check the signature \
    as Standard Webhooks has it: HMAC-SHA-256 over `webhook-id`, `webhook-timestamp` and the body, \
    with a full stop between, under the bytes that follow `whsec_` in base64. While a secret is \
    rotated there are two signatures. `webhook-id` is the same in each attempt.";

pub(in crate::api) fn sent(generator: &mut SchemaGenerator) -> Value {
    let event = generator.subschema_for::<SentEvent>();
    let test = generator.subschema_for::<SentTest>();
    json!({
        "event": { "post": request("A tenant's event", &event.to_value()) },
        "test": { "post": request("A webhook is tried out", &test.to_value()) },
    })
}

fn request(summary: &str, schema: &Value) -> Value {
    let header = |name: &str, about: &str| {
        json!({
            "name": name, "in": "header", "required": true, "description": about,
            "schema": { "type": "string" },
        })
    };
    json!({
        "summary": summary,
        "description": ABOUT,
        "security": [],
        "parameters": [
            header("webhook-id", "Tells the event from all others; the same in each attempt"),
            header("webhook-timestamp", "Of this attempt, in seconds since 1970"),
            header("webhook-signature", "`v1,` and the signature in base64, with spaces between \
                several"),
        ],
        "requestBody": {
            "required": true, "content": { "application/json": { "schema": schema } },
        },
        "responses": {
            "2XX": { "description": "Taken" },
            "410": { "description": "Nothing more is wanted: the webhook is disabled" },
            "default": { "description": "It is sent again later; redirects are not followed" },
        },
    })
}
