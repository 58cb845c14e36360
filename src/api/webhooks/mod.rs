//! A tenant's webhooks: how they are laid down, and what was delivered.

mod document;
mod log;

use axum::body::Bytes;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use jiff::Timestamp;
use schemars::{JsonSchema, SchemaGenerator};
use serde::{Deserialize, Serialize};

use super::endpoint::{Asked, Endpoint};
use super::page::Page;
use super::problem::Problem;
use super::reply::{DONE, Done, Nothing, Reply, Secret, Seen};
use super::shape::{Answer, Good};
use crate::base::ids::WebhookName;
use crate::hooks::HookError;
use crate::model::access::Power;
use crate::model::webhook::{Progress, Webhook, WebhookSettings};
use crate::reach::Forbidden;
use crate::store::{StoreError, TenantScope};

pub(super) use document::sent;

const ALL: &str = "/v1/tenants/{tenant}/webhooks";
const ONE: &str = "/v1/tenants/{tenant}/webhooks/{webhook}";

pub(super) fn endpoints() -> Vec<Endpoint> {
    let (read, write) = (Power::WebhooksRead, Power::WebhooksWrite);
    let (get, post) = (Method::GET, Method::POST);
    let mut all = vec![
        Endpoint::new(get.clone(), ALL, read, "Where a tenant has its events sent", list),
        Endpoint::new(get.clone(), ONE, read, "A webhook; its secret is never shown", show),
        Endpoint::new(
            Method::PUT,
            ONE,
            write,
            "Lay down a webhook; the secret of a new one is shown this once",
            lay_down,
        ),
        Endpoint::new(Method::DELETE, ONE, write, "Forget a webhook and what waits for it", remove),
        Endpoint::new(
            get,
            "/v1/tenants/{tenant}/webhooks/{webhook}/state",
            read,
            "How far a webhook is, and whether it fails",
            state,
        ),
        Endpoint::new(
            post.clone(),
            "/v1/tenants/{tenant}/webhooks/{webhook}/rotate",
            write,
            "Give a webhook a new secret, shown this once; the old one signs for another 24 hours",
            rotate,
        ),
        Endpoint::new(
            post,
            "/v1/tenants/{tenant}/webhooks/{webhook}/test",
            write,
            "Send a `webhook.test` at once, and see what comes back",
            try_out,
        ),
    ];
    all.extend(log::endpoints());
    all
}

#[derive(Debug, Deserialize, JsonSchema)]
struct OneWebhook {
    webhook: WebhookName,
}

/// A webhook, and where it is new its secret.
#[derive(Debug, Serialize, JsonSchema)]
struct LaidWebhook {
    #[serde(flatten)]
    webhook: Webhook,
    /// What its requests are signed with; nobody is shown it again.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

/// The tag is that of the webhook alone, as it is shown later.
impl Answer for LaidWebhook {
    const SECRET: bool = true;

    fn describe(generator: &mut SchemaGenerator) -> Vec<Good> {
        Reply::<Self>::describe(generator)
    }

    fn respond(self, seen: &Seen) -> Result<Response, Problem> {
        let mut response = seen.respond(StatusCode::OK, &self.webhook)?;
        let whole = serde_json::to_vec(&self).map_err(|error| Problem::fault(&error))?;
        if response.status() == StatusCode::OK {
            *response.body_mut() = Bytes::from(whole).into();
        }
        Ok(response)
    }
}

/// A new secret.
#[derive(Debug, Serialize, JsonSchema)]
struct Rotated {
    /// What requests are signed with from now on; nobody is shown it again.
    secret: String,
}

/// What came of a test.
#[derive(Debug, Serialize, JsonSchema)]
struct WebhookTest {
    /// Whether the receiver took it.
    delivered: bool,
    status: Option<u16>,
    /// What was wrong, in words.
    error: Option<String>,
    latency_ms: u64,
    at: Timestamp,
}

impl From<HookError> for Problem {
    fn from(error: HookError) -> Self {
        match error {
            HookError::Store(error) => error.into(),
            HookError::Keyring(error) => error.into(),
            HookError::Busy => Self::unavailable(error.to_string()),
            HookError::Sign(error) => Self::fault(&error),
        }
    }
}

async fn list(asked: Asked<TenantScope>) -> Result<Reply<Page<Webhook>>, Problem> {
    let all = asked.whose.webhooks().await?.into_iter().map(|stored| stored.webhook);
    Ok(Reply(Page::whole(all.collect())))
}

async fn show(asked: Asked<TenantScope, OneWebhook>) -> Result<Reply<Webhook>, Problem> {
    Ok(Reply(asked.whose.webhook(&asked.path.webhook).await?.webhook))
}

async fn lay_down(
    asked: Asked<TenantScope, OneWebhook, Nothing, WebhookSettings>,
) -> Result<LaidWebhook, Problem> {
    let Asked { api, whose, path, body, seen, .. } = asked;
    api.hooks.check(body.url.url()).map_err(|Forbidden(why)| Problem::invalid(why).at("url"))?;
    let laid = match whose.webhook(&path.webhook).await {
        Ok(before) => {
            seen.still(&before.webhook)?;
            let webhook = whose.change_webhook(&path.webhook, &body).await?;
            LaidWebhook { webhook, secret: None }
        }
        Err(StoreError::NotFound { .. }) => {
            let (kept, secret) = api.hooks.secret(whose.id()).await?;
            let webhook = whose.add_webhook(&path.webhook, &body, kept).await?;
            LaidWebhook { webhook, secret: Some(secret.to_string()) }
        }
        Err(error) => return Err(error.into()),
    };
    api.hooks.wake();
    Ok(laid)
}

async fn remove(asked: Asked<TenantScope, OneWebhook>) -> Result<Done, Problem> {
    asked.whose.remove_webhook(&asked.path.webhook).await?;
    asked.api.hooks.wake();
    Ok(DONE)
}

async fn state(asked: Asked<TenantScope, OneWebhook>) -> Result<Reply<Progress>, Problem> {
    Ok(Reply(asked.whose.webhook_progress(&asked.path.webhook).await?))
}

async fn rotate(asked: Asked<TenantScope, OneWebhook>) -> Result<Secret<Rotated>, Problem> {
    let Asked { api, whose, path, .. } = asked;
    whose.webhook(&path.webhook).await?;
    let (kept, secret) = api.hooks.secret(whose.id()).await?;
    whose.rotate_webhook(&path.webhook, kept).await?;
    api.hooks.wake();
    Ok(Secret(Reply(Rotated { secret: secret.to_string() })))
}

async fn try_out(asked: Asked<TenantScope, OneWebhook>) -> Result<Reply<WebhookTest>, Problem> {
    let Asked { api, whose, path, .. } = asked;
    let stored = whose.webhook(&path.webhook).await?;
    let tenant = whose.tenant().await?.slug;
    let said = api.hooks.try_out(&whose, &tenant, &stored).await?;
    Ok(Reply(WebhookTest {
        delivered: said.wrong.is_none(),
        status: said.status,
        error: said.wrong,
        latency_ms: u64::try_from(said.took.as_millis()).unwrap_or(u64::MAX),
        at: Timestamp::now(),
    }))
}
