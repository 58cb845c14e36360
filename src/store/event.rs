//! What tenants' followers are told: numbered in the transaction that writes what happened, so that
//! nothing is told that did not happen, nothing happens untold, and nothing is told twice.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::kept::{Kept, What};
use super::pool::{in_snapshot, in_transaction, on};
use super::registration::{NamedState, STATES};
use super::{Store, StoreError, TenantScope};
use crate::base::ids::{CallId, GatewayId, GatewayName, RecordingId, TenantId};
use crate::base::millis::Millis;
use crate::model::event::{Fold, Happened, Kind, Standing, of_entry, of_record, of_rule};
use crate::model::record::{CallRecord, RecordingNote};
use crate::model::recording::RecordingState;
use crate::model::registration::Registration;
use crate::model::timeline::Entry;

/// Events that are read at once.
pub const EVENTS_MAX: u32 = 500;
/// Events that are removed at once: the database is not held up by one long removal.
const PRUNED_AT_ONCE: i64 = 5_000;

/// Something to be told.
#[derive(Debug, Clone)]
pub(super) struct News {
    pub(super) tenant: TenantId,
    /// Names what it is about; the same name is told once.
    pub(super) source: String,
    pub(super) what: Happened,
}

impl News {
    /// What a thing that a call did has to tell.
    pub(super) fn of(kept: &Kept) -> Vec<Self> {
        let (tenant, call) = (kept.tenant, kept.call);
        // What can't be read is refused where it is written.
        match &kept.what {
            What::Timeline { entries, .. } => {
                let entries: Vec<Entry> = serde_json::from_str(entries).unwrap_or_default();
                let told = entries.iter().filter_map(|entry| {
                    let what = of_entry(call, entry)?;
                    let source = format!("{call} {} {}", entry.term, entry.sequence);
                    Some(Self { tenant, source, what })
                });
                told.collect()
            }
            What::Record { json } => {
                let record = serde_json::from_str(json).ok();
                record.iter().flat_map(Self::of_record).collect()
            }
            What::Recording { json } => {
                let note = serde_json::from_str::<RecordingNote>(json).ok();
                note.and_then(|note| Self::of_note(kept, &note)).into_iter().collect()
            }
            What::Live { .. } | What::Audit { .. } => Vec::new(),
        }
    }

    pub(super) fn of_record(record: &CallRecord) -> Vec<Self> {
        let (tenant, call) = (record.tenant, record.call);
        let turned_away = of_rule(record);
        // One that was swept may be up again, and end once more.
        let source = format!("{call} ended {}", record.hands);
        let ended = Self { tenant, source, what: of_record(record) };
        let source = format!("{call} turned away");
        let turned_away = turned_away.map(|what| Self { tenant, source, what });
        turned_away.into_iter().chain([ended]).collect()
    }

    pub(super) fn of_removed_gateway(
        tenant: TenantId,
        id: GatewayId,
        gateway: GatewayName,
        at: Timestamp,
    ) -> Self {
        let what = Happened { at, kind: Kind::GatewayRemoved { gateway } };
        Self { tenant, source: format!("gateway {id} removed"), what }
    }

    /// The tenant's calls outside are locked, or not any more.
    pub(super) fn of_lock(tenant: TenantId, why: Option<&str>, at: Timestamp) -> Self {
        let (word, kind) = match why {
            Some(why) => ("locked", Kind::OutboundLocked { why: why.to_owned() }),
            None => ("unlocked", Kind::OutboundUnlocked),
        };
        let source = format!("outbound {word} {}", at.as_millisecond());
        Self { tenant, source, what: Happened { at, kind } }
    }

    pub(super) fn of_gateway(
        tenant: TenantId,
        id: GatewayId,
        gateway: GatewayName,
        now: &Registration,
    ) -> Self {
        let source = format!("gateway {id} {} {}", now.switch, now.since.as_microsecond());
        let kind = Kind::GatewayChanged { gateway, now: now.clone() };
        Self { tenant, source, what: Happened { at: now.since, kind } }
    }

    fn of_note(kept: &Kept, note: &RecordingNote) -> Option<Self> {
        let (recording, state, at) = (note.id?, note.state, note.began?);
        let length = SignedDuration::from_millis(i64::try_from(note.length_ms).ok()?);
        let at = at.checked_add(length).ok()?;
        let call = (!kept.call.0.is_nil()).then_some(kept.call);
        Some(Self::of_recording(kept.tenant, recording, call, state, at))
    }

