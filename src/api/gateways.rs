//! A tenant's accounts at SIP providers: how they are laid down, how they stand, and whether they
//! would work.

use axum::http::Method;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::endpoint::{Asked, Endpoint};
use super::page::Page;
use super::problem::Problem;
use super::reply::{DONE, Done, Nothing, Reply};
use crate::base::ids::GatewayName;
use crate::base::masked::Masked;
use crate::keyring::KeyringError;
use crate::model::access::Power;
use crate::model::gateway::{Gateway, GatewaySettings};
use crate::model::registration::Registration;
use crate::model::sip::SipPassword;
use crate::sip::account::Secret;
use crate::sip::{Accounts, TryError};
use crate::store::{SecretOf, StoreError, StoredGateway, TenantScope};

pub(super) fn endpoints() -> Vec<Endpoint> {
    let (all, one) = ("/v1/tenants/{tenant}/gateways", "/v1/tenants/{tenant}/gateways/{gateway}");
    let (read, write) = (Power::GatewaysRead, Power::GatewaysWrite);
    let (get, put, delete) = (Method::GET, Method::PUT, Method::DELETE);
    vec![
        Endpoint::new(get.clone(), all, read, "A tenant's SIP gateways, and how they stand", list),
        Endpoint::new(get.clone(), one, read, "A gateway; its password is never shown", show),
        Endpoint::new(
            put,
            one,
            write,
            "Lay down a gateway; without a password it keeps the one that it has",
            lay_down,
        ),
        Endpoint::new(delete, one, write, "Forget a gateway", remove),
        Endpoint::new(
            get.clone(),
            "/v1/tenants/{tenant}/gateways/{gateway}/state",
            read,
            "How a gateway stands with its provider",
            state,
        ),
        Endpoint::new(
            get,
            "/v1/tenants/{tenant}/gateways/{gateway}/history",
            read,
            "How a gateway stood before, the latest first",
            history,
        ),
        Endpoint::new(
            Method::POST,
            "/v1/tenants/{tenant}/gateway-tests",
            write,
            "Try an account out, without keeping it",
            try_out,
        ),
    ]
}

#[derive(Debug, Deserialize, JsonSchema)]
struct OneGateway {
    gateway: GatewayName,
}

/// A gateway as it is to be.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewGateway {
    settings: GatewaySettings,
    #[serde(default)]
    password: Option<SipPassword>,
}

/// An account to be tried out.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewTest {
    settings: GatewaySettings,
    #[serde(default)]
    password: Option<SipPassword>,
    /// The gateway whose password it is, where none is given.
    #[serde(default)]
    password_of: Option<GatewayName>,
}

/// A gateway and how each FreeSWITCH stands with it.
#[derive(Debug, Serialize, JsonSchema)]
struct ListedGateway {
    #[serde(flatten)]
    gateway: Gateway,
    registrations: Vec<Registration>,
}

