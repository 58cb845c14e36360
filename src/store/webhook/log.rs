//! What became of each delivery, and what is to be sent again.

use sqlx::FromRow;

use super::super::act::put_act;
use super::super::event::{number, whole};
use super::super::page::{Cursor, Page, Wanted};
use super::super::pool::{in_transaction, on};
use super::super::{Store, StoreError, TenantScope, Untold, positive, timestamp};
use super::StoredWebhook;
use crate::base::ids::{DeliveryId, TenantId, WebhookName};
use crate::base::millis::Millis;
use crate::model::webhook::{Delivery, DeliveryState, message_id};

/// How long what failed or was lost stands in the log, and what waits for a webhook that is not
/// enabled is kept, in milliseconds.
const TROUBLE_KEPT_MS: i64 = 7 * 24 * 3_600_000;
/// Deliveries that are removed at once.
const PRUNED_AT_ONCE: i64 = 5_000;

#[derive(Debug, FromRow)]
struct DeliveryRow {
    id: String,
    sequence: i64,
    #[sqlx(rename = "type")]
    kind: String,
    state: String,
    attempts: i64,
    status: Option<i64>,
    error: Option<String>,
    latency_ms: Option<i64>,
    made_ms: i64,
    tried_ms: Option<i64>,
    due_ms: i64,
}

impl DeliveryRow {
    fn read(self, tenant: TenantId) -> Result<Delivery, StoreError> {
        let state: DeliveryState =
            serde_json::from_value(self.state.into()).map_err(StoreError::corrupt)?;
        let due = timestamp(self.due_ms)?;
        Ok(Delivery {
            id: self.id.parse().map_err(StoreError::corrupt)?,
            sequence: number(self.sequence),
            webhook_id: message_id(tenant, number(self.sequence)),
            kind: self.kind,
            state,
            attempts: positive(self.attempts)?,
            status: self.status.and_then(|status| u16::try_from(status).ok()),
            error: self.error,
            latency_ms: self.latency_ms.map(number),
            created: timestamp(self.made_ms)?,
            tried: self.tried_ms.map(timestamp).transpose()?,
            due: (state == DeliveryState::Waiting).then_some(due),
        })
    }
}

impl TenantScope {
    /// A webhook's deliveries, the newest first; at most `limit`, and never more than 500. `failed`
    /// leaves those whose last attempt failed, and gaps.
    pub async fn deliveries(
        &self,
        name: &WebhookName,
        failed: bool,
        after: Option<Cursor>,
        limit: u32,
    ) -> Result<Page<Delivery>, StoreError> {
        let StoredWebhook { id, .. } = self.webhook(name).await?;
        let wanted = Wanted::new(after, limit);
        let rows = on!(self.store.ready().await?, db => {
            sqlx::query_as::<_, DeliveryRow>(
                "SELECT id, sequence, type, state, attempts, status, error, latency_ms, made_ms, \
                 tried_ms, due_ms FROM webhook_delivery \
                 WHERE webhook = $1 AND (made_ms, id) < ($2, $3) \
                 AND (NOT $4 OR (state <> 'delivered' AND error IS NOT NULL)) \
                 ORDER BY made_ms DESC, id DESC LIMIT $5",
            )
            .bind(id.to_string())
            .bind(wanted.before_ms)
            .bind(&wanted.before_id)
            .bind(failed)
            .bind(wanted.rows())
            .fetch_all(db)
            .await?
        });
        let all = rows.into_iter().map(|row| row.read(self.id()));
        let all = all.collect::<Result<Vec<_>, _>>()?;
        Ok(wanted.page(all, |last| Cursor::new(last.created, last.id.0)))
    }

