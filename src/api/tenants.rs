//! Tenants, and their rules for conversations.

use axum::http::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::access::Anyone;
use super::endpoint::{Asked, Endpoint};
use super::page::Page;
use super::problem::Problem;
use super::reply::{Nothing, Reply};
use crate::flow::talk::TalkSettings;
use crate::model::access::{ApiKey, Power};
use crate::model::tenant::Tenant;
use crate::model::token::Token;
use crate::model::user::User;
use crate::store::{NewTenant, Operator, TenantScope};

pub(super) fn endpoints() -> Vec<Endpoint> {
    let (get, post, put) = (Method::GET, Method::POST, Method::PUT);
    vec![
        Endpoint::new(get.clone(), "/v1/me", None, "The key or token with which you ask", me),
        Endpoint::new(get.clone(), "/v1/tenants", Power::TenantsManage, "All tenants", list),
        Endpoint::new(post, "/v1/tenants", Power::TenantsManage, "Add a tenant", add),
        Endpoint::new(get.clone(), "/v1/tenants/{tenant}", Power::TenantRead, "A tenant", one),
        Endpoint::new(
            put.clone(),
            "/v1/tenants/{tenant}",
            Power::TenantsManage,
            "Replace what the operator decides about a tenant",
            change,
        ),
        Endpoint::new(
            get,
            "/v1/tenants/{tenant}/rules",
            Power::TenantRead,
            "What a tenant lays down for its conversations",
            rules,
        ),
        Endpoint::new(
            put,
            "/v1/tenants/{tenant}/rules",
            Power::RulesWrite,
            "Replace what a tenant lays down for its conversations",
            set_rules,
        ),
    ]
}

/// Who asks.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
struct Me {
    /// None where a token asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<ApiKey>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    token: Option<Token>,
    /// Whose token it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user: Option<User>,
    /// What you may do, all told.
    powers: Vec<Power>,
}

async fn me(asked: Asked<Anyone>) -> Result<Reply<Me>, Problem> {
    let by = asked.by;
    let powers = Power::ALL.into_iter().filter(|power| by.may(*power)).collect();
    let key = by.token.is_none().then_some(by.key);
    Ok(Reply(Me { key, token: by.token, user: by.user, powers }))
}

async fn list(asked: Asked<Operator>) -> Result<Reply<Page<Tenant>>, Problem> {
    Ok(Reply(Page::whole(asked.whose.tenants().await?)))
}

async fn add(
    asked: Asked<Operator, Nothing, Nothing, NewTenant>,
) -> Result<Reply<Tenant, 201>, Problem> {
    Ok(Reply(asked.whose.create_tenant(&asked.body).await?))
}

async fn one(asked: Asked<TenantScope>) -> Result<Reply<Tenant>, Problem> {
    Ok(Reply(asked.whose.tenant().await?))
}

async fn change(
    asked: Asked<TenantScope, Nothing, Nothing, NewTenant>,
) -> Result<Reply<Tenant>, Problem> {
    asked.seen.still(&asked.whose.tenant().await?)?;
    Ok(Reply(asked.whose.change(&asked.body).await?))
}

fn rules_of(tenant: &Tenant) -> Result<TalkSettings, Problem> {
    serde_json::from_value(tenant.talk.clone()).map_err(|error| Problem::fault(&error))
}

async fn rules(asked: Asked<TenantScope>) -> Result<Reply<TalkSettings>, Problem> {
    Ok(Reply(rules_of(&asked.whose.tenant().await?)?))
}

async fn set_rules(
    asked: Asked<TenantScope, Nothing, Nothing, TalkSettings>,
) -> Result<Reply<TalkSettings>, Problem> {
    asked.seen.still(&rules_of(&asked.whose.tenant().await?)?)?;
    Ok(Reply(rules_of(&asked.whose.set_talk(&asked.body).await?)?))
}
