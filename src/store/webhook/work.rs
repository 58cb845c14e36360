//! What is done under a claim: events become deliveries that wait, or are noted as lost.

use std::sync::Arc;

use sqlx::FromRow;

use super::super::event::number;
use super::super::pool::{in_snapshot, in_transaction, on};
use super::super::{StoreError, positive};
use super::claim::Claim;
use crate::base::ids::{DeliveryId, TenantSlug, WebhookName};
use crate::base::millis::Millis;
use crate::model::event::Types;
use crate::model::webhook::{GAP, WebhookUrl};

/// Deliveries of a webhook that wait; its place waits where there are so many.
pub const WINDOW_MAX: usize = 1_000;

/// A webhook as it is laid down, and what waits for it.
#[derive(Debug, Clone)]
pub struct Laid {
    pub tenant: TenantSlug,
    pub name: WebhookName,
    pub url: WebhookUrl,
    pub types: Types,
    /// Events up to this one are among the deliveries, or are not wanted.
    pub place: u64,
    pub revision: i64,
    /// In the order of the events, at most [`WINDOW_MAX`].
    pub waiting: Vec<Waiting>,
}

/// A delivery that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    pub event: Fresh,
    /// How often it was tried.
    pub attempts: u32,
    /// When it is to be tried again, from now.
    pub due: Millis,
}

/// An event that is to be delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fresh {
    pub sequence: u64,
    pub kind: String,
    pub thing: String,
    /// The event as JSON.
    pub body: Arc<str>,
}

#[derive(Debug, FromRow)]
struct LaidRow {
    slug: String,
    name: String,
    url: String,
    types: String,
    place: i64,
    revision: i64,
}

#[derive(Debug, FromRow)]
struct WaitingRow {
    sequence: i64,
    #[sqlx(rename = "type")]
    kind: String,
    thing: String,
    body: Option<String>,
    attempts: i64,
    due_in_ms: i64,
}

impl TryFrom<WaitingRow> for Waiting {
    type Error = StoreError;
    fn try_from(row: WaitingRow) -> Result<Self, StoreError> {
        let body = row.body.ok_or_else(|| StoreError::corrupt("a delivery without its event"))?;
        let (sequence, kind, thing) = (number(row.sequence), row.kind, row.thing);
        Ok(Self {
            event: Fresh { sequence, kind, thing, body: body.into() },
            attempts: positive(row.attempts)?,
            due: Millis(number(row.due_in_ms)),
        })
    }
}

pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

impl Claim {
    /// How the webhook is laid down now, and what waits; none where it is not ours, or not enabled.
    pub async fn load(&self) -> Result<Option<Laid>, StoreError> {
        let (laid, waiting) = in_snapshot!(self.scope.store.ready().await?, tx => {
            let laid = sqlx::query_as::<_, LaidRow>(
                "SELECT t.slug, w.name, w.url, w.types, w.place, w.revision \
                 FROM webhook w JOIN tenant t ON t.id = w.tenant \
                 WHERE w.id = $1 AND w.holder = $2 AND w.claim = $3 AND w.enabled",
            )
            .bind(self.webhook.to_string())
            .bind(self.holder.to_string())
            .bind(self.number)
            .fetch_optional(&mut *tx)
            .await?;
            let waiting = sqlx::query_as::<_, WaitingRow>(
                "SELECT sequence, type, thing, body, attempts, due_ms - now_ms AS due_in_ms \
                 FROM webhook_delivery, clock WHERE webhook = $1 AND state = 'waiting' \
                 ORDER BY sequence LIMIT $2",
            )
            .bind(self.webhook.to_string())
            .bind(i64::try_from(WINDOW_MAX).unwrap_or(i64::MAX))
            .fetch_all(&mut *tx)
            .await?;
            (laid, waiting)
        });
        let Some(row) = laid else { return Ok(None) };
        let waiting = waiting.into_iter().map(Waiting::try_from).collect::<Result<_, _>>()?;
        Ok(Some(Laid {
            tenant: row.slug.parse().map_err(StoreError::corrupt)?,
            name: row.name.parse().map_err(StoreError::corrupt)?,
            url: row.url.try_into().map_err(|why: String| StoreError::corrupt(why))?,
            types: serde_json::from_str(&row.types).map_err(StoreError::corrupt)?,
            place: number(row.place),
            revision: row.revision,
            waiting,
        }))
    }

    /// These of the events up to `place` are to be delivered, the others are not wanted. What was
    /// delivered before is so again. False where the webhook was changed since this revision, or is
    /// another's.
    pub async fn take(
        &self,
        revision: i64,
        place: u64,
        events: &[Fresh],
    ) -> Result<bool, StoreError> {
        Ok(in_transaction!(self.scope.store.ready().await?, tx => {
            let rows = sqlx::query(
                "UPDATE webhook SET place = $5 \
                 WHERE id = $1 AND holder = $2 AND claim = $3 AND revision = $4",
            )
            .bind(self.webhook.to_string())
            .bind(self.holder.to_string())
            .bind(self.number)
            .bind(revision)
            .bind(signed(place))
            .execute(&mut *tx)
            .await?
            .rows_affected();
            let events = if rows > 0 { events } else { &[] };
            for event in events {
                sqlx::query(
                    "INSERT INTO webhook_delivery (webhook, sequence, type, id, thing, state, \
                     body, made_ms, due_ms, attempts) SELECT $1, $2, $3, $4, $5, 'waiting', $6, \
                     now_ms, now_ms, 0 FROM clock WHERE TRUE \
                     ON CONFLICT (webhook, sequence, type) DO UPDATE SET state = 'waiting', \
                     body = excluded.body, due_ms = excluded.due_ms, attempts = 0, error = NULL \
                     WHERE webhook_delivery.state <> 'waiting'",
                )
                .bind(self.webhook.to_string())
                .bind(signed(event.sequence))
                .bind(&event.kind)
                .bind(DeliveryId(uuid::Uuid::now_v7()).to_string())
                .bind(&event.thing)
                .bind(&*event.body)
                .execute(&mut *tx)
                .await?;
            }
            rows > 0
        }))
    }

    /// Events after `place`, up to this one, are not kept any more: that is said in the log. False
    /// as for [`Claim::take`].
    pub async fn gap(&self, revision: i64, place: u64, lost: u64) -> Result<bool, StoreError> {
        if !self.take(revision, lost, &[]).await? {
            return Ok(false);
        }
        let error =
            format!("events {} to {lost} were forgotten before they could be sent", place + 1);
        on!(self.scope.store.ready().await?, db => {
            sqlx::query(
                "INSERT INTO webhook_delivery (webhook, sequence, type, id, thing, state, \
                 made_ms, due_ms, attempts, tried_ms, error) SELECT $1, $2, $3, $4, '', 'lost', \
                 now_ms, now_ms, 0, now_ms, $5 FROM clock WHERE TRUE \
                 ON CONFLICT (webhook, sequence, type) DO NOTHING",
            )
            .bind(self.webhook.to_string())
            .bind(signed(lost))
            .bind(GAP)
            .bind(DeliveryId(uuid::Uuid::now_v7()).to_string())
            .bind(error)
            .execute(db)
            .await
            .map(drop)?;
        });
        Ok(true)
    }
}
