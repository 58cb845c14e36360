//! Tokens for browsers. A token is what it says of itself, signed with the operator's key: every
//! node reads it without asking anybody, and holds it against the key and the user as they are
//! now. So it ends with either of them, when it is revoked, and otherwise by itself.

use std::collections::BTreeSet;
use std::time::Duration;

use axum::http::Method;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Api;
use super::endpoint::{Asked, Endpoint};
use super::page::{Page, Part, cursor, next};
use super::problem::Problem;
use super::reply::{DONE, Done, Nothing, Reply, Secret};
use crate::base::ids::{TokenId, UserName};
use crate::model::access::{Power, Role};
use crate::model::token::{Bearer, Token, TooMuch};
use crate::model::user::User;
use crate::store::{Routes, TenantScope};

/// What every token begins with, so that a leaked one is known for what it is.
const PREFIX: &str = "cwt.";
/// What tokens are signed for.
const PURPOSE: &str = "callwright tokens";
/// Longest token, in bytes: one with all powers and the longest label has less.
const TOKEN_MAX: usize = 4_096;
/// Longest label, in bytes.
const LABEL_MAX: usize = 100;
/// Longest life of a token, in seconds.
const TTL_MAX_S: u64 = 3_600;
/// How long a token lives for which nothing is said, in seconds.
const TTL_USUAL_S: u64 = 900;

pub(super) fn endpoints() -> Vec<Endpoint> {
    let (all, one) = ("/v1/tenants/{tenant}/tokens", "/v1/tenants/{tenant}/tokens/{token}");
    let mints = Power::TokensMint;
    vec![
        Endpoint::new(Method::GET, all, mints, "Tokens that are neither over nor revoked", list),
        Endpoint::new(
            Method::POST,
            all,
            mints,
            "Mint a token for a browser, which is shown this once",
            mint,
        ),
        Endpoint::new(
            Method::DELETE,
            one,
            mints,
            "Revoke a token, which counts on no node any more",
            revoke,
        ),
    ]
}

#[derive(Debug, Deserialize, JsonSchema)]
struct OneToken {
    token: TokenId,
}

async fn list(asked: Asked<TenantScope, Nothing, Part>) -> Result<Reply<Page<Token>>, Problem> {
    let (after, limit) = (cursor(asked.query.cursor.as_deref())?, asked.query.limit.0);
    let page = asked.whose.tokens(after, limit).await?;
    Ok(Reply(Page { items: page.items, next: next(page.next) }))
}

async fn revoke(asked: Asked<TenantScope, OneToken>) -> Result<Done, Problem> {
    asked.whose.revoke_token(asked.path.token).await?;
    Ok(DONE)
}

/// Whom a token is for: `user` or `label`, and what it may do.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewToken {
    /// A user of the tenant; what is done with the token is theirs.
    #[serde(default)]
    user: Option<UserName>,
    /// What it is for, where it is nobody's.
    #[serde(default)]
    #[schemars(length(min = 1, max = 100))]
    label: Option<String>,
    /// The user's role where it is left out.
    #[serde(default)]
    role: Option<Role>,
    /// Only these of the role's powers; all that the key has of them where there are none.
    #[serde(default)]
    powers: BTreeSet<Power>,
    /// How long it counts, in seconds.
    #[serde(default)]
    ttl_s: Ttl,
}

