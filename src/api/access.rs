//! Who asks: the key, where it comes from, and whose things it is about.

use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use jiff::Timestamp;
use tokio::time::Instant;

use super::Api;
use super::pace::Left;
use super::problem::Problem;
use super::tokens::is_token;
use crate::base::ids::{TenantId, TenantSlug};
use crate::base::networks;
use crate::model::access::{ApiKey, Power};
use crate::model::act::Actor;
use crate::model::token::Bearer;
use crate::store::{Operator, Routes, TenantScope, read_api_key};

/// How often it is written down that a key was used, in seconds.
const NOTED_S: i64 = 60;

/// Who asks, in one request.
#[derive(Debug, Clone)]
pub(super) struct Asker {
    pub(super) bearer: Bearer,
    /// What the request is called.
    pub(super) request: String,
}

impl Asker {
    /// As it is written down.
    pub(super) fn actor(&self) -> Actor {
        let request = Some(self.request.clone());
        Actor { who: self.bearer.who(), key: Some(self.bearer.key.id), request }
    }
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
        if !by.bearer.tenant().is_none_or(own) {
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
    /// Who asks, by key or token, and what is left of their pace.
    ///
    /// # Errors
    /// There is none, it is not known, over, or not for where it comes from; or it asks too often.
    pub(super) fn admit(
        &self,
        headers: &HeaderMap,
        from: IpAddr,
    ) -> Result<(Bearer, Left), Problem> {
        self.open_to(from)?;
        let text = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let text = text.and_then(|text| text.strip_prefix("Bearer ")).map(str::trim);
        let text = text.ok_or_else(|| Problem::unauthorized("an API key is needed"))?;
        let (routes, now) = (self.directory.routes(), Timestamp::now());
        let by = if is_token(text) {
            let over = "the token does not count, or not any more";
            self.by_token(text, &routes, now).ok_or_else(|| Problem::unauthorized(over))?
        } else {
            let unknown = "the API key is not known, or not any more";
            let key = by_key(text, &routes, now).ok_or_else(|| Problem::unauthorized(unknown))?;
            if !key.addresses.is_empty() && !networks::hold(&key.addresses, from) {
                return Err(Problem::forbidden("the API key does not count from your address"));
            }
            Bearer::with(key)
        };
        let left = self.paces.take(by.identity(), Instant::now());
        if let Some(wait) = left.wait {
            let seconds = HeaderValue::from(wait.as_secs() + 1);
            let detail = "you ask too often";
            return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_often", detail)
                .with(header::RETRY_AFTER, seconds));
        }
        if by.token.is_none() {
            self.note(&by.key, now);
        }
        Ok((by, left))
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

fn by_key(text: &str, routes: &Routes, now: Timestamp) -> Option<ApiKey> {
    let (id, secret) = read_api_key(text)?;
    let known = routes.api_key(id)?;
    (known.is(secret) && !known.key.is_over(now)).then(|| known.key.clone())
}

/// # Errors
/// Whoever asks has not this power.
pub(super) fn permit(by: &Bearer, power: Power) -> Result<(), Problem> {
    if by.may(power) {
        return Ok(());
    }
    let what = if by.token.is_some() { "token" } else { "API key" };
    Err(Problem::forbidden(format!("the {what} has not the power {power}")))
}
