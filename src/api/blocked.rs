//! Callers whose calls a tenant does not want.

use axum::http::Method;
use schemars::JsonSchema;
use serde::Deserialize;

use super::endpoint::{Asked, Endpoint};
use super::page::Page;
use super::problem::Problem;
use super::reply::{DONE, Done, Nothing, Reply};
use crate::model::access::Power;
use crate::model::admission::{BlockMatch, BlockedCaller};
use crate::store::{BlockedCallers, NewBlock, TenantScope};

pub(super) fn endpoints() -> Vec<Endpoint> {
    let path = "/v1/tenants/{tenant}/blocked-callers";
    let write = Power::NumbersWrite;
    vec![
        Endpoint::new(
            Method::GET,
            path,
            Power::NumbersRead,
            "Callers that are blocked, and how many calls that kept away",
            list,
        ),
        Endpoint::new(Method::PUT, path, write, "Block callers before they are answered", put),
        Endpoint::new(Method::DELETE, path, write, "Let blocked callers in again", remove),
    ]
}

/// Which entry; exactly one of the three.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Which {
    /// The number, as it was given.
    #[serde(default)]
    exact: Option<String>,
    /// The beginning of numbers, as it was given.
    #[serde(default)]
    prefix: Option<String>,
    /// Callers who do not show a number.
    #[serde(default)]
    withheld: Option<bool>,
}

async fn list(asked: Asked<TenantScope>) -> Result<Reply<Page<BlockedCallers>>, Problem> {
    Ok(Reply(Page::whole(asked.whose.blocked().await?)))
}

async fn put(
    asked: Asked<TenantScope, Nothing, Nothing, NewBlock>,
) -> Result<Reply<BlockedCaller>, Problem> {
    Ok(Reply(asked.whose.put_block(&asked.body).await?))
}

async fn remove(asked: Asked<TenantScope, Nothing, Which>) -> Result<Done, Problem> {
    let caller = match asked.query {
        Which { exact: Some(exact), prefix: None, withheld: None } => BlockMatch::Exact(exact),
        Which { exact: None, prefix: Some(prefix), withheld: None } => BlockMatch::Prefix(prefix),
        Which { exact: None, prefix: None, withheld: Some(true) } => BlockMatch::Withheld,
        _ => {
            let why = "say `exact`, `prefix` or `withheld=true`, and only one of them";
            return Err(Problem::invalid(why));
        }
    };
    asked.whose.remove_block(&caller).await?;
    Ok(DONE)
}
