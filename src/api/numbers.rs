//! Numbers, and the flows they lead to.

use axum::http::Method;
use schemars::JsonSchema;
use serde::Deserialize;

use super::endpoint::{Asked, Endpoint};
use super::page::Page;
use super::problem::Problem;
use super::reply::{DONE, Done, Nothing, Reply};
use crate::model::access::Power;
use crate::model::tenant::{NumberMatch, NumberRoute};
use crate::store::{NewNumber, TenantScope};

pub(super) fn endpoints() -> Vec<Endpoint> {
    let path = "/v1/tenants/{tenant}/numbers";
    let write = Power::NumbersWrite;
    vec![
        Endpoint::new(Method::GET, path, Power::NumbersRead, "A tenant's numbers", list),
        Endpoint::new(Method::PUT, path, write, "Lead a number to a flow", put),
        Endpoint::new(Method::DELETE, path, write, "Lead a number nowhere", remove),
    ]
}

/// Which one; exactly one of the two.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Which {
    /// The number as it is dialed.
    #[serde(default)]
    exact: Option<String>,
    /// The regular expression, as it was given.
    #[serde(default)]
    pattern: Option<String>,
}

async fn list(asked: Asked<TenantScope>) -> Result<Reply<Page<NumberRoute>>, Problem> {
    Ok(Reply(Page::whole(asked.whose.numbers().await?)))
}

async fn put(
    asked: Asked<TenantScope, Nothing, Nothing, NewNumber>,
) -> Result<Reply<NumberRoute>, Problem> {
    Ok(Reply(asked.whose.put_number(&asked.body).await?))
}

async fn remove(asked: Asked<TenantScope, Nothing, Which>) -> Result<Done, Problem> {
    let number = match (asked.query.exact, asked.query.pattern) {
        (Some(exact), None) => NumberMatch::Exact(exact),
        (None, Some(pattern)) => NumberMatch::Pattern(pattern),
        _ => return Err(Problem::invalid("say `exact` or `pattern`, and only one of them")),
    };
    asked.whose.remove_number(&number).await?;
    Ok(DONE)
}
