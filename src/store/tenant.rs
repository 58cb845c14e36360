//! Tenants, and what only the operator may ask.

use std::sync::Arc;

use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sqlx::FromRow;
use uuid::Uuid;

use super::act::put_act;
use super::pool::{in_transaction, on};
use super::{Store, StoreError, TenantScope, now_ms, timestamp};
use crate::base::ids::{GatewayName, TenantId, TenantSlug};
use crate::flow::talk::TalkSettings;
use crate::model::act::Actor;
use crate::model::e164::NumberPlan;
use crate::model::tenant::Tenant;

/// Names, hosts and the like are at most this many bytes long.
const TEXT_MAX: usize = 255;
/// Gateways, hosts and contexts of one tenant, each at most.
const LIST_MAX: usize = 256;
/// Longest rules for conversations, in bytes: every call of the tenant shares them.
const TALK_MAX: usize = 256 * 1_024;

/// What the operator decides about a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTenant {
    pub slug: TenantSlug,
    pub name: String,
    #[serde(default)]
    pub domain: String,
    #[serde(default)]
    pub domain_uuid: Option<Uuid>,
    pub timezone: String,
    #[serde(default)]
    pub gateways: Vec<GatewayName>,
    #[serde(default)]
    pub sip_hosts: Vec<String>,
    #[serde(default)]
    pub contexts: Vec<String>,
    #[serde(default)]
    pub mask_parties: bool,
    /// How numbers are written where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub numbering: Option<NumberPlan>,
}

impl NewTenant {
    /// A tenant with a slug and nothing else, in UTC.
    pub fn named(slug: TenantSlug) -> Self {
        Self {
            name: slug.to_string(),
            slug,
            domain: String::new(),
            domain_uuid: None,
            timezone: "UTC".into(),
            gateways: Vec::new(),
            sip_hosts: Vec::new(),
            contexts: Vec::new(),
            mask_parties: false,
            numbering: None,
        }
    }

    fn check(&self) -> Result<(), StoreError> {
        TimeZone::get(&self.timezone).map_err(|_| {
            StoreError::Invalid(format!("`{}` is not an IANA time zone", cut(&self.timezone)))
        })?;
        text("name", &self.name)?;
        if let Some(plan) = &self.numbering {
            plan.check().map_err(|why| StoreError::Field("numbering", why))?;
        }
        if !self.domain.is_empty() {
            word("domain", &self.domain)?;
        }
        for (what, list) in [("SIP host", &self.sip_hosts), ("context", &self.contexts)] {
            list.iter().try_for_each(|item| word(what, item))?;
            bounded(what, list.len())?;
        }
        bounded("gateway", self.gateways.len())
    }
}

impl From<Tenant> for NewTenant {
    fn from(tenant: Tenant) -> Self {
        let Tenant { slug, name, domain, domain_uuid, timezone, .. } = tenant;
        let Tenant { gateways, sip_hosts, contexts, mask_parties, numbering, .. } = tenant;
        Self {
            slug,
            name,
            domain,
            domain_uuid,
            timezone,
            gateways,
            sip_hosts,
            contexts,
            mask_parties,
            numbering,
        }
    }
}

fn cut(text: &str) -> String {
    text.chars().take(80).collect()
}

fn text(what: &str, text: &str) -> Result<(), StoreError> {
    if text.is_empty() || text.len() > TEXT_MAX || text.chars().any(char::is_control) {
        let sentence = format!(
            "the {what} `{}` must have 1 to {TEXT_MAX} bytes and no control characters",
            cut(text).escape_debug()
        );
        return Err(StoreError::Invalid(sentence));
    }
    Ok(())
}

fn word(what: &str, word: &str) -> Result<(), StoreError> {
    text(what, word)?;
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-:[]".contains(&byte);
    if word.bytes().all(allowed) {
        return Ok(());
    }
    let sentence = format!(
        "the {what} `{}` may have letters, digits and `.`, `-`, `_`, `:`, `[`, `]` only",
        cut(word).escape_debug()
    );
    Err(StoreError::Invalid(sentence))
}

