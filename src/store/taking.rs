//! How far a recording's file has come on its way in. Whoever takes it in claims it; a claim ends
//! with its process, and whatever a claim that was overtaken still writes changes nothing.

use std::collections::BTreeSet;

use sqlx::FromRow;

use super::event::{News, put_news};
use super::instance::GONE_MS;
use super::pool::{in_transaction, on};
use super::recording::{COLUMNS, Kept, RecordingRow, StoredAudio, over};
use super::{Operator, StoreError, TenantScope, timestamp};
use crate::base::ids::{CallId, InstanceId, RecordingId, RoomName, TenantId};
use crate::base::millis::Millis;
use crate::model::recording::{RecordingKind, RecordingState, Span};
use crate::model::timeline::{Entry, What};

/// Recordings that are claimed at once, at most.
const CLAIM_MAX: u32 = 64;
/// Recordings among which a process looks for those whose file it has.
const CANDIDATES_MAX: i64 = 1_000;
/// How long a recording is left to the machine that has its file, in milliseconds.
const ELSEWHERE_MS: i64 = 60_000;
/// A room's recording is noted before FreeSWITCH is told of it, which takes less than this.
const ROOM_GRACE_MS: i64 = 5_000;
/// Recordings of rooms that are handed out at once.
const ROOMS_MAX: i64 = 200;
/// The term of what becomes of a call's recordings: after all that its machine notes.
const AFTER: u32 = u32::MAX;

/// What was measured in a file, and made of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measured {
    pub length_ms: u64,
    pub channels: u16,
    /// 0 where it is no sound that is known.
    pub rate: u32,
    pub silent: bool,
    /// Where it is masked, as the sound has it.
    pub masked: Vec<Span>,
    pub bytes: u64,
    pub hash: String,
    /// What is odd about it.
    pub why: String,
}

/// What a file in the spool is, by the tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fate {
    pub state: RecordingState,
    /// How often it was claimed.
    pub claim: u32,
    /// The name of its encrypted file, once there is one.
    pub object: Option<String>,
    /// Whether its call is up, as far as is known.
    pub is_live: bool,
}

/// When a recording's call began: the id of a call is a time too.
fn began_ms(kept: &Kept) -> i64 {
    let of_call = kept.recording.call.and_then(|call| call.0.get_timestamp());
    let (seconds, nanos) = match of_call {
        Some(at) => at.to_unix(),
        None => return kept.recording.began.as_millisecond(),
    };
    i64_of(seconds.saturating_mul(1_000).saturating_add(u64::from(nanos) / 1_000_000))
}

