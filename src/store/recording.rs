//! Recordings, as their tenant sees them, and what the tenant does to them.

use jiff::Timestamp;
use sqlx::FromRow;

use super::page::{Cursor, Page, Wanted};
use super::pool::{in_transaction, on};
use super::trace::{Deed, put_trace};
use super::{Operator, StoreError, TenantScope, timestamp};
use crate::base::ids::{CallId, RecordingId, RoomName, TenantId};
use crate::base::millis::Millis;
use crate::model::recording::{Recording, RecordingKind, RecordingState};

/// Recordings to be deleted that are handed out at once.
const OVER_MAX: i64 = 200;

/// The columns of [`RecordingRow`].
pub(super) const COLUMNS: &str = "id, tenant, call, kind, room, state, why, path, began_ms, \
     told_ms, min_ms, channels, masked, paused, length_ms, rate, silent, bytes, hash, object, \
     stored_bytes, stored_hash, key_number, wrapped, claim, attempts, trouble, hold, \
     delete_after_ms";

#[derive(Debug, FromRow)]
pub(super) struct RecordingRow {
    id: String,
    tenant: String,
    call: Option<String>,
    kind: String,
    room: Option<String>,
    state: String,
    why: String,
    path: String,
    began_ms: i64,
    told_ms: i64,
    min_ms: i64,
    channels: i64,
    masked: String,
    paused: String,
    length_ms: i64,
    rate: i64,
    silent: bool,
    bytes: i64,
    hash: String,
    object: Option<String>,
    stored_bytes: i64,
    stored_hash: String,
    key_number: i64,
    wrapped: Option<String>,
    claim: i64,
    attempts: i64,
    trouble: String,
    hold: Option<String>,
    delete_after_ms: Option<i64>,
}

/// Where a recording's encrypted file is, and what opens it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAudio {
    /// Its name in the store of files.
    pub object: String,
    /// The number of the tenant's key that wraps its data key.
    pub key_number: u32,
    /// None after the tenant's key was destroyed.
    pub wrapped: Option<String>,
    pub stored_bytes: u64,
    pub stored_hash: String,
}

/// All that is known of a recording.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    pub recording: Recording,
    /// Where FreeSWITCH writes it.
    pub path: String,
    /// What is shorter is not kept.
    pub min_length_ms: u64,
    /// None before it is encrypted.
    pub audio: Option<StoredAudio>,
    /// How often it was claimed, and how often it failed.
    pub claim: u32,
    pub attempts: u32,
    /// Why it could not be taken in the last time.
    pub trouble: String,
}

/// Which recordings are wanted; what is left out does not matter.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RecordingFilter {
    pub call: Option<CallId>,
    pub kind: Option<RecordingKind>,
    pub state: Option<RecordingState>,
    pub room: Option<RoomName>,
    /// Those that began then or later.
    pub from: Option<Timestamp>,
    /// Those that began before.
    pub to: Option<Timestamp>,
}

fn unsigned<T: TryFrom<i64>>(number: i64) -> Result<T, StoreError>
where
    T::Error: std::error::Error + Send + Sync + 'static,
{
    T::try_from(number).map_err(StoreError::corrupt)
}

/// A word as serialised elsewhere.
fn word<T: serde::de::DeserializeOwned>(word: &str) -> Result<T, StoreError> {
    serde_json::from_value(word.into()).map_err(StoreError::corrupt)
}

impl TryFrom<RecordingRow> for Kept {
    type Error = StoreError;
    fn try_from(row: RecordingRow) -> Result<Self, StoreError> {
        let length = if row.length_ms > 0 { row.length_ms } else { row.told_ms };
        let call = row.call.map(|call| call.parse()).transpose().map_err(StoreError::corrupt)?;
        let recording = Recording {
            id: row.id.parse().map_err(StoreError::corrupt)?,
            tenant: row.tenant.parse().map_err(StoreError::corrupt)?,
            call,
            kind: word(&row.kind)?,
            room: row.room,
            state: word(&row.state)?,
            why: row.why,
            began: timestamp(row.began_ms)?,
            length_ms: unsigned(length)?,
            channels: unsigned(row.channels)?,
            rate: unsigned(row.rate)?,
            masked: serde_json::from_str(&row.masked).map_err(StoreError::corrupt)?,
            paused: serde_json::from_str(&row.paused).map_err(StoreError::corrupt)?,
            silent: row.silent,
            bytes: unsigned(row.bytes)?,
            hash: row.hash,
            stored_hash: row.stored_hash.clone(),
            hold: row.hold,
            delete_after: row.delete_after_ms.map(timestamp).transpose()?,
        };
        let audio = match row.object {
            Some(object) => Some(StoredAudio {
                object,
                key_number: unsigned(row.key_number)?,
                wrapped: row.wrapped,
                stored_bytes: unsigned(row.stored_bytes)?,
                stored_hash: row.stored_hash,
            }),
            None => None,
        };
        Ok(Self {
            recording,
            path: row.path,
            min_length_ms: unsigned(row.min_ms)?,
            audio,
            claim: unsigned(row.claim)?,
            attempts: unsigned(row.attempts)?,
            trouble: row.trouble,
        })
    }
}

