//! What a webhook signs with. One that was rotated out signs beside the new one for a day, so that
//! the receiver can take its time.

use sqlx::FromRow;

use super::super::act::put_act;
use super::super::pool::{in_transaction, on};
use super::super::sealed::{Sealed, hold_key, rotated};
use super::super::{StoreError, TenantScope, positive, timestamp};
use crate::base::ids::{WebhookId, WebhookName, WebhookSecretId};

/// How long an old secret signs beside the new one, in milliseconds.
const OVERLAP_MS: i64 = 24 * 3_600_000;
/// Secrets that sign at once; each is a signature in every request.
const SECRETS_MAX: i64 = 4;

/// A secret that is about to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSecret {
    pub id: WebhookSecretId,
    pub sealed: Sealed,
}

/// A secret as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSecret {
    pub id: WebhookSecretId,
    pub sealed: Sealed,
    /// Until when it signs; none for the newest.
    pub until: Option<jiff::Timestamp>,
}

#[derive(Debug, FromRow)]
struct SecretRow {
    id: String,
    key_number: i64,
    sealed: String,
    until_ms: Option<i64>,
}

impl TryFrom<SecretRow> for StoredSecret {
    type Error = StoreError;
    fn try_from(row: SecretRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.id.parse().map_err(StoreError::corrupt)?,
            sealed: Sealed { key_number: positive(row.key_number)?, text: row.sealed },
            until: row.until_ms.map(timestamp).transpose()?,
        })
    }
}

/// Keeps a secret inside the transaction that holds its key.
macro_rules! put_secret {
    ($tx:ident, $tenant:expr, $webhook:expr, $secret:expr) => {
        sqlx::query(
            "INSERT INTO webhook_secret (tenant, id, webhook, key_number, sealed, made_ms) \
             SELECT $1, $2, $3, $4, $5, now_ms FROM clock",
        )
        .bind($tenant)
        .bind($secret.id.to_string())
        .bind($webhook.to_string())
        .bind(i64::from($secret.sealed.key_number))
        .bind(&$secret.sealed.text)
        .execute(&mut *$tx)
        .await?;
    };
}

pub(super) use put_secret;

impl TenantScope {
    /// Gives a webhook another secret. Those before sign for another day.
    ///
    /// # Errors
    /// It was done too often within that day.
    pub async fn rotate_webhook(
        &self,
        name: &WebhookName,
        secret: NewSecret,
    ) -> Result<(), StoreError> {
        let id = self.webhook(name).await?.id;
        let act = self.act("webhook.rotate", name, None::<&()>, None::<&()>)?;
        let sealed = Some(&secret.sealed);
        in_transaction!(self.store.ready().await?, tx => {
            if !hold_key!(tx, self.key(), sealed) {
                return Err(rotated());
            }
            let rows = sqlx::query(
                "UPDATE webhook SET revision = revision + 1 WHERE tenant = $1 AND id = $2",
            )
            .bind(self.key())
            .bind(id.to_string())
            .execute(&mut *tx)
            .await?
            .rows_affected();
            if rows == 0 {
                return Err(StoreError::not_found("webhook", name));
            }
            for old in [
                "DELETE FROM webhook_secret WHERE webhook = $1 \
                 AND until_ms <= (SELECT now_ms FROM clock) AND $2 = $2",
                "UPDATE webhook_secret SET until_ms = (SELECT now_ms FROM clock) + $2 \
                 WHERE webhook = $1 AND until_ms IS NULL",
            ] {
                sqlx::query(old).bind(id.to_string()).bind(OVERLAP_MS).execute(&mut *tx).await?;
            }
            put_secret!(tx, self.key(), id, secret);
            let (many,) = sqlx::query_as::<_, (i64,)>(
                "SELECT COUNT(*) FROM webhook_secret WHERE webhook = $1",
            )
            .bind(id.to_string())
            .fetch_one(&mut *tx)
            .await?;
            if many > SECRETS_MAX {
                let sentence = format!("{SECRETS_MAX} secrets sign already: wait for one to end");
                return Err(StoreError::Conflict(sentence));
            }
            put_act!(tx, act);
        });
        Ok(())
    }

    /// The secrets that sign, the newest first.
    pub async fn webhook_secrets(&self, id: WebhookId) -> Result<Vec<StoredSecret>, StoreError> {
        let rows = on!(self.store.ready().await?, db => {
            sqlx::query_as::<_, SecretRow>(
                "SELECT id, key_number, sealed, until_ms FROM webhook_secret, clock \
                 WHERE tenant = $1 AND webhook = $2 AND (until_ms IS NULL OR until_ms > now_ms) \
                 ORDER BY made_ms DESC, id DESC",
            )
            .bind(self.key())
            .bind(id.to_string())
            .fetch_all(db)
            .await?
        });
        rows.into_iter().map(StoredSecret::try_from).collect()
    }
}