fn bounded(what: &str, count: usize) -> Result<(), StoreError> {
    if count > LIST_MAX {
        return Err(StoreError::Invalid(format!("{count} {what}s: {LIST_MAX} are allowed")));
    }
    Ok(())
}

#[derive(Debug, FromRow)]
pub(super) struct TenantRow {
    id: String,
    slug: String,
    name: String,
    domain: String,
    domain_uuid: Option<String>,
    timezone: String,
    gateways: String,
    sip_hosts: String,
    contexts: String,
    mask_parties: bool,
    talk: String,
    numbering: Option<String>,
    created_ms: i64,
}

impl TryFrom<TenantRow> for Tenant {
    type Error = StoreError;
    fn try_from(row: TenantRow) -> Result<Self, StoreError> {
        let list = |text: &str| serde_json::from_str(text).map_err(StoreError::corrupt);
        Ok(Self {
            id: row.id.parse().map_err(StoreError::corrupt)?,
            slug: row.slug.parse().map_err(StoreError::corrupt)?,
            name: row.name,
            domain: row.domain,
            domain_uuid: row
                .domain_uuid
                .map(|text| text.parse())
                .transpose()
                .map_err(StoreError::corrupt)?,
            timezone: row.timezone,
            gateways: serde_json::from_str(&row.gateways).map_err(StoreError::corrupt)?,
            sip_hosts: list(&row.sip_hosts)?,
            contexts: list(&row.contexts)?,
            mask_parties: row.mask_parties,
            talk: serde_json::from_str(&row.talk).map_err(StoreError::corrupt)?,
            numbering: row
                .numbering
                .map(|plan| serde_json::from_str(&plan).map_err(StoreError::corrupt))
                .transpose()?,
            created: timestamp(row.created_ms)?,
        })
    }
}

const INSERT: &str = "INSERT INTO tenant \
     (slug, name, domain, domain_uuid, timezone, gateways, sip_hosts, contexts, mask_parties, \
     numbering, id, created_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
const UPDATE: &str = "UPDATE tenant SET slug = $1, name = $2, domain = $3, domain_uuid = $4, \
     timezone = $5, gateways = $6, sip_hosts = $7, contexts = $8, mask_parties = $9, \
     numbering = $10 WHERE id = $11";

/// Binds the columns that `INSERT` and `UPDATE` name in the same order.
macro_rules! bind_tenant {
    ($sql:expr, $new:expr) => {
        sqlx::query($sql)
            .bind($new.slug.as_str())
            .bind(&$new.name)
            .bind($new.domain.to_ascii_lowercase())
            .bind($new.domain_uuid.map(|uuid| uuid.to_string()))
            .bind(&$new.timezone)
            .bind(json(&$new.gateways)?)
            .bind(json(&$new.sip_hosts)?)
            .bind(json(&$new.contexts)?)
            .bind($new.mask_parties)
            .bind($new.numbering.as_ref().map(json).transpose()?)
    };
}

fn json<T: Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Invalid(error.to_string()))
}

fn taken(new: &NewTenant) -> String {
    let domain = match new.domain.as_str() {
        "" => String::new(),
        domain => format!(", the domain `{domain}`"),
    };
    let uuid = if new.domain_uuid.is_some() { " or the domain's uuid" } else { "" };
    format!("another tenant has the slug `{}`{domain}{uuid} already", new.slug)
}

impl TenantScope {
    /// The tenant itself.
    pub async fn tenant(&self) -> Result<Tenant, StoreError> {
        let row = on!(self.store.ready().await?, db => {
            sqlx::query_as::<_, TenantRow>("SELECT * FROM tenant WHERE id = $1")
                .bind(self.key())
                .fetch_optional(db)
                .await?
        });
        row.ok_or_else(|| StoreError::not_found("tenant", self.tenant))?.try_into()
    }