fn i64_of(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[derive(Debug, FromRow)]
struct CandidateRow {
    tenant: String,
    id: String,
    object: Option<String>,
    claim: i64,
    waited_ms: i64,
}

impl Operator {
    /// Claims recordings that have ended and are due, for this process; at most `limit`, and none
    /// of those that it is busy with. `is_here` says whether a recording's file, or its encrypted
    /// file of this name, is in this machine's spool. One that is not is left to the others for a
    /// minute; then it is nowhere.
    pub async fn claim_recordings(
        &self,
        holder: InstanceId,
        busy: &BTreeSet<RecordingId>,
        limit: u32,
        is_here: impl Fn(TenantId, RecordingId, Option<&str>) -> bool,
    ) -> Result<Vec<Kept>, StoreError> {
        let rows = on!(self.store.ready().await?, db => {
            sqlx::query_as::<_, CandidateRow>(
                "SELECT tenant, id, object, claim, now_ms - due_ms AS waited_ms \
                 FROM recording, clock \
                 WHERE state = 'pending' AND NOT deleting AND due_ms <= now_ms \
                 AND (holder IS NULL OR holder = $3 OR NOT EXISTS (SELECT 1 FROM instance i \
                 WHERE i.id = recording.holder AND i.seen_ms >= now_ms - $1)) \
                 ORDER BY due_ms, id LIMIT $2",
            )
            .bind(GONE_MS)
            .bind(CANDIDATES_MAX)
            .bind(holder.to_string())
            .fetch_all(db)
            .await?
        });
        let wanted = usize::try_from(limit.min(CLAIM_MAX)).unwrap_or(0);
        let mut candidates = Vec::new();
        for row in rows {
            if candidates.len() == wanted {
                break;
            }
            let id = row.id.parse().map_err(StoreError::corrupt)?;
            let tenant = row.tenant.parse().map_err(StoreError::corrupt)?;
            let is_ours =
                || row.waited_ms >= ELSEWHERE_MS || is_here(tenant, id, row.object.as_deref());
            if !busy.contains(&id) && is_ours() {
                candidates.push(row);
            }
        }
        self.claim_each(holder, candidates).await
    }

    async fn claim_each(
        &self,
        holder: InstanceId,
        candidates: Vec<CandidateRow>,
    ) -> Result<Vec<Kept>, StoreError> {
        let sql = format!(
            "UPDATE recording SET holder = $4, claim = claim + 1 \
             WHERE tenant = $1 AND id = $2 AND claim = $3 AND state = 'pending' AND NOT deleting \
             RETURNING {COLUMNS}"
        );
        let mut claimed = Vec::new();
        for CandidateRow { tenant, id, claim, .. } in candidates {
            let row = on!(self.store.ready().await?, db => {
                sqlx::query_as::<_, RecordingRow>(sqlx::AssertSqlSafe(sql.as_str()))
                    .bind(tenant)
                    .bind(id)
                    .bind(claim)
                    .bind(holder.to_string())
                    .fetch_optional(db)
                    .await?
            });
            // None: another process was faster.
            claimed.extend(row.map(Kept::try_from).transpose()?);
        }
        Ok(claimed)
    }

    /// Recordings of rooms that run, by what is known here, and began a while ago; at most 200.
    /// Nobody tells when one ends: whoever looks after rooms sees it.
    pub async fn running_rooms(&self) -> Result<Vec<RunningRoom>, StoreError> {
        let rows = on!(self.store.ready().await?, db => {
            sqlx::query_as::<_, RunningRow>(
                "SELECT tenant, id, room, path, now_ms - began_ms AS age_ms FROM recording, clock \
                 WHERE state = 'running' AND kind = 'room' AND began_ms <= now_ms - $1 \
                 ORDER BY began_ms LIMIT $2",
            )
            .bind(ROOM_GRACE_MS)
            .bind(ROOMS_MAX)
            .fetch_all(db)
            .await?
        });
        rows.into_iter().map(RunningRoom::try_from).collect()
    }

    /// Recordings of calls that are over, and of which nobody told the end: they have ended too.
    pub async fn end_recordings_of_ended_calls(&self) -> Result<u64, StoreError> {
        let rows = on!(self.store.ready().await?, db => {
            sqlx::query(
                "UPDATE recording SET state = 'pending', due_ms = (SELECT now_ms FROM clock) \
                 WHERE state = 'running' AND kind <> 'room' \
                 AND EXISTS (SELECT 1 FROM call_record r \
                 WHERE r.tenant = recording.tenant AND r.id = recording.call) \
                 AND NOT EXISTS (SELECT 1 FROM live_call l \
                 WHERE l.tenant = recording.tenant AND l.id = recording.call)",
            )
            .execute(db)
            .await?
            .rows_affected()
        });
        Ok(rows)
    }
}

/// A recording of a room that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningRoom {
    pub tenant: TenantId,
    pub id: RecordingId,
    pub room: RoomName,
    pub path: String,
    pub age: Millis,
}

#[derive(Debug, FromRow)]
struct RunningRow {
    tenant: String,
    id: String,
    room: Option<String>,
    path: String,
    age_ms: i64,
}

impl TryFrom<RunningRow> for RunningRoom {
    type Error = StoreError;
    fn try_from(row: RunningRow) -> Result<Self, StoreError> {
        let room = row.room.unwrap_or_default();
        Ok(Self {
            tenant: row.tenant.parse().map_err(StoreError::corrupt)?,
            id: row.id.parse().map_err(StoreError::corrupt)?,
            room: room.parse().map_err(StoreError::corrupt)?,
            path: row.path,
            age: Millis(u64::try_from(row.age_ms).unwrap_or(0)),
        })
    }
}

#[derive(Debug, FromRow)]
struct FateRow {
    state: String,
    claim: i64,
    object: Option<String>,
    is_live: bool,
}

impl TenantScope {
    /// What is known of a recording whose file is in the spool; none where it is unknown, was
    /// deleted or is about to be.
    pub async fn fate(&self, id: RecordingId) -> Result<Option<Fate>, StoreError> {
        let row = on!(self.store.ready().await?, db => {
            sqlx::query_as::<_, FateRow>(
                "SELECT state, claim, object, \
                 EXISTS (SELECT 1 FROM live_call l, instance i, clock \
                 WHERE l.tenant = recording.tenant AND l.id = recording.call \
                 AND i.id = l.holder AND i.seen_ms >= now_ms - $3) AS is_live \
                 FROM recording WHERE tenant = $1 AND id = $2 AND NOT deleting",
            )
            .bind(self.key())
            .bind(id.to_string())
            .bind(GONE_MS)
            .fetch_optional(db)
            .await?
        });
        let Some(row) = row else { return Ok(None) };
        let state = serde_json::from_value(row.state.into()).map_err(StoreError::corrupt)?;
        let claim = super::positive(row.claim)?;
        Ok(Some(Fate { state, claim, object: row.object, is_live: row.is_live }))
    }