/// What came of a test.
#[derive(Debug, Serialize, JsonSchema)]
struct Tested {
    /// Whether calls would go through it.
    works: bool,
    registration: Registration,
    /// How long the server took, in milliseconds.
    took_ms: u64,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Before {
    /// Only what came before this moment.
    #[serde(default)]
    before: Option<Timestamp>,
}

impl From<KeyringError> for Problem {
    fn from(error: KeyringError) -> Self {
        match error {
            KeyringError::Store(error) => error.into(),
            KeyringError::Busy => Self::conflict(error.to_string()),
            KeyringError::Destroyed => {
                let why = "the password that is kept can't be opened any more: give it again";
                Self::invalid(why).at("password")
            }
            KeyringError::Key(error) => Self::fault(&error),
        }
    }
}

impl From<TryError> for Problem {
    fn from(error: TryError) -> Self {
        Self::unavailable(error.to_string())
    }
}

/// FreeSWITCH takes a colon for the end of a gateway's password.
fn usable(password: Option<SipPassword>) -> Result<Option<SipPassword>, Problem> {
    if password.as_ref().is_some_and(SipPassword::has_colon) {
        let why = "FreeSWITCH can't send a password with a colon: ask the provider for another";
        return Err(Problem::invalid(why).at("password"));
    }
    Ok(password)
}

async fn found(
    scope: &TenantScope,
    name: &GatewayName,
) -> Result<Option<StoredGateway>, StoreError> {
    match scope.gateway(name).await {
        Ok(found) => Ok(Some(found)),
        Err(StoreError::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

async fn list(asked: Asked<TenantScope>) -> Result<Reply<Page<ListedGateway>>, Problem> {
    let registrations = asked.whose.registrations().await?;
    let all = asked.whose.gateways().await?.into_iter().map(|StoredGateway { gateway, .. }| {
        let own = registrations.iter().filter(|(id, _)| *id == gateway.id);
        let registrations = own.map(|(_, registration)| registration.clone()).collect();
        ListedGateway { gateway, registrations }
    });
    Ok(Reply(Page::whole(all.collect())))
}

async fn show(asked: Asked<TenantScope, OneGateway>) -> Result<Reply<Gateway>, Problem> {
    Ok(Reply(asked.whose.gateway(&asked.path.gateway).await?.gateway))
}

async fn lay_down(
    asked: Asked<TenantScope, OneGateway, Nothing, NewGateway>,
) -> Result<Reply<Gateway>, Problem> {
    let Asked { api, whose, path, body, seen, .. } = asked;
    let name = path.gateway;
    if let Some(before) = found(&whose, &name).await? {
        seen.still(&before.gateway)?;
    }
    let id = whose.gateway_id(&name).await?;
    let sealed = match usable(body.password)? {
        None => None,
        Some(password) => {
            let (tenant, label) = (whose.id(), SecretOf::Gateway.label(id));
            Some(api.accounts().keyring().seal(tenant, &label, password.reveal()).await?)
        }
    };
    Ok(Reply(whose.put_gateway(id, &name, &body.settings, sealed).await?.gateway))
}

async fn remove(asked: Asked<TenantScope, OneGateway>) -> Result<Done, Problem> {
    asked.whose.remove_gateway(&asked.path.gateway).await?;
    Ok(DONE)
}

async fn state(
    asked: Asked<TenantScope, OneGateway>,
) -> Result<Reply<Page<Registration>>, Problem> {
    let id = asked.whose.gateway(&asked.path.gateway).await?.gateway.id;
    let all = asked.whose.registrations().await?.into_iter();
    let own = all.filter(|(gateway, _)| *gateway == id).map(|(_, registration)| registration);
    Ok(Reply(Page::whole(own.collect())))
}

async fn history(
    asked: Asked<TenantScope, OneGateway, Before>,
) -> Result<Reply<Page<Registration>>, Problem> {
    let id = asked.whose.gateway(&asked.path.gateway).await?.gateway.id;
    let all = asked.whose.registration_history(id, asked.query.before).await?;
    Ok(Reply(Page::whole(all)))
}

async fn try_out(
    asked: Asked<TenantScope, Nothing, Nothing, NewTest>,
) -> Result<Reply<Tested>, Problem> {
    let Asked { api, whose, body, .. } = asked;
    let accounts = api.accounts();
    let password = match (usable(body.password)?, &body.password_of) {
        (Some(password), _) => Some(Masked::new(Zeroizing::new(password.reveal().to_owned()))),
        (None, Some(gateway)) => kept(accounts, &whose, gateway).await?,
        (None, None) => None,
    };
    body.settings
        .check(password.is_some())
        .map_err(|fault| Problem::invalid(fault.why).at(fault.field))?;
    let tried = accounts.try_out(&body.settings, password).await?;
    let took_ms = u64::try_from(tried.took.as_millis()).unwrap_or(u64::MAX);
    Ok(Reply(Tested { works: tried.works, registration: tried.registration, took_ms }))
}

/// The password that a gateway of the tenant's has.
async fn kept(
    accounts: &Accounts,
    scope: &TenantScope,
    name: &GatewayName,
) -> Result<Option<Secret>, Problem> {
    let one = scope.gateway(name).await?;
    let Some(sealed) = &one.sealed else { return Ok(None) };
    let (keys, label) = (scope.keys().await?, SecretOf::Gateway.label(one.gateway.id));
    let opened = accounts.keyring().open(scope.id(), &keys, &label, sealed)?;
    Ok(Some(Masked::new(opened)))
}
