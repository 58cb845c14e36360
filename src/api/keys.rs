//! API keys, a tenant's and the operator's own.

use axum::http::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::endpoint::{Asked, Endpoint};
use super::page::Page;
use super::problem::Problem;
use super::reply::{DONE, Done, Nothing, Reply, Secret};
use crate::base::ids::ApiKeyId;
use crate::base::masked::Masked;
use crate::model::access::{ApiKey, Power};
use crate::store::{NewApiKey, Operator, TenantScope};

pub(super) fn endpoints() -> Vec<Endpoint> {
    let (get, post, delete) = (Method::GET, Method::POST, Method::DELETE);
    let (own, keys) = ("/v1/keys", "/v1/tenants/{tenant}/keys");
    let manage = Power::KeysManage;
    vec![
        Endpoint::new(get.clone(), own, Power::TenantsManage, "The operator's own keys", own_list),
        Endpoint::new(
            post.clone(),
            own,
            Power::TenantsManage,
            "Make a key of the operator's",
            own_add,
        ),
        Endpoint::new(
            delete.clone(),
            "/v1/keys/{key}",
            Power::TenantsManage,
            "Revoke a key of the operator's",
            own_revoke,
        ),
        Endpoint::new(get, keys, manage, "A tenant's keys", list),
        Endpoint::new(post, keys, manage, "Make a key, which is shown this once", add),
        Endpoint::new(delete, "/v1/tenants/{tenant}/keys/{key}", manage, "Revoke a key", revoke),
    ]
}

#[derive(Debug, Deserialize, JsonSchema)]
struct OneKey {
    key: ApiKeyId,
}

/// A key at the one moment when it is known whole.
#[derive(Debug, Serialize, JsonSchema)]
struct Made {
    #[serde(flatten)]
    key: ApiKey,
    /// The key as it is sent; nobody learns it again.
    secret: String,
}

fn made((key, secret): (ApiKey, Masked<String>)) -> Secret<Made> {
    Secret(Reply(Made { key, secret: secret.reveal().clone() }))
}

async fn own_list(asked: Asked<Operator>) -> Result<Reply<Page<ApiKey>>, Problem> {
    Ok(Reply(Page::whole(asked.whose.api_keys().await?)))
}

async fn own_add(
    asked: Asked<Operator, Nothing, Nothing, NewApiKey>,
) -> Result<Secret<Made>, Problem> {
    Ok(made(asked.whose.add_api_key(&asked.body).await?))
}

async fn own_revoke(asked: Asked<Operator, OneKey>) -> Result<Done, Problem> {
    asked.whose.revoke_api_key(asked.path.key).await?;
    Ok(DONE)
}

async fn list(asked: Asked<TenantScope>) -> Result<Reply<Page<ApiKey>>, Problem> {
    Ok(Reply(Page::whole(asked.whose.api_keys().await?)))
}

async fn add(
    asked: Asked<TenantScope, Nothing, Nothing, NewApiKey>,
) -> Result<Secret<Made>, Problem> {
    Ok(made(asked.whose.add_api_key(&asked.body).await?))
}

async fn revoke(asked: Asked<TenantScope, OneKey>) -> Result<Done, Problem> {
    asked.whose.revoke_api_key(asked.path.key).await?;
    Ok(DONE)
}