    /// Has one delivery made again, now.
    ///
    /// # Errors
    /// The event is not kept any more, or it is a gap.
    pub async fn replay_delivery(
        &self,
        name: &WebhookName,
        id: DeliveryId,
    ) -> Result<(), StoreError> {
        let webhook = self.webhook(name).await?.id;
        let act = self.act("webhook.replay", name, None::<&()>, Some(&id))?;
        let not_found = || StoreError::not_found("delivery", id);
        in_transaction!(self.store.ready().await?, tx => {
            // The place stays, but who delivers has to look again.
            sqlx::query("UPDATE webhook SET revision = revision + 1 WHERE id = $1")
                .bind(webhook.to_string())
                .execute(&mut *tx)
                .await?;
            let (sequence, state, kept, event) =
                sqlx::query_as::<_, (i64, String, Option<String>, Option<String>)>(
                    "SELECT d.sequence, d.state, d.body, e.body FROM webhook_delivery d \
                     LEFT JOIN event e ON e.tenant = $3 AND e.sequence = d.sequence \
                     WHERE d.webhook = $1 AND d.id = $2",
                )
                .bind(webhook.to_string())
                .bind(id.to_string())
                .bind(self.key())
                .fetch_optional(&mut *tx)
                .await?
                .ok_or_else(not_found)?;
            let body = kept.or_else(|| event.map(|body| whole(sequence, &body)));
            let Some(body) = body.filter(|_| state != DeliveryState::Lost.name()) else {
                let sentence = "the event is not kept any more".to_owned();
                return Err(StoreError::Conflict(sentence));
            };
            sqlx::query(
                "UPDATE webhook_delivery SET state = 'waiting', attempts = 0, body = $3, \
                 error = NULL, due_ms = (SELECT now_ms FROM clock) WHERE webhook = $1 AND id = $2",
            )
            .bind(webhook.to_string())
            .bind(id.to_string())
            .bind(body)
            .execute(&mut *tx)
            .await?;
            put_act!(tx, act);
        });
        Ok(())
    }

    /// Has all events after this one delivered again, as far as the webhook wants them.
    ///
    /// # Errors
    /// Some are not kept any more, or `after` was never told.
    pub async fn replay_after(&self, name: &WebhookName, after: u64) -> Result<(), Untold> {
        let webhook = self.webhook(name).await?.id;
        self.told_after(after, 1).await?;
        let act = self.act("webhook.replay", name, None::<&()>, Some(&after))?;
        let replay = async {
            in_transaction!(self.store.ready().await?, tx => {
                sqlx::query(
                    "UPDATE webhook SET revision = revision + 1, \
                     place = CASE WHEN place > $2 THEN $2 ELSE place END WHERE id = $1",
                )
                .bind(webhook.to_string())
                .bind(i64::try_from(after).unwrap_or(i64::MAX))
                .execute(&mut *tx)
                .await?;
                put_act!(tx, act);
            });
            Ok::<_, StoreError>(())
        };
        Ok(replay.await?)
    }
}

/// Rows of the log that are over, some at a time: `$1` is how old they are, `$2` how many.
const OLD: [&str; 2] = [
    "DELETE FROM webhook_delivery WHERE id IN (SELECT d.id FROM webhook_delivery d, clock \
     WHERE d.state = 'delivered' AND d.tried_ms < now_ms - $1 LIMIT $2)",
    "DELETE FROM webhook_delivery WHERE id IN (SELECT d.id FROM webhook_delivery d, clock \
     WHERE d.state IN ('failed', 'lost') AND d.tried_ms < now_ms - $1 LIMIT $2)",
];

impl Store {
    /// Forgets what was delivered longer ago than `keep`, and what failed a week ago; at most some
    /// thousands, and says whether there may be more.
    pub async fn forget_deliveries(&self, keep: Millis) -> Result<bool, StoreError> {
        let keep_ms = i64::try_from(keep.ms()).unwrap_or(i64::MAX);
        let gone = on!(self.ready().await?, db => {
            sqlx::query(
                "UPDATE webhook_delivery SET state = 'lost', body = NULL, \
                 tried_ms = (SELECT now_ms FROM clock), \
                 error = 'the webhook was not enabled for too long' \
                 WHERE state = 'waiting' AND made_ms < (SELECT now_ms FROM clock) - $1 \
                 AND webhook IN (SELECT id FROM webhook WHERE NOT enabled)",
            )
            .bind(TROUBLE_KEPT_MS)
            .execute(db)
            .await?;
            let mut gone = 0;
            for (old, keep_ms) in OLD.into_iter().zip([keep_ms, TROUBLE_KEPT_MS]) {
                let done = sqlx::query(old).bind(keep_ms).bind(PRUNED_AT_ONCE).execute(db).await?;
                gone = gone.max(done.rows_affected());
            }
            gone
        });
        Ok(i64::try_from(gone).is_ok_and(|gone| gone >= PRUNED_AT_ONCE))
    }
}
