//! Tenants' webhooks: how they are laid down, with what they sign, how far they are and what became
//! of each delivery. Who delivers works on a claim.

mod attempt;
mod claim;
mod log;
mod secret;
mod work;

use serde_json::json;
use sqlx::FromRow;
use uuid::Uuid;

use super::act::put_act;
use super::event::number;
use super::pool::{in_transaction, on};
use super::sealed::{hold_key, rotated};
use super::{StoreError, TenantScope, now_ms, timestamp};
use crate::base::ids::{WebhookId, WebhookName};
use crate::model::webhook::{Disabled, Progress, Webhook, WebhookSettings};

pub use attempt::{Attempt, Outcome, Verdict};
pub use claim::{AtWork, Claim};
pub use secret::{NewSecret, StoredSecret};
pub use work::{Fresh, Laid, WINDOW_MAX, Waiting};

/// Webhooks of one tenant.
const WEBHOOKS_MAX: i64 = 20;

/// A webhook and its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredWebhook {
    pub id: WebhookId,
    pub webhook: Webhook,
}

#[derive(Debug, FromRow)]
struct WebhookRow {
    id: String,
    name: String,
    url: String,
    types: String,
    enabled: bool,
    disabled_ms: Option<i64>,
    disabled_why: Option<String>,
    created_ms: i64,
    changed_ms: i64,
}

const COLUMNS: &str = "id, name, url, types, enabled, disabled_ms, disabled_why, created_ms, \
     changed_ms";

impl TryFrom<WebhookRow> for StoredWebhook {
    type Error = StoreError;
    fn try_from(row: WebhookRow) -> Result<Self, StoreError> {
        let disabled = match row.disabled_ms {
            None => None,
            Some(ms) => {
                let reason = row.disabled_why.unwrap_or_default();
                Some(Disabled { since: timestamp(ms)?, reason })
            }
        };
        let webhook = Webhook {
            name: row.name.parse().map_err(StoreError::corrupt)?,
            url: row.url.try_into().map_err(|why: String| StoreError::corrupt(why))?,
            types: serde_json::from_str(&row.types).map_err(StoreError::corrupt)?,
            enabled: row.enabled,
            disabled,
            created: timestamp(row.created_ms)?,
            changed: timestamp(row.changed_ms)?,
        };
        Ok(Self { id: row.id.parse().map_err(StoreError::corrupt)?, webhook })
    }
}

/// As it stands in the audit log: what follows the path may be somebody's secret.
fn noted(settings: &WebhookSettings) -> serde_json::Value {
    let mut url = settings.url.url().clone();
    let hidden = if url.query().is_some() { "?•" } else { "" };
    url.set_query(None);
    json!({ "url": format!("{url}{hidden}"), "types": settings.types, "enabled": settings.enabled })
}

fn settings_of(webhook: &Webhook) -> WebhookSettings {
    let Webhook { url, types, enabled, .. } = webhook.clone();
    WebhookSettings { url, types, enabled }
}

impl TenantScope {
    /// Adds a webhook, which is sent what is told from now on.
    ///
    /// # Errors
    /// There are too many, or one of this name.
    pub async fn add_webhook(
        &self,
        name: &WebhookName,
        settings: &WebhookSettings,
        secret: NewSecret,
    ) -> Result<Webhook, StoreError> {
        let id = WebhookId(Uuid::now_v7());
        let act = self.act("webhook.put", name, None::<&()>, Some(&noted(settings)))?;
        let types = serde_json::to_string(&settings.types).map_err(StoreError::corrupt)?;
        let sealed = Some(&secret.sealed);
        in_transaction!(self.store.ready().await?, tx => {
            if !hold_key!(tx, self.key(), sealed) {
                return Err(rotated());
            }
            let done = sqlx::query(
                "INSERT INTO webhook (tenant, id, name, url, types, enabled, created_ms, \
                 changed_ms, revision, place, claim) SELECT $1, $2, $3, $4, $5, $6, $7, $7, 1, \
                 COALESCE((SELECT last FROM event_counter WHERE tenant = $1), 0), 0",
            )
            .bind(self.key())
            .bind(id.to_string())
            .bind(name.as_str())
            .bind(String::from(settings.url.clone()))
            .bind(types)
            .bind(settings.enabled)
            .bind(now_ms())
            .execute(&mut *tx)
            .await;
            done.map_err(|error| {
                let taken = || format!("a webhook `{name}` was made at the same moment: try again");
                self.without_tenant(error).taken(taken)
            })?;
            secret::put_secret!(tx, self.key(), id, secret);
            put_act!(tx, act);
            let (many,) = sqlx::query_as::<_, (i64,)>(
                "SELECT COUNT(*) FROM webhook WHERE tenant = $1",
            )
            .bind(self.key())
            .fetch_one(&mut *tx)
            .await?;
            if many > WEBHOOKS_MAX {
                let sentence = format!("the tenant has {WEBHOOKS_MAX} webhooks already");
                return Err(StoreError::Conflict(sentence));
            }
        });
        Ok(self.webhook(name).await?.webhook)
    }

