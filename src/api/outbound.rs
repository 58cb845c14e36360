//! Calls to numbers outside: the routes that lead them, and what a tenant may call.

use axum::http::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::endpoint::{Asked, Endpoint};
use super::page::Page;
use super::problem::Problem;
use super::reply::{DONE, Done, Nothing, Reply};
use crate::base::ids::RouteName;
use crate::model::access::Power;
use crate::model::outbound::{Route, Rules, Usage};
use crate::store::{StoreError, StoredRoute, TenantScope};

pub(super) fn endpoints() -> Vec<Endpoint> {
    let (all, one) = ("/v1/tenants/{tenant}/routes", "/v1/tenants/{tenant}/routes/{route}");
    let (rules, lock) = ("/v1/tenants/{tenant}/outbound", "/v1/tenants/{tenant}/outbound/lock");
    let (read, write) = (Power::GatewaysRead, Power::GatewaysWrite);
    let (get, put, delete) = (Method::GET, Method::PUT, Method::DELETE);
    let govern = Power::RulesWrite;
    vec![
        Endpoint::new(get.clone(), all, read, "By which gateways numbers are called", list),
        Endpoint::new(get.clone(), one, read, "A route", show),
        Endpoint::new(put.clone(), one, write, "Lay down a route", lay_down),
        Endpoint::new(delete.clone(), one, write, "Forget a route", remove),
        Endpoint::new(get.clone(), rules, read, "What a tenant may call", rules_of),
        Endpoint::new(put, rules, govern, "Lay down what a tenant may call", govern_by),
        Endpoint::new(
            get,
            "/v1/tenants/{tenant}/outbound/usage",
            read,
            "What a tenant's calls come to now, and whether they are locked",
            usage,
        ),
        Endpoint::new(delete, lock, govern, "Let a locked tenant call again", unlock),
    ]
}

#[derive(Debug, Deserialize, JsonSchema)]
struct OneRoute {
    route: RouteName,
}

#[derive(Debug, Serialize, JsonSchema)]
struct KeptRoute {
    name: RouteName,
    #[serde(flatten)]
    route: Route,
}

impl From<StoredRoute> for KeptRoute {
    fn from(stored: StoredRoute) -> Self {
        Self { name: stored.name, route: stored.route }
    }
}

async fn list(asked: Asked<TenantScope>) -> Result<Reply<Page<KeptRoute>>, Problem> {
    let routes = asked.whose.outbound_routes().await?;
    Ok(Reply(Page::whole(routes.into_iter().map(KeptRoute::from).collect())))
}

async fn show(asked: Asked<TenantScope, OneRoute>) -> Result<Reply<KeptRoute>, Problem> {
    Ok(Reply(asked.whose.route(&asked.path.route).await?.into()))
}

async fn lay_down(
    asked: Asked<TenantScope, OneRoute, Nothing, Route>,
) -> Result<Reply<KeptRoute>, Problem> {
    let Asked { whose, path, body, seen, .. } = asked;
    match whose.route(&path.route).await {
        Ok(route) => seen.still(&KeptRoute::from(route))?,
        Err(StoreError::NotFound { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(Reply(whose.put_route(&path.route, &body).await?.into()))
}

async fn remove(asked: Asked<TenantScope, OneRoute>) -> Result<Done, Problem> {
    asked.whose.remove_route(&asked.path.route).await?;
    Ok(DONE)
}

async fn rules_of(asked: Asked<TenantScope>) -> Result<Reply<Rules>, Problem> {
    Ok(Reply(asked.whose.outbound_rules().await?))
}

async fn govern_by(
    asked: Asked<TenantScope, Nothing, Nothing, Rules>,
) -> Result<Reply<Rules>, Problem> {
    let Asked { whose, body, seen, .. } = asked;
    seen.still(&whose.outbound_rules().await?)?;
    Ok(Reply(whose.set_outbound_rules(&body).await?))
}

async fn usage(asked: Asked<TenantScope>) -> Result<Reply<Usage>, Problem> {
    let timezone = asked.whose.tenant().await?.timezone;
    Ok(Reply(asked.whose.outbound_usage(&timezone).await?))
}

async fn unlock(asked: Asked<TenantScope>) -> Result<Done, Problem> {
    asked.whose.unlock_outbound().await?;
    Ok(DONE)
}
