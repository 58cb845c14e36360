//! Limits on a tenant's calls: on all of them, which the operator decides, and on those to a number
//! or through a gateway.

use axum::http::Method;
use schemars::JsonSchema;
use serde::Deserialize;

use super::endpoint::{Asked, Endpoint};
use super::page::Page;
use super::problem::Problem;
use super::reply::{DONE, Done, Nothing, Reply};
use crate::base::ids::GatewayName;
use crate::model::access::Power;
use crate::model::admission::{CallLimit, CallLimits, LimitOn};
use crate::store::TenantScope;

pub(super) fn endpoints() -> Vec<Endpoint> {
    let all = "/v1/tenants/{tenant}/limits";
    let whole = "/v1/tenants/{tenant}/limits/tenant";
    let (write, manage) = (Power::NumbersWrite, Power::TenantsManage);
    vec![
        Endpoint::new(Method::GET, all, Power::NumbersRead, "Limits on a tenant's calls", list),
        Endpoint::new(
            Method::PUT,
            all,
            write,
            "Limit the calls to a number or through a gateway",
            put,
        ),
        Endpoint::new(
            Method::DELETE,
            all,
            write,
            "Limit the calls to a number or through a gateway no more",
            remove,
        ),
        Endpoint::new(Method::PUT, whole, manage, "Limit all calls of a tenant", put_whole),
        Endpoint::new(
            Method::DELETE,
            whole,
            manage,
            "Limit all calls of a tenant no more",
            remove_whole,
        ),
    ]
}

/// Which limit; exactly one of the two.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Which {
    /// The number or pattern, as the number map has it.
    #[serde(default)]
    number: Option<String>,
    /// The gateway's name.
    #[serde(default)]
    gateway: Option<GatewayName>,
}

async fn list(asked: Asked<TenantScope>) -> Result<Reply<Page<CallLimit>>, Problem> {
    Ok(Reply(Page::whole(asked.whose.limits().await?)))
}

async fn put(
    asked: Asked<TenantScope, Nothing, Nothing, CallLimit>,
) -> Result<Reply<CallLimit>, Problem> {
    if asked.body.on == LimitOn::Tenant {
        let why = "the limit on all calls is the operator's: `limits/tenant`";
        return Err(Problem::invalid(why).at("on"));
    }
    Ok(Reply(asked.whose.put_limit(&asked.body).await?))
}

async fn remove(asked: Asked<TenantScope, Nothing, Which>) -> Result<Done, Problem> {
    let on = match (asked.query.number, asked.query.gateway) {
        (Some(number), None) => LimitOn::Number(number),
        (None, Some(gateway)) => LimitOn::Gateway(gateway),
        _ => return Err(Problem::invalid("say `number` or `gateway`, and only one of them")),
    };
    asked.whose.remove_limit(&on).await?;
    Ok(DONE)
}

async fn put_whole(
    asked: Asked<TenantScope, Nothing, Nothing, CallLimits>,
) -> Result<Reply<CallLimit>, Problem> {
    let limit = CallLimit { on: LimitOn::Tenant, limits: asked.body };
    Ok(Reply(asked.whose.put_limit(&limit).await?))
}

async fn remove_whole(asked: Asked<TenantScope>) -> Result<Done, Problem> {
    asked.whose.remove_limit(&LimitOn::Tenant).await?;
    Ok(DONE)
}