    /// A recording has ended of which nobody else tells that.
    pub async fn end_recording(&self, id: RecordingId) -> Result<(), StoreError> {
        on!(self.store.ready().await?, db => {
            sqlx::query(
                "UPDATE recording SET state = 'pending', due_ms = (SELECT now_ms FROM clock) \
                 WHERE tenant = $1 AND id = $2 AND state = 'running'",
            )
            .bind(self.key())
            .bind(id.to_string())
            .execute(db)
            .await
            .map(drop)?;
        });
        Ok(())
    }

    /// Whether a call is up, as far as is known.
    pub async fn is_live(&self, call: CallId) -> Result<bool, StoreError> {
        let row = on!(self.store.ready().await?, db => {
            sqlx::query_as::<_, (bool,)>(
                "SELECT EXISTS (SELECT 1 FROM live_call WHERE tenant = $1 AND id = $2)",
            )
            .bind(self.key())
            .bind(call.to_string())
            .fetch_one(db)
            .await?
        });
        Ok(row.0)
    }

    /// A recording's file was found of which nobody told, or not that it ended: it is to be taken
    /// in.
    ///
    /// # Errors
    /// There is no such tenant.
    pub async fn found_recording(&self, id: RecordingId, path: &str) -> Result<(), StoreError> {
        self.tenant().await?;
        on!(self.store.ready().await?, db => {
            sqlx::query(
                "INSERT INTO recording (tenant, id, kind, state, path, began_ms, told_ms, \
                 min_ms, channels, masked, due_ms, why) SELECT $1, $2, $3, 'pending', $4, now_ms, \
                 0, 0, 0, '[]', now_ms, '' FROM clock WHERE NOT EXISTS (SELECT 1 \
                 FROM recording_trace WHERE tenant = $1 AND recording = $2 AND deed = 'deleted') \
                 ON CONFLICT (tenant, id) DO UPDATE SET state = 'pending', \
                 due_ms = excluded.due_ms WHERE recording.state = 'running'",
            )
            .bind(self.key())
            .bind(id.to_string())
            .bind(RecordingKind::Call.name())
            .bind(path)
            .execute(db)
            .await
            .map(drop)?;
        });
        Ok(())
    }

    /// The plain file is encrypted: says what is in it, and where the encrypted one is to be
    /// stored. False where another process has the recording, or the key is gone.
    pub async fn sealed_recording(
        &self,
        kept: &Kept,
        measured: &Measured,
        audio: &StoredAudio,
    ) -> Result<bool, StoreError> {
        let sql = "UPDATE recording SET length_ms = $4, channels = $5, rate = $6, silent = $7, \
             bytes = $8, hash = $9, why = $10, object = $11, stored_bytes = $12, \
             stored_hash = $13, key_number = $14, wrapped = $15, masked = $16, trouble = '' \
             WHERE tenant = $1 AND id = $2 AND claim = $3 AND state = 'pending'";
        Ok(in_transaction!(self.store.ready().await?, tx => {
            // Holds the key, which may be about to be rotated away, until this is written.
            let key = sqlx::query(
                "UPDATE tenant_key SET number = number \
                 WHERE tenant = $1 AND number = $2 AND wrapped IS NOT NULL",
            )
            .bind(self.key())
            .bind(i64::from(audio.key_number))
            .execute(&mut *tx)
            .await?
            .rows_affected();
            let mut rows = 0;
            if key > 0 {
                rows = sqlx::query(sql)
                    .bind(self.key())
                    .bind(kept.recording.id.to_string())
                    .bind(i64::from(kept.claim))
                    .bind(i64_of(measured.length_ms))
                    .bind(i64::from(measured.channels))
                    .bind(i64::from(measured.rate))
                    .bind(measured.silent)
                    .bind(i64_of(measured.bytes))
                    .bind(&measured.hash)
                    .bind(&measured.why)
                    .bind(&audio.object)
                    .bind(i64_of(audio.stored_bytes))
                    .bind(&audio.stored_hash)
                    .bind(i64::from(audio.key_number))
                    .bind(&audio.wrapped)
                    .bind(serde_json::to_string(&measured.masked).map_err(StoreError::corrupt)?)
                    .execute(&mut *tx)
                    .await?
                    .rows_affected();
            }
            rows > 0
        }))
    }

    /// The encrypted file is lost, and the plain one still there: all begins again.
    pub async fn unsealed_recording(&self, kept: &Kept) -> Result<(), StoreError> {
        on!(self.store.ready().await?, db => {
            sqlx::query(
                "UPDATE recording SET object = NULL, wrapped = NULL \
                 WHERE tenant = $1 AND id = $2 AND claim = $3 AND state = 'pending'",
            )
            .bind(self.key())
            .bind(kept.recording.id.to_string())
            .bind(i64::from(kept.claim))
            .execute(db)
            .await
            .map(drop)?;
        });
        Ok(())
    }

