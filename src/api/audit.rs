//! The audit log.

use axum::http::Method;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;

use super::endpoint::{Asked, Endpoint};
use super::page::{Limit, Page, cursor, next};
use super::problem::Problem;
use super::reply::{Nothing, Reply};
use crate::base::ids::ApiKeyId;
use crate::model::access::Power;
use crate::model::act::Act;
use crate::store::{ActFilter, Operator, TenantScope};

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::new(
            Method::GET,
            "/v1/tenants/{tenant}/audit",
            Power::AuditRead,
            "What was changed, heard or listened to, and by whom; the newest first",
            list,
        ),
        Endpoint::new(
            Method::GET,
            "/v1/audit",
            Power::TenantsManage,
            "What was changed that is no tenant's, the newest first",
            own_list,
        ),
    ]
}

/// Which entries, and which part of the list.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Listed {
    /// `next` of the page before.
    #[serde(default)]
    cursor: Option<String>,
    #[serde(default)]
    limit: Limit,
    /// `room` for all that was done to rooms, or `room.put`.
    #[serde(default)]
    what: Option<String>,
    /// The name or id of what it was done to.
    #[serde(default)]
    subject: Option<String>,
    /// Only what was done with this API key.
    #[serde(default)]
    key: Option<ApiKeyId>,
    /// Entries of then or later.
    #[serde(default)]
    from: Option<Timestamp>,
    /// Entries before.
    #[serde(default)]
    to: Option<Timestamp>,
}

impl Listed {
    fn filter(self) -> ActFilter {
        let Self { what, subject, key, from, to, .. } = self;
        ActFilter { what, subject, key, from, to }
    }
}

async fn list(asked: Asked<TenantScope, Nothing, Listed>) -> Result<Reply<Page<Act>>, Problem> {
    let (after, limit) = (cursor(asked.query.cursor.as_deref())?, asked.query.limit.0);
    let page = asked.whose.log(&asked.query.filter(), after, limit).await?;
    Ok(Reply(Page { items: page.items, next: next(page.next) }))
}

async fn own_list(asked: Asked<Operator, Nothing, Listed>) -> Result<Reply<Page<Act>>, Problem> {
    let (after, limit) = (cursor(asked.query.cursor.as_deref())?, asked.query.limit.0);
    let page = asked.whose.log(&asked.query.filter(), after, limit).await?;
    Ok(Reply(Page { items: page.items, next: next(page.next) }))
}