    pub(super) fn of_recording(
        tenant: TenantId,
        recording: RecordingId,
        call: Option<CallId>,
        state: RecordingState,
        at: Timestamp,
    ) -> Self {
        let source = format!("recording {recording} {}", state.name());
        let kind = Kind::RecordingChanged { recording, call, state };
        Self { tenant, source, what: Happened { at, kind } }
    }
}

/// By tenant, in the order in which tenants' counters are taken by everybody.
pub(super) fn by_tenant(news: &[News]) -> BTreeMap<TenantId, Vec<&News>> {
    let mut all: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for one in news {
        all.entry(one.tenant).or_default().push(one);
    }
    all
}

/// Tells it inside a transaction, after all else that this writes: who has a counter waits for
/// nobody.
macro_rules! put_news {
    ($tx:ident, $news:expr) => {
        for (tenant, news) in $crate::store::event::by_tenant($news) {
            let tenant = tenant.to_string();
            sqlx::query(
                "INSERT INTO event_counter (tenant, last, pruned) VALUES ($1, 0, 0) \
                 ON CONFLICT (tenant) DO NOTHING",
            )
            .bind(&tenant)
            .execute(&mut *$tx)
            .await?;
            let (mut last,) = sqlx::query_as::<_, (i64,)>(
                "UPDATE event_counter SET last = last WHERE tenant = $1 RETURNING last",
            )
            .bind(&tenant)
            .fetch_one(&mut *$tx)
            .await?;
            for one in news {
                let call = one.what.kind.call().map(|call| call.to_string());
                let body = serde_json::to_string(&one.what).map_err(StoreError::corrupt)?;
                let rows = sqlx::query(
                    "INSERT INTO event (tenant, sequence, source, call, told_ms, body) \
                     SELECT $1, $2, $3, $4, now_ms, $5 FROM clock WHERE TRUE \
                     ON CONFLICT (tenant, source) DO NOTHING",
                )
                .bind(&tenant)
                .bind(last + 1)
                .bind(&one.source)
                .bind(&call)
                .bind(crate::store::write::plain(&body))
                .execute(&mut *$tx)
                .await?
                .rows_affected();
                if rows == 0 {
                    continue;
                }
                last += 1;
                let open = match &one.what.kind {
                    $crate::model::event::Kind::CallCreated { .. } => {
                        "INSERT INTO event_open (tenant, call) VALUES ($1, $2) \
                         ON CONFLICT (tenant, call) DO NOTHING"
                    }
                    $crate::model::event::Kind::CallEnded { .. } => {
                        "DELETE FROM event_open WHERE tenant = $1 AND call = $2"
                    }
                    _ => continue,
                };
                sqlx::query(open).bind(&tenant).bind(&call).execute(&mut *$tx).await?;
            }
            sqlx::query("UPDATE event_counter SET last = $2 WHERE tenant = $1")
                .bind(&tenant)
                .bind(last)
                .execute(&mut *$tx)
                .await?;
        }
    };
}

pub(super) use put_news;

/// What was told after some event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Sequences and events, as JSON objects, in their order.
    pub events: Vec<(u64, String)>,
    /// That of the last event that there is.
    pub last: u64,
}

/// Why what was told after some event can't be told again.
#[derive(Debug, thiserror::Error)]
pub enum Untold {
    /// What came between is not kept any more.
    #[error("events up to {kept_after} are not kept any more")]
    Gone { kept_after: u64 },
    #[error("event {last} is the last there is")]
    Ahead { last: u64 },
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The whole event from its number and the rest.
pub(super) fn whole(sequence: i64, body: &str) -> String {
    let rest = body.strip_prefix('{').unwrap_or(body);
    format!("{{\"sequence\":{sequence},{rest}")
}

impl TenantScope {
    /// What was told after `after`, at most `most` events.
    ///
    /// # Errors
    /// It is not kept any more, or `after` was never told.
    pub async fn told_after(&self, after: u64, most: u32) -> Result<Told, Untold> {
        let most = most.clamp(1, EVENTS_MAX);
        let place = i64::try_from(after).unwrap_or(i64::MAX);
        let read = async {
            Ok::<_, StoreError>(in_snapshot!(self.store.ready().await?, tx => {
                let ends = sqlx::query_as::<_, (i64, i64)>(
                    "SELECT last, pruned FROM event_counter WHERE tenant = $1",
                )
                .bind(self.key())
                .fetch_optional(&mut *tx)
                .await?;
                let rows = sqlx::query_as::<_, (i64, String)>(
                    "SELECT sequence, body FROM event WHERE tenant = $1 AND sequence > $2 \
                     ORDER BY sequence LIMIT $3",
                )
                .bind(self.key())
                .bind(place)
                .bind(i64::from(most))
                .fetch_all(&mut *tx)
                .await?;
                (ends.unwrap_or_default(), rows)
            }))
        };
        let ((last, pruned), rows) = read.await?;
        if place < pruned {
            return Err(Untold::Gone { kept_after: number(pruned) });
        }
        if place > last {
            return Err(Untold::Ahead { last: number(last) });
        }
        let events =
            rows.iter().map(|(sequence, body)| (number(*sequence), whole(*sequence, body)));
        Ok(Told { events: events.collect(), last: number(last) })
    }