fn missing(id: RecordingId) -> StoreError {
    StoreError::not_found("recording", id)
}

const STILL: &str = "the recording is not finished, or is being deleted";

impl TenantScope {
    /// The tenant's recordings, the newest first; at most `limit`, and never more than 500.
    pub async fn recordings(
        &self,
        filter: &RecordingFilter,
        after: Option<Cursor>,
        limit: u32,
    ) -> Result<Page<Recording>, StoreError> {
        let wanted = Wanted::new(after, limit);
        let sql = format!(
            "SELECT {COLUMNS} FROM recording WHERE tenant = $1 AND NOT deleting \
             AND (began_ms, id) < ($2, $3) AND ($4 IS NULL OR call = $4) \
             AND ($5 IS NULL OR kind = $5) AND ($6 IS NULL OR state = $6) \
             AND ($7 IS NULL OR room = $7) AND began_ms >= $8 AND began_ms < $9 \
             ORDER BY began_ms DESC, id DESC LIMIT $10"
        );
        let rows = on!(self.store.ready().await?, db => {
            sqlx::query_as::<_, RecordingRow>(sqlx::AssertSqlSafe(sql))
                .bind(self.key())
                .bind(wanted.before_ms)
                .bind(&wanted.before_id)
                .bind(filter.call.map(|call| call.to_string()))
                .bind(filter.kind.map(RecordingKind::name))
                .bind(filter.state.map(RecordingState::name))
                .bind(filter.room.as_ref().map(RoomName::as_str))
                .bind(filter.from.map_or(i64::MIN, Timestamp::as_millisecond))
                .bind(filter.to.map_or(i64::MAX, Timestamp::as_millisecond))
                .bind(wanted.rows())
                .fetch_all(db)
                .await?
        });
        let recordings = rows.into_iter().map(|row| Kept::try_from(row).map(|kept| kept.recording));
        let recordings = recordings.collect::<Result<Vec<_>, _>>()?;
        Ok(wanted.page(recordings, |last| Cursor::new(last.began, last.id.0)))
    }

