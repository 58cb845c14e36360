//! What happened: call records, timelines, and who listened to whom.

use axum::http::Method;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;

use super::endpoint::{Asked, Endpoint};
use super::page::{Limit, Page, Part, cursor, next};
use super::problem::Problem;
use super::reply::{Nothing, Reply};
use crate::base::cause::{HangupCause, Party};
use crate::base::ids::{CallId, FlowName};
use crate::model::access::Power;
use crate::model::admission::Rule;
use crate::model::audit::AuditEntry;
use crate::model::record::{CallHead, CallRecord};
use crate::model::timeline::Entry;
use crate::store::{CallFilter, TenantScope};

pub(super) fn endpoints() -> Vec<Endpoint> {
    let (get, records) = (Method::GET, Power::RecordsRead);
    vec![
        Endpoint::new(
            get.clone(),
            "/v1/tenants/{tenant}/records",
            records,
            "Calls that are over, the newest first",
            list,
        ),
        Endpoint::new(
            get.clone(),
            "/v1/tenants/{tenant}/records/{call}",
            records,
            "The record of a call",
            record,
        ),
        Endpoint::new(
            get.clone(),
            "/v1/tenants/{tenant}/records/{call}/timeline",
            records,
            "Everything that happened to a call; of one that is up, what is known so far",
            timeline,
        ),
        Endpoint::new(
            get,
            "/v1/tenants/{tenant}/monitoring",
            Power::AuditRead,
            "Who listened to whom, the newest first",
            monitoring,
        ),
    ]
}

#[derive(Debug, Deserialize, JsonSchema)]
struct OneCall {
    call: CallId,
}

/// Which calls, and which part of the list.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Listed {
    /// `next` of the page before.
    #[serde(default)]
    cursor: Option<String>,
    #[serde(default)]
    limit: Limit,
    /// Calls that began then or later.
    #[serde(default)]
    from: Option<Timestamp>,
    /// Calls that began before.
    #[serde(default)]
    to: Option<Timestamp>,
    /// The caller's number or the dialed one.
    #[serde(default)]
    number: Option<String>,
    #[serde(default)]
    flow: Option<FlowName>,
    /// How it ended, such as `NORMAL_CLEARING`.
    #[serde(default)]
    cause: Option<HangupCause>,
    /// Who ended it.
    #[serde(default)]
    ended_by: Option<Party>,
    /// The rule that did not let it in.
    #[serde(default)]
    turned_away: Option<Rule>,
}

async fn list(
    asked: Asked<TenantScope, Nothing, Listed>,
) -> Result<Reply<Page<CallHead>>, Problem> {
    let Listed { cursor: after, limit, from, to, number, flow, .. } = asked.query;
    let Listed { cause, ended_by: party, turned_away, .. } = asked.query;
    let filter = CallFilter { from, to, number, flow, cause, party, turned_away };
    let page = asked.whose.calls(&filter, cursor(after.as_deref())?, limit.0).await?;
    Ok(Reply(Page { items: page.items, next: next(page.next) }))
}

async fn record(asked: Asked<TenantScope, OneCall>) -> Result<Reply<CallRecord>, Problem> {
    Ok(Reply(asked.whose.call(asked.path.call).await?))
}

async fn timeline(asked: Asked<TenantScope, OneCall>) -> Result<Reply<Page<Entry>>, Problem> {
    Ok(Reply(Page::whole(asked.whose.timeline(asked.path.call).await?)))
}

async fn monitoring(
    asked: Asked<TenantScope, Nothing, Part>,
) -> Result<Reply<Page<AuditEntry>>, Problem> {
    Ok(Reply(Page::whole(asked.whose.audit(asked.query.limit.0).await?)))
}
