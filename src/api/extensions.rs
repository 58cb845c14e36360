//! A tenant's phones that register.

use axum::http::Method;
use schemars::JsonSchema;
use serde::Deserialize;

use super::endpoint::{Asked, Endpoint};
use super::page::Page;
use super::problem::Problem;
use super::reply::{DONE, Done, Nothing, Reply};
use crate::model::access::Power;
use crate::model::extension::{Extension, ExtensionSettings};
use crate::model::sip::{SipPassword, SipUser};
use crate::store::{SecretOf, StoreError, TenantScope};

pub(super) fn endpoints() -> Vec<Endpoint> {
    let all = "/v1/tenants/{tenant}/extensions";
    let one = "/v1/tenants/{tenant}/extensions/{extension}";
    let (read, write) = (Power::ExtensionsRead, Power::ExtensionsWrite);
    vec![
        Endpoint::new(Method::GET, all, read, "A tenant's extensions", list),
        Endpoint::new(Method::GET, one, read, "An extension; its password is never shown", show),
        Endpoint::new(
            Method::PUT,
            one,
            write,
            "Lay down an extension; without a password it keeps the one that it has",
            lay_down,
        ),
        Endpoint::new(Method::DELETE, one, write, "Forget an extension", remove),
    ]
}

#[derive(Debug, Deserialize, JsonSchema)]
struct OneExtension {
    extension: SipUser,
}

/// An extension as it is to be.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewExtension {
    #[serde(default)]
    settings: ExtensionSettings,
    #[serde(default)]
    password: Option<SipPassword>,
}

async fn list(asked: Asked<TenantScope>) -> Result<Reply<Page<Extension>>, Problem> {
    let all = asked.whose.extensions().await?.into_iter().map(|one| one.extension);
    Ok(Reply(Page::whole(all.collect())))
}

async fn show(asked: Asked<TenantScope, OneExtension>) -> Result<Reply<Extension>, Problem> {
    Ok(Reply(asked.whose.extension(&asked.path.extension).await?.extension))
}

async fn lay_down(
    asked: Asked<TenantScope, OneExtension, Nothing, NewExtension>,
) -> Result<Reply<Extension>, Problem> {
    let Asked { api, whose, path, body, seen, .. } = asked;
    let number = path.extension;
    match whose.extension(&number).await {
        Ok(before) => seen.still(&before.extension)?,
        Err(StoreError::NotFound { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    let id = whose.extension_id(&number).await?;
    let sealed = match body.password {
        None => None,
        Some(password) => {
            let (tenant, label) = (whose.id(), SecretOf::Extension.label(id));
            Some(api.accounts().keyring().seal(tenant, &label, password.reveal()).await?)
        }
    };
    Ok(Reply(whose.put_extension(id, &number, &body.settings, sealed).await?.extension))
}

async fn remove(asked: Asked<TenantScope, OneExtension>) -> Result<Done, Problem> {
    asked.whose.remove_extension(&asked.path.extension).await?;
    Ok(DONE)
}
