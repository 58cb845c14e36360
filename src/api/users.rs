//! A tenant's users.

use axum::http::Method;
use schemars::JsonSchema;
use serde::Deserialize;

use super::endpoint::{Asked, Endpoint};
use super::page::Page;
use super::problem::Problem;
use super::reply::{DONE, Done, Nothing, Reply};
use crate::base::ids::UserName;
use crate::model::access::Power;
use crate::model::user::{User, UserSettings};
use crate::store::{StoreError, TenantScope};

pub(super) fn endpoints() -> Vec<Endpoint> {
    let (all, one) = ("/v1/tenants/{tenant}/users", "/v1/tenants/{tenant}/users/{user}");
    let (read, write) = (Power::UsersRead, Power::UsersWrite);
    vec![
        Endpoint::new(Method::GET, all, read, "A tenant's users", list),
        Endpoint::new(Method::GET, one, read, "A user", show),
        Endpoint::new(
            Method::PUT,
            one,
            write,
            "Lay down a user; who is not enabled any more loses their tokens at once",
            lay_down,
        ),
        Endpoint::new(Method::DELETE, one, write, "Forget a user, whose tokens end", remove),
    ]
}

#[derive(Debug, Deserialize, JsonSchema)]
struct OneUser {
    user: UserName,
}

async fn list(asked: Asked<TenantScope>) -> Result<Reply<Page<User>>, Problem> {
    Ok(Reply(Page::whole(asked.whose.users().await?)))
}

async fn show(asked: Asked<TenantScope, OneUser>) -> Result<Reply<User>, Problem> {
    Ok(Reply(asked.whose.user(&asked.path.user).await?))
}

async fn lay_down(
    asked: Asked<TenantScope, OneUser, Nothing, UserSettings>,
) -> Result<Reply<User>, Problem> {
    let Asked { whose, path, body, seen, .. } = asked;
    match whose.user(&path.user).await {
        Ok(before) => seen.still(&before)?,
        Err(StoreError::NotFound { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(Reply(whose.put_user(&path.user, &body).await?))
}

async fn remove(asked: Asked<TenantScope, OneUser>) -> Result<Done, Problem> {
    asked.whose.remove_user(&asked.path.user).await?;
    Ok(DONE)
}