    /// How things stand, made of what was told.
    pub async fn standing(&self) -> Result<Standing, StoreError> {
        let (last, gateways, rows) = in_snapshot!(self.store.ready().await?, tx => {
            let last = sqlx::query_as::<_, (i64,)>(
                "SELECT last FROM event_counter WHERE tenant = $1",
            )
            .bind(self.key())
            .fetch_optional(&mut *tx)
            .await?;
            let rows = sqlx::query_as::<_, (String,)>(
                "SELECT e.body FROM event_open o JOIN event e \
                 ON e.tenant = o.tenant AND e.call = o.call \
                 WHERE o.tenant = $1 ORDER BY e.sequence",
            )
            .bind(self.key())
            .fetch_all(&mut *tx)
            .await?;
            let gateways = sqlx::query_as::<_, NamedState>(STATES)
                .bind(self.key())
                .fetch_all(&mut *tx)
                .await?;
            (last.map_or(0, |(last,)| last), gateways, rows)
        });
        let mut fold = Fold::default();
        for row in gateways {
            let (gateway, now) = row.read()?;
            fold.gateway(&gateway, &now);
        }
        for (body,) in rows {
            fold.tell(&serde_json::from_str(&body).map_err(StoreError::corrupt)?);
        }
        Ok(fold.standing(number(last)))
    }
}

pub(super) fn number(sequence: i64) -> u64 {
    u64::try_from(sequence).unwrap_or(0)
}

impl Store {
    /// Of each tenant, the last that was told.
    pub(super) async fn told(&self) -> Result<Vec<(TenantId, u64)>, StoreError> {
        let rows = on!(self.ready().await?, db => {
            sqlx::query_as::<_, (String, i64)>("SELECT tenant, last FROM event_counter")
                .fetch_all(db)
                .await?
        });
        let each = rows
            .into_iter()
            .map(|(tenant, last)| Ok((tenant.parse().map_err(StoreError::corrupt)?, number(last))));
        each.collect()
    }

    /// Forgets what was told longer ago than `keep`, but nothing of calls that are up; at most some
    /// thousands, and says whether there may be more.
    pub async fn forget_told(&self, keep: Millis) -> Result<bool, StoreError> {
        let keep_ms = i64::try_from(keep.ms()).unwrap_or(i64::MAX);
        let gone = in_transaction!(self.ready().await?, tx => {
            let gone = sqlx::query_as::<_, (String, i64)>(
                "DELETE FROM event WHERE (tenant, sequence) IN (SELECT e.tenant, e.sequence \
                 FROM event e, clock WHERE e.told_ms < now_ms - $1 AND NOT EXISTS \
                 (SELECT 1 FROM event_open o WHERE o.tenant = e.tenant AND o.call = e.call) \
                 ORDER BY e.told_ms LIMIT $2) RETURNING tenant, sequence",
            )
            .bind(keep_ms)
            .bind(PRUNED_AT_ONCE)
            .fetch_all(&mut *tx)
            .await?;
            let mut highest = BTreeMap::new();
            for (tenant, sequence) in &gone {
                let known = highest.entry(tenant.as_str()).or_insert(0);
                *known = (*known).max(*sequence);
            }
            for (tenant, sequence) in highest {
                sqlx::query(
                    "UPDATE event_counter SET pruned = $2 WHERE tenant = $1 AND pruned < $2",
                )
                .bind(tenant)
                .bind(sequence)
                .execute(&mut *tx)
                .await?;
            }
            gone.len()
        });
        Ok(i64::try_from(gone).is_ok_and(|gone| gone >= PRUNED_AT_ONCE))
    }

    /// Wakes whoever tells those who follow.
    pub(super) fn tell(&self) {
        self.told.send_modify(|count| *count = count.wrapping_add(1));
    }
}