    /// One recording of the tenant.
    ///
    /// # Errors
    /// Not found where it is another tenant's, was deleted or is about to be.
    pub async fn recording(&self, id: RecordingId) -> Result<Kept, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM recording WHERE tenant = $1 AND id = $2 AND NOT deleting"
        );
        let row = on!(self.store.ready().await?, db => {
            sqlx::query_as::<_, RecordingRow>(sqlx::AssertSqlSafe(sql))
                .bind(self.key())
                .bind(id.to_string())
                .fetch_optional(db)
                .await?
        });
        row.ok_or_else(|| missing(id))?.try_into()
    }

    /// Keeps a recording from being deleted, or lets it go again. `deed` names who, and why.
    pub async fn hold(&self, id: RecordingId, on: bool, deed: &Deed) -> Result<(), StoreError> {
        let hold = on.then(|| format!("{}: {}", deed.author, deed.why));
        let what = if on { "held" } else { "released" };
        let done = in_transaction!(self.store.ready().await?, tx => {
            let rows = sqlx::query(
                "UPDATE recording SET hold = $3 WHERE tenant = $1 AND id = $2 AND NOT deleting",
            )
            .bind(self.key())
            .bind(id.to_string())
            .bind(&hold)
            .execute(&mut *tx)
            .await?
            .rows_affected();
            if rows > 0 {
                put_trace!(tx, self.key(), Some(id), what, deed);
            }
            rows > 0
        });
        if done { Ok(()) } else { Err(missing(id)) }
    }

    /// Begins to delete a recording: from now on nobody finds it, and its data key is gone. What is
    /// left of it is to be removed, and then [`TenantScope::forget_recording`] said.
    ///
    /// # Errors
    /// It is held, or not finished yet.
    pub async fn delete_recording(&self, id: RecordingId, deed: &Deed) -> Result<(), StoreError> {
        let kept = self.recording(id).await?.recording;
        if let Some(hold) = kept.hold {
            return Err(StoreError::Conflict(format!("the recording is held by {hold}")));
        }
        let done = in_transaction!(self.store.ready().await?, tx => {
            let rows = sqlx::query(
                "UPDATE recording SET deleting = TRUE, wrapped = NULL \
                 WHERE tenant = $1 AND id = $2 AND NOT deleting AND hold IS NULL \
                 AND state IN ('ready', 'failed', 'absent')",
            )
            .bind(self.key())
            .bind(id.to_string())
            .execute(&mut *tx)
            .await?
            .rows_affected();
            if rows > 0 {
                put_trace!(tx, self.key(), Some(id), "deleted", deed);
            }
            rows > 0
        });
        if done { Ok(()) } else { Err(StoreError::Conflict(STILL.into())) }
    }

    /// Nothing is left of a recording that was deleted, but the trace.
    pub async fn forget_recording(&self, id: RecordingId) -> Result<(), StoreError> {
        on!(self.store.ready().await?, db => {
            sqlx::query("DELETE FROM recording WHERE tenant = $1 AND id = $2 AND deleting")
                .bind(self.key())
                .bind(id.to_string())
                .execute(db)
                .await
                .map(drop)?;
        });
        Ok(())
    }

    /// How long the tenant's recordings are kept; none where nothing was said.
    pub async fn keeps_recordings(&self) -> Result<Option<Millis>, StoreError> {
        let row = on!(self.store.ready().await?, db => {
            sqlx::query_as::<_, (i64,)>("SELECT keep_ms FROM recording_keep WHERE tenant = $1")
                .bind(self.key())
                .fetch_optional(db)
                .await?
        });
        row.map(|(ms,)| unsigned(ms).map(Millis)).transpose()
    }

    /// Says how long the tenant's recordings are kept, those that are there already too; zero is
    /// for ever.
    pub async fn keep_recordings(&self, keep: Millis, deed: &Deed) -> Result<(), StoreError> {
        self.tenant().await?;
        let ms = i64::try_from(keep.ms())
            .map_err(|_| StoreError::Invalid("that is too long".to_owned()))?;
        in_transaction!(self.store.ready().await?, tx => {
            sqlx::query(
                "INSERT INTO recording_keep (tenant, keep_ms) VALUES ($1, $2) \
                 ON CONFLICT (tenant) DO UPDATE SET keep_ms = excluded.keep_ms",
            )
            .bind(self.key())
            .bind(ms)
            .execute(&mut *tx)
            .await?;
            sqlx::query(
                "UPDATE recording SET delete_after_ms = \
                 CASE WHEN $2 = 0 THEN NULL ELSE began_ms + length_ms + $2 END \
                 WHERE tenant = $1 AND state IN ('ready', 'failed', 'absent')",
            )
            .bind(self.key())
            .bind(ms)
            .execute(&mut *tx)
            .await?;
            put_trace!(tx, self.key(), None, "keep", deed);
        });
        Ok(())
    }

    /// Lets a recording that failed be tried again.
    pub async fn retry_recording(&self, id: RecordingId) -> Result<(), StoreError> {
        let rows = on!(self.store.ready().await?, db => {
            sqlx::query(
                "UPDATE recording SET state = 'pending', attempts = 0, holder = NULL, \
                 due_ms = (SELECT now_ms FROM clock) \
                 WHERE tenant = $1 AND id = $2 AND state = 'failed' AND NOT deleting",
            )
            .bind(self.key())
            .bind(id.to_string())
            .execute(db)
            .await?
            .rows_affected()
        });
        if rows > 0 {
            return Ok(());
        }
        self.recording(id).await?;
        Err(StoreError::Conflict("the recording has not failed".into()))
    }
}

impl Operator {
    /// Recordings whose time is over and that nobody holds; at most 200.
    pub async fn recordings_over(&self) -> Result<Vec<(TenantId, RecordingId)>, StoreError> {
        self.some(
            "SELECT tenant, id FROM recording, clock WHERE delete_after_ms <= now_ms \
             AND hold IS NULL AND NOT deleting \
             AND state IN ('ready', 'failed', 'absent') ORDER BY delete_after_ms LIMIT $1",
        )
        .await
        .map(|rows| rows.into_iter().map(|(tenant, id, _)| (tenant, id)).collect())
    }

    /// Recordings that are being deleted, with the names of their files; at most 200.
    pub async fn recordings_going(
        &self,
    ) -> Result<Vec<(TenantId, RecordingId, Option<String>)>, StoreError> {
        self.some("SELECT tenant, id, object FROM recording WHERE deleting ORDER BY id LIMIT $1")
            .await
    }

    async fn some(
        &self,
        sql: &'static str,
    ) -> Result<Vec<(TenantId, RecordingId, Option<String>)>, StoreError> {
        let rows = on!(self.store.ready().await?, db => {
            sqlx::query_as::<_, GoingRow>(sql).bind(OVER_MAX).fetch_all(db).await?
        });
        let each = rows.into_iter().map(|row| {
            let tenant = row.tenant.parse().map_err(StoreError::corrupt)?;
            Ok((tenant, row.id.parse().map_err(StoreError::corrupt)?, row.object))
        });
        each.collect()
    }
}

#[derive(Debug, FromRow)]
struct GoingRow {
    tenant: String,
    id: String,
    #[sqlx(default)]
    object: Option<String>,
}

/// When a recording is to be deleted that ended at this time.
pub(super) fn over(ended: Timestamp, keep: Option<Millis>) -> Option<i64> {
    let keep = i64::try_from(keep?.ms()).unwrap_or(i64::MAX);
    (keep > 0).then(|| ended.as_millisecond().saturating_add(keep))
}