    /// What became of a recording in the end, also in its call's timeline. False where another
    /// process has it. `keep` is for tenants of whom nothing is said.
    pub async fn settle_recording(
        &self,
        kept: &Kept,
        state: RecordingState,
        why: &str,
        keep: Option<Millis>,
    ) -> Result<bool, StoreError> {
        let keep = self.keeps_recordings().await?.or(keep);
        let id = kept.recording.id;
        let settled = in_transaction!(self.store.ready().await?, tx => {
            let row = sqlx::query_as::<_, (i64, i64)>(
                "UPDATE recording SET state = $4, why = $5, trouble = '', holder = NULL \
                 WHERE tenant = $1 AND id = $2 AND claim = $3 AND state = 'pending' \
                 RETURNING began_ms + length_ms, (SELECT now_ms FROM clock)",
            )
            .bind(self.key())
            .bind(id.to_string())
            .bind(i64::from(kept.claim))
            .bind(state.name())
            .bind(why.replace('\0', "\u{fffd}"))
            .fetch_optional(&mut *tx)
            .await?;
            if let Some((ended_ms, now_ms)) = row {
                sqlx::query(
                    "UPDATE recording SET delete_after_ms = $3 WHERE tenant = $1 AND id = $2",
                )
                .bind(self.key())
                .bind(id.to_string())
                .bind(over(timestamp(ended_ms)?, keep))
                .execute(&mut *tx)
                .await?;
                if let Some(call) = kept.recording.call {
                    let what = What::Recording { recording: id, state, why: why.to_owned() };
                    let (call, at) = (call.to_string(), timestamp(now_ms)?);
                    let last = sqlx::query_as::<_, (i64,)>(
                        "SELECT COALESCE(MAX(first), 0) FROM call_timeline \
                         WHERE tenant = $1 AND call = $2 AND term = $3",
                    )
                    .bind(self.key())
                    .bind(&call)
                    .bind(i64::from(AFTER))
                    .fetch_one(&mut *tx)
                    .await?
                    .0;
                    let sequence = super::positive(last + 1)?;
                    let ms = u64::try_from(now_ms - began_ms(kept)).unwrap_or(0);
                    let entry = [Entry { term: AFTER, sequence, at, ms, what }];
                    sqlx::query(
                        "INSERT INTO call_timeline (tenant, call, term, first, entries) \
                         VALUES ($1, $2, $3, $4, $5)",
                    )
                    .bind(self.key())
                    .bind(&call)
                    .bind(i64::from(AFTER))
                    .bind(last + 1)
                    .bind(serde_json::to_string(&entry).map_err(StoreError::corrupt)?)
                    .execute(&mut *tx)
                    .await?;
                }
            }
            if let Some((_, now_ms)) = row {
                let at = timestamp(now_ms)?;
                put_news!(tx, &[News::of_recording(self.id(), id, kept.recording.call, state, at)]);
            }
            row.is_some()
        });
        self.store.tell();
        Ok(settled)
    }

    /// It did not work this time: another attempt after `pause`, by anybody. `counts`: that was a
    /// failure.
    pub async fn postpone_recording(
        &self,
        kept: &Kept,
        trouble: &str,
        counts: bool,
        pause: Millis,
    ) -> Result<(), StoreError> {
        on!(self.store.ready().await?, db => {
            sqlx::query(
                "UPDATE recording SET holder = NULL, trouble = $4, attempts = attempts + $6, \
                 due_ms = (SELECT now_ms FROM clock) + $5 \
                 WHERE tenant = $1 AND id = $2 AND claim = $3 AND state = 'pending'",
            )
            .bind(self.key())
            .bind(kept.recording.id.to_string())
            .bind(i64::from(kept.claim))
            .bind(trouble.replace('\0', "\u{fffd}"))
            .bind(i64_of(pause.ms()))
            .bind(i64::from(counts))
            .execute(db)
            .await
            .map(drop)?;
        });
        Ok(())
    }
}

/// Whose the row is, for who only has a recording's id.
impl Operator {
    pub async fn whose_recording(&self, id: RecordingId) -> Result<TenantId, StoreError> {
        let row = on!(self.store.ready().await?, db => {
            sqlx::query_as::<_, (String,)>(
                "SELECT tenant FROM recording WHERE id = $1 AND NOT deleting",
            )
            .bind(id.to_string())
            .fetch_optional(db)
            .await?
        });
        let (tenant,) = row.ok_or_else(|| StoreError::not_found("recording", id))?;
        tenant.parse().map_err(StoreError::corrupt)
    }
}