/// A time in seconds.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(try_from = "u64")]
#[schemars(inline)]
struct Ttl(#[schemars(range(min = 1, max = 3600))] u64);

impl Default for Ttl {
    fn default() -> Self {
        Self(TTL_USUAL_S)
    }
}

impl TryFrom<u64> for Ttl {
    type Error = String;
    fn try_from(seconds: u64) -> Result<Self, String> {
        if (1..=TTL_MAX_S).contains(&seconds) {
            return Ok(Self(seconds));
        }
        Err(format!("a token lives 1 to {TTL_MAX_S} seconds"))
    }
}

/// A token at the one moment when it is known whole.
#[derive(Serialize, JsonSchema)]
pub(super) struct Minted {
    /// As it is sent, in the place of an API key.
    token: String,
    about: Token,
}

async fn mint(
    asked: Asked<TenantScope, Nothing, Nothing, NewToken>,
) -> Result<Secret<Minted>, Problem> {
    let Asked { api, by, whose, body, .. } = asked;
    let field = |name: &'static str| move |detail: String| Problem::invalid(detail).at(name);
    let user = match &body.user {
        Some(name) => Some(named(&whose, name).await?),
        None => None,
    };
    let label = body.label.as_deref().map(str::trim).map(str::to_owned);
    let fits = |label: &String| {
        (1..=LABEL_MAX).contains(&label.len()) && !label.chars().any(char::is_control)
    };
    if label.as_ref().is_some_and(|label| !fits(label)) {
        return Err(field("label")(format!("a label has 1 to {LABEL_MAX} bytes")));
    }
    if user.is_some() == label.is_some() {
        return Err(Problem::invalid("say `user` or `label`, and only one of them"));
    }
    let role = body.role.or_else(|| user.as_ref().map(|user| user.settings.role));
    let role = role.ok_or_else(|| field("role")("which role is it to have?".into()))?;
    if role == Role::Operator {
        return Err(field("role")("no token is the operator's".into()));
    }
    let minted = Timestamp::now();
    let token = Token {
        id: TokenId(Uuid::now_v7()),
        key: by.key.id,
        tenant: whose.id(),
        user: user.as_ref().map(|user| user.id),
        label,
        role,
        powers: body.powers,
        minted,
        expires: minted + Duration::from_secs(body.ttl_s.0),
    };
    let bearer = Bearer { token: Some(token.clone()), user, ..by };
    bearer.check().map_err(|error| match error {
        TooMuch::Key(_) | TooMuch::User(_) => field("role")(error.to_string()),
        TooMuch::Power(_) => field("powers")(error.to_string()),
    })?;
    let text = api.written(&token)?;
    whose.note_token(&token).await?;
    Ok(Secret(Reply(Minted { token: text, about: token })))
}

async fn named(scope: &TenantScope, name: &UserName) -> Result<User, Problem> {
    let user = scope.user(name).await.map_err(|error| match Problem::from(error) {
        none if none.is_not_found() => {
            Problem::invalid(format!("there is no user `{name}`")).at("user")
        }
        other => other,
    })?;
    if user.settings.enabled {
        return Ok(user);
    }
    Err(Problem::conflict(format!("the user `{name}` is not enabled")))
}

/// Whether it is to be a token, and no key.
pub(super) fn is_token(text: &str) -> bool {
    text.starts_with(PREFIX)
}

impl Api {
    fn written(&self, token: &Token) -> Result<String, Problem> {
        let json = serde_json::to_vec(token).map_err(|error| Problem::fault(&error))?;
        let said = URL_SAFE_NO_PAD.encode(json);
        let signed = self.archive.keys().operator().sign(PURPOSE, said.as_bytes());
        let signature = signed.map_err(|error| Problem::fault(&error))?;
        Ok(format!("{PREFIX}{said}.{signature}"))
    }

    fn read(&self, text: &str) -> Option<Token> {
        let (said, signature) = text.strip_prefix(PREFIX)?.split_once('.')?;
        let keys = self.archive.keys().operator();
        if text.len() > TOKEN_MAX || !keys.verify(PURPOSE, said.as_bytes(), signature) {
            return None;
        }
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(said).ok()?).ok()
    }

    /// Who asks with this token; none where it does not count, or not any more.
    pub(super) fn by_token(&self, text: &str, routes: &Routes, now: Timestamp) -> Option<Bearer> {
        self.of_token(self.read(text)?, routes, now)
    }

    /// Who has been let in, as it is now; none where it does not count any more.
    pub(super) fn again(&self, bearer: &Bearer) -> Option<Bearer> {
        let (routes, now) = (self.directory.routes(), Timestamp::now());
        match &bearer.token {
            Some(token) => self.of_token(token.clone(), &routes, now),
            None => {
                let key = &routes.api_key(bearer.key.id)?.key;
                (!key.is_over(now)).then(|| Bearer::with(key.clone()))
            }
        }
    }

    fn of_token(&self, token: Token, routes: &Routes, now: Timestamp) -> Option<Bearer> {
        if token.expires <= now {
            return None;
        }
        let key = routes.api_key(token.key)?.key.clone();
        let of_tenant = key.tenant.is_none_or(|tenant| tenant == token.tenant);
        let revoked = routes.is_revoked(token.id);
        if revoked || !of_tenant || key.is_over(now) || !key.may(Power::TokensMint) {
            return None;
        }
        let user = match token.user {
            None => None,
            Some(id) => Some(routes.user(token.tenant, id)?.user.clone()),
        };
        let counts = |user: &User| {
            user.settings.enabled && user.ended.is_none_or(|ended| ended < token.minted)
        };
        if !user.as_ref().is_none_or(counts) {
            return None;
        }
        Some(Bearer { key, token: Some(token), user })
    }
}
