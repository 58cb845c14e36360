//! Who asks: the key, where it comes from, and whose things it is about.

use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use jiff::Timestamp;
use tokio::time::Instant;

use super::Api;
use super::pace::Left;
use super::problem::Problem;
use crate::base::ids::{TenantId, TenantSlug};
use crate::base::networks;
use crate::model::access::{ApiKey, Power};
use crate::model::act::Actor;
use crate::store::{Operator, TenantScope, read_api_key};

/// How often it is written down that a key was used, in seconds.
const NOTED_S: i64 = 60;

/// Who asks, in one request.
#[derive(Debug, Clone)]
pub(super) struct Asker {
    pub(super) key: ApiKey,
    /// What the request is called.
    pub(super) request: String,
}

impl Asker {
    /// As it is written down.
    pub(super) fn actor(&self) -> Actor {
        let request = Some(self.request.clone());
        Actor { who: author(&self.key), key: Some(self.key.id), request }
    }
}

/// A key as it stands in what is kept.
pub(super) fn author(key: &ApiKey) -> String {
    format!("key {}", key.name)
}

/// Whose things an endpoint is about.
pub(super) trait Whose: Sized + Send + 'static {
    const OF_TENANT: bool;

    /// # Errors
    /// The key is for nothing of this. Of another tenant it is said that there is none.
    fn of(api: &Api, by: &Asker, tenant: Option<&str>) -> Result<Self, Problem>;
}

impl Whose for TenantScope {
    const OF_TENANT: bool = true;

    fn of(api: &Api, by: &Asker, tenant: Option<&str>) -> Result<Self, Problem> {
        let none = || Problem::not_found("there is no such tenant");
        let slug: TenantSlug = tenant.and_then(|slug| slug.parse().ok()).ok_or_else(none)?;
        let found = api.directory.routes().tenant_named(&slug).ok_or_else(none)?;
        let own = |own: TenantId| own == found;
        if !by.key.tenant.is_none_or(own) {
            return Err(none());
        }
        Ok(api.store.tenant(found).by(by.actor()))
    }
}

impl Whose for Operator {
    const OF_TENANT: bool = false;

    fn of(api: &Api, by: &Asker, _: Option<&str>) -> Result<Self, Problem> {
        Ok(api.store.operator().by(by.actor()))
    }
}

/// A key's own tenant, or all of them: for what is the same for everybody.
pub(super) struct Anyone;

impl Whose for Anyone {
    const OF_TENANT: bool = false;

    fn of(_: &Api, _: &Asker, _: Option<&str>) -> Result<Self, Problem> {
        Ok(Self)
    }
}

impl Api {
    /// The key with which somebody asks, and what is left of its pace.
    ///
    /// # Errors
    /// There is none, it is not known, over, or not for where it comes from; or it asks too often.
    pub(super) fn admit(
        &self,
        headers: &HeaderMap,
        from: IpAddr,
    ) -> Result<(ApiKey, Left), Problem> {
        self.open_to(from)?;
        let text = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let text = text.and_then(|text| text.strip_prefix("Bearer "));
        let text = text.ok_or_else(|| Problem::unauthorized("an API key is needed"))?;
        let unknown = || Problem::unauthorized("the API key is not known, or not any more");
        let (id, secret) = read_api_key(text.trim()).ok_or_else(unknown)?;
        let known = self.directory.routes().api_key(id).ok_or_else(unknown)?;
        let key = &known.key;
        let now = Timestamp::now();
        if !known.is(secret) || key.expires.is_some_and(|expires| expires <= now) {
            return Err(unknown());
        }
        if !key.addresses.is_empty() && !networks::hold(&key.addresses, from) {
            return Err(Problem::forbidden("the API key does not count from your address"));
        }
        let left = self.paces.take(id, Instant::now());
        if let Some(wait) = left.wait {
            let seconds = HeaderValue::from(wait.as_secs() + 1);
            let detail = "the API key asks too often";
            return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_often", detail)
                .with(header::RETRY_AFTER, seconds));
        }
        self.note(key, now);
        Ok((key.clone(), left))
    }

    /// # Errors
    /// The address is in none of the networks that may ask.
    pub(super) fn open_to(&self, from: IpAddr) -> Result<(), Problem> {
        if networks::hold(&self.config.allow, from) {
            return Ok(());
        }
        Err(Problem::forbidden("the API is not open to your address"))
    }

    /// Writes down that the key was used, without waiting for it.
    fn note(&self, key: &ApiKey, now: Timestamp) {
        let minute = now.as_second() / NOTED_S;
        if self.used.insert(key.id, minute) == Some(minute) {
            return;
        }
        let (operator, id) = (self.store.operator(), key.id);
        tokio::spawn(async move {
            if let Err(error) = operator.note_api_key(id, now).await {
                tracing::debug!(%error, "the use of an API key was not written down");
            }
        });
    }
}

/// # Errors
/// The key has not this power.
pub(super) fn permit(key: &ApiKey, power: Power) -> Result<(), Problem> {
    if key.may(power) {
        return Ok(());
    }
    Err(Problem::forbidden(format!("the API key has not the power {power}")))
}
