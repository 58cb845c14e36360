//! What became of a webhook's deliveries, and how they are made again.

use axum::http::Method;
use schemars::JsonSchema;
use serde::Deserialize;

use super::super::endpoint::{Asked, Endpoint};
use super::super::page::{Limit, Page, cursor, next};
use super::super::problem::Problem;
use super::super::reply::{DONE, Done, Nothing, Reply};
use super::OneWebhook;
use crate::base::ids::{DeliveryId, WebhookName};
use crate::model::access::Power;
use crate::model::webhook::Delivery;
use crate::store::TenantScope;

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::new(
            Method::GET,
            "/v1/tenants/{tenant}/webhooks/{webhook}/deliveries",
            Power::WebhooksRead,
            "What was delivered, what waits and what failed, the latest first",
            list,
        ),
        Endpoint::new(
            Method::POST,
            "/v1/tenants/{tenant}/webhooks/{webhook}/deliveries/{delivery}/replay",
            Power::WebhooksWrite,
            "Deliver an event again, now",
            replay_one,
        ),
        Endpoint::new(
            Method::POST,
            "/v1/tenants/{tenant}/webhooks/{webhook}/replay",
            Power::WebhooksWrite,
            "Deliver again all that was told after some event",
            replay,
        ),
    ]
}

#[derive(Debug, Deserialize, JsonSchema)]
struct OneDelivery {
    webhook: WebhookName,
    delivery: DeliveryId,
}

/// Which deliveries are wanted.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Which {
    /// Only those whose last attempt failed, and gaps.
    #[serde(default)]
    failed: bool,
    /// `next` of the page before.
    #[serde(default)]
    cursor: Option<String>,
    #[serde(default)]
    limit: Limit,
}

/// From where on.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ReplayFrom {
    /// The sequence of the last event that is not wanted again; 0 for all that are kept.
    after: u64,
}

async fn list(
    asked: Asked<TenantScope, OneWebhook, Which>,
) -> Result<Reply<Page<Delivery>>, Problem> {
    let Asked { whose, path, query, .. } = asked;
    let after = cursor(query.cursor.as_deref())?;
    let page = whose.deliveries(&path.webhook, query.failed, after, query.limit.0).await?;
    Ok(Reply(Page { items: page.items, next: next(page.next) }))
}

async fn replay_one(asked: Asked<TenantScope, OneDelivery>) -> Result<Done, Problem> {
    let Asked { api, whose, path, .. } = asked;
    whose.replay_delivery(&path.webhook, path.delivery).await?;
    api.hooks.wake();
    Ok(DONE)
}

async fn replay(
    asked: Asked<TenantScope, OneWebhook, Nothing, ReplayFrom>,
) -> Result<Done, Problem> {
    let Asked { api, whose, path, body, .. } = asked;
    whose.replay_after(&path.webhook, body.after).await?;
    api.hooks.wake();
    Ok(DONE)
}