    /// Changes a webhook. What is enabled is not disabled any more.
    pub async fn change_webhook(
        &self,
        name: &WebhookName,
        settings: &WebhookSettings,
    ) -> Result<Webhook, StoreError> {
        let was = noted(&settings_of(&self.webhook(name).await?.webhook));
        let act = self.act("webhook.put", name, Some(&was), Some(&noted(settings)))?;
        let types = serde_json::to_string(&settings.types).map_err(StoreError::corrupt)?;
        let rows = in_transaction!(self.store.ready().await?, tx => {
            let rows = sqlx::query(
                "UPDATE webhook SET url = $3, types = $4, enabled = $5, changed_ms = $6, \
                 revision = revision + 1, \
                 failing_ms = CASE WHEN $5 AND NOT enabled THEN NULL ELSE failing_ms END, \
                 disabled_ms = CASE WHEN $5 THEN NULL ELSE disabled_ms END, \
                 disabled_why = CASE WHEN $5 THEN NULL ELSE disabled_why END \
                 WHERE tenant = $1 AND name = $2",
            )
            .bind(self.key())
            .bind(name.as_str())
            .bind(String::from(settings.url.clone()))
            .bind(types)
            .bind(settings.enabled)
            .bind(now_ms())
            .execute(&mut *tx)
            .await?
            .rows_affected();
            if rows > 0 {
                put_act!(tx, act);
            }
            rows
        });
        if rows == 0 {
            return Err(StoreError::not_found("webhook", name));
        }
        Ok(self.webhook(name).await?.webhook)
    }

    pub async fn webhook(&self, name: &WebhookName) -> Result<StoredWebhook, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM webhook WHERE tenant = $1 AND name = $2");
        let row = on!(self.store.ready().await?, db => {
            sqlx::query_as::<_, WebhookRow>(sqlx::AssertSqlSafe(sql))
                .bind(self.key())
                .bind(name.as_str())
                .fetch_optional(db)
                .await?
        });
        row.ok_or_else(|| StoreError::not_found("webhook", name))?.try_into()
    }

    /// By name.
    pub async fn webhooks(&self) -> Result<Vec<StoredWebhook>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM webhook WHERE tenant = $1 ORDER BY name");
        let rows = on!(self.store.ready().await?, db => {
            sqlx::query_as::<_, WebhookRow>(sqlx::AssertSqlSafe(sql))
                .bind(self.key())
                .fetch_all(db)
                .await?
        });
        rows.into_iter().map(StoredWebhook::try_from).collect()
    }

    /// How far a webhook is.
    pub async fn webhook_progress(&self, name: &WebhookName) -> Result<Progress, StoreError> {
        let row = on!(self.store.ready().await?, db => {
            sqlx::query_as::<_, (i64, i64, Option<i64>)>(
                "SELECT place, (SELECT COUNT(*) FROM webhook_delivery d \
                 WHERE d.webhook = webhook.id AND d.state = 'waiting'), failing_ms \
                 FROM webhook WHERE tenant = $1 AND name = $2",
            )
            .bind(self.key())
            .bind(name.as_str())
            .fetch_optional(db)
            .await?
        });
        let (place, waiting, failing_ms) =
            row.ok_or_else(|| StoreError::not_found("webhook", name))?;
        let failing_since = failing_ms.map(timestamp).transpose()?;
        Ok(Progress { sequence: number(place), waiting: number(waiting), failing_since })
    }

    /// Forgets a webhook, its secrets and what waits for it. Its log goes a little later.
    pub async fn remove_webhook(&self, name: &WebhookName) -> Result<(), StoreError> {
        let stored = self.webhook(name).await?;
        let was = noted(&settings_of(&stored.webhook));
        let act = self.act("webhook.remove", name, Some(&was), None::<&()>)?;
        let rows = in_transaction!(self.store.ready().await?, tx => {
            let rows = sqlx::query("DELETE FROM webhook WHERE tenant = $1 AND id = $2")
                .bind(self.key())
                .bind(stored.id.to_string())
                .execute(&mut *tx)
                .await?
                .rows_affected();
            for also in [
                "DELETE FROM webhook_secret WHERE webhook = $1",
                "DELETE FROM webhook_delivery WHERE webhook = $1 AND state <> 'delivered'",
            ] {
                sqlx::query(also).bind(stored.id.to_string()).execute(&mut *tx).await?;
            }
            if rows > 0 {
                put_act!(tx, act);
            }
            rows
        });
        if rows == 0 {
            return Err(StoreError::not_found("webhook", name));
        }
        Ok(())
    }
}