    /// Replaces what the operator decided about the tenant.
    pub async fn change(&self, new: &NewTenant) -> Result<Tenant, StoreError> {
        new.check()?;
        let was = NewTenant::from(self.tenant().await?);
        let act = self.act("tenant.change", self.tenant, Some(&was), Some(new))?;
        let update = async || -> Result<u64, StoreError> {
            Ok(in_transaction!(self.store.ready().await?, tx => {
                let update = bind_tenant!(UPDATE, new).bind(self.key());
                let rows = update.execute(&mut *tx).await?.rows_affected();
                put_act!(tx, act);
                rows
            }))
        };
        if update().await.map_err(|error| error.taken(|| taken(new)))? == 0 {
            return Err(StoreError::not_found("tenant", self.tenant));
        }
        self.store.ring();
        self.tenant().await
    }

    /// Replaces the tenant's rules for conversations.
    pub async fn set_talk(&self, talk: &TalkSettings) -> Result<Tenant, StoreError> {
        let text = json(talk)?;
        if text.len() > TALK_MAX {
            let sentence = format!("the rules have more than {TALK_MAX} bytes");
            return Err(StoreError::Invalid(sentence));
        }
        let was = self.tenant().await?.talk;
        let act = self.act("tenant.rules", self.tenant, Some(&was), Some(talk))?;
        let rows = in_transaction!(self.store.ready().await?, tx => {
            let update = sqlx::query("UPDATE tenant SET talk = $1 WHERE id = $2");
            let rows = update.bind(&text).bind(self.key()).execute(&mut *tx).await?.rows_affected();
            put_act!(tx, act);
            rows
        });
        if rows == 0 {
            return Err(StoreError::not_found("tenant", self.tenant));
        }
        self.store.ring();
        self.tenant().await
    }
}

/// What concerns all tenants: for the operator's command line and the daemon, never for a tenant's
/// request.
#[derive(Debug, Clone)]
pub struct Operator {
    pub(super) store: Store,
    /// Who has it.
    pub(super) by: Arc<Actor>,
}

impl Operator {
    pub(super) fn new(store: Store) -> Self {
        Self { store, by: Arc::new(Actor::callwright()) }
    }

    /// Adds a tenant. Slug, domain and domain uuid must be its own.
    pub async fn create_tenant(&self, new: &NewTenant) -> Result<Tenant, StoreError> {
        new.check()?;
        let id = TenantId(Uuid::now_v7());
        let act = self.act(Some(id), "tenant.add", id, None::<&()>, Some(new))?;
        let insert = async || -> Result<(), StoreError> {
            in_transaction!(self.store.ready().await?, tx => {
                let insert = bind_tenant!(INSERT, new).bind(id.to_string()).bind(now_ms());
                insert.execute(&mut *tx).await?;
                put_act!(tx, act);
            });
            Ok(())
        };
        insert().await.map_err(|error| error.taken(|| taken(new)))?;
        self.store.ring();
        self.store.tenant(id).tenant().await
    }

    /// All tenants, by slug.
    pub async fn tenants(&self) -> Result<Vec<Tenant>, StoreError> {
        let rows = on!(self.store.ready().await?, db => {
            sqlx::query_as::<_, TenantRow>("SELECT * FROM tenant ORDER BY slug")
                .fetch_all(db)
                .await?
        });
        rows.into_iter().map(Tenant::try_from).collect()
    }

    /// The tenant with this slug.
    pub async fn tenant_named(&self, slug: &TenantSlug) -> Result<Tenant, StoreError> {
        let row = on!(self.store.ready().await?, db => {
            sqlx::query_as::<_, TenantRow>("SELECT * FROM tenant WHERE slug = $1")
                .bind(slug.as_str())
                .fetch_optional(db)
                .await?
        });
        row.ok_or_else(|| StoreError::not_found("tenant", slug))?.try_into()
    }

    /// Whether the database answers, and how long it took.
    pub async fn ping(&self) -> Result<std::time::Duration, StoreError> {
        let began = std::time::Instant::now();
        on!(self.store.ready().await?, db => sqlx::query("SELECT 1").execute(db).await.map(drop)?);
        Ok(began.elapsed())
    }
}
