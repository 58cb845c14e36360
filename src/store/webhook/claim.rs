//! Which process delivers for a webhook: the one whose claim it is, as long as that process beats.
//! Whatever an older claim still writes changes nothing.

use sqlx::FromRow;

use super::super::instance::GONE_MS;
use super::super::pool::on;
use super::super::{Operator, StoreError, TenantScope};
use crate::base::ids::{InstanceId, TenantId, WebhookId};

/// Webhooks that a process is told of at once.
const AT_WORK_MAX: i64 = 10_000;

/// An enabled webhook, as who delivers sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AtWork {
    pub tenant: TenantId,
    pub id: WebhookId,
    /// Another after each change.
    pub revision: i64,
    /// The claim on it.
    pub claim: i64,
    /// Whose claim that is, as long as that process is alive.
    pub holder: Option<InstanceId>,
}

#[derive(Debug, FromRow)]
struct AtWorkRow {
    tenant: String,
    id: String,
    revision: i64,
    claim: i64,
    holder: Option<String>,
}

impl TryFrom<AtWorkRow> for AtWork {
    type Error = StoreError;
    fn try_from(row: AtWorkRow) -> Result<Self, StoreError> {
        let holder = row.holder.map(|holder| holder.parse()).transpose();
        Ok(Self {
            tenant: row.tenant.parse().map_err(StoreError::corrupt)?,
            id: row.id.parse().map_err(StoreError::corrupt)?,
            revision: row.revision,
            claim: row.claim,
            holder: holder.map_err(StoreError::corrupt)?,
        })
    }
}

/// The right to deliver for a webhook.
#[derive(Debug, Clone)]
pub struct Claim {
    pub(super) scope: TenantScope,
    pub(super) webhook: WebhookId,
    pub(super) holder: InstanceId,
    pub(super) number: i64,
}

impl Operator {
    /// Every enabled webhook, and in whose hands it is.
    pub async fn webhooks_at_work(&self) -> Result<Vec<AtWork>, StoreError> {
        let rows = on!(self.store.ready().await?, db => {
            sqlx::query_as::<_, AtWorkRow>(
                "SELECT tenant, id, revision, claim, CASE WHEN EXISTS (SELECT 1 FROM instance i \
                 WHERE i.id = webhook.holder AND i.seen_ms >= now_ms - $1) THEN holder END \
                 AS holder FROM webhook, clock WHERE enabled ORDER BY id LIMIT $2",
            )
            .bind(GONE_MS)
            .bind(AT_WORK_MAX)
            .fetch_all(db)
            .await?
        });
        rows.into_iter().map(AtWork::try_from).collect()
    }

    /// Claims a webhook that is in nobody's hands for this process, which must have beaten. None
    /// where another was faster.
    pub async fn claim_webhook(
        &self,
        free: &AtWork,
        holder: InstanceId,
    ) -> Result<Option<Claim>, StoreError> {
        let row = on!(self.store.ready().await?, db => {
            sqlx::query_as::<_, (i64,)>(
                "UPDATE webhook SET holder = $3, claim = claim + 1 \
                 WHERE id = $1 AND claim = $2 AND enabled AND EXISTS (SELECT 1 FROM instance i, \
                 clock WHERE i.id = $3 AND i.seen_ms >= now_ms - $4) RETURNING claim",
            )
            .bind(free.id.to_string())
            .bind(free.claim)
            .bind(holder.to_string())
            .bind(GONE_MS)
            .fetch_optional(db)
            .await?
        });
        let scope = self.store.tenant(free.tenant);
        Ok(row.map(|(number,)| Claim { scope, webhook: free.id, holder, number }))
    }
}

impl Claim {
    /// The tenant's part of the store.
    pub const fn scope(&self) -> &TenantScope {
        &self.scope
    }

    pub const fn webhook(&self) -> WebhookId {
        self.webhook
    }

    /// Which one it is, of those on this webhook.
    pub const fn number(&self) -> i64 {
        self.number
    }

    /// Lets another process have it.
    pub async fn release(&self) -> Result<(), StoreError> {
        on!(self.scope.store.ready().await?, db => {
            sqlx::query(
                "UPDATE webhook SET holder = NULL \
                 WHERE id = $1 AND holder = $2 AND claim = $3",
            )
            .bind(self.webhook.to_string())
            .bind(self.holder.to_string())
            .bind(self.number)
            .execute(db)
            .await
            .map(drop)?;
        });
        Ok(())
    }
}
