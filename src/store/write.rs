//! Writes what calls did. The order of writing does not matter, nor does writing a thing twice: of
//! whatever processes write whatever they kept, the outcome is the same.
//!
//! A call is live or has one record. A record of its machine stays; one that was swept gives way to
//! it, and to one swept after more changes of hands. A live call that changed hands more often
//! than the swept record knows of is up again.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::de::DeserializeOwned;

use super::event::{News, put_news};
use super::kept::{Kept, What};
use super::pool::{Pool, in_transaction};
use super::{Store, StoreError};
use crate::base::cause::Party;
use crate::base::ids::CallId;
use crate::model::audit::AuditEntry;
use crate::model::live::LiveCall;
use crate::model::record::{CallRecord, RecordingNote};
use crate::model::recording::{RecordingKind, RecordingState};

/// Locks among which PostgreSQL's calls are divided; a batch takes that many at most.
const LOCKS: i64 = 64;
/// The first lock's number; any that nobody else uses.
const LOCK_FIRST: i64 = 0x6361_6c6c_0000_0000;

/// PostgreSQL's texts can't hold NUL; what is inside JSON is escaped anyway.
pub(super) fn plain(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

fn bounded(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}

const fn word(party: Party) -> &'static str {
    match party {
        Party::Caller => "caller",
        Party::Callee => "callee",
        Party::Carrier => "carrier",
        Party::Flow => "flow",
        Party::Operator => "operator",
        Party::Us => "us",
    }
}

/// The locks for some calls, to be taken in this order before their records and live rows are
/// looked at: elsewhere a record may be written at the same moment, which neither would see.
/// SQLite has one writer at a time.
pub(super) fn locks(pool: &Pool, calls: impl Iterator<Item = CallId>) -> BTreeSet<i64> {
    match pool {
        Pool::Sqlite(_) => BTreeSet::new(),
        // The end of a uuid of version 7 is random.
        Pool::Postgres(_) => {
            calls.map(|call| LOCK_FIRST + i64::from(call.0.as_bytes()[15]) % LOCKS).collect()
        }
    }
}

macro_rules! lock_calls {
    ($tx:ident, $locks:expr) => {
        for lock in $locks {
            sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(lock).execute(&mut *$tx).await?;
        }
    };
}

const PUT_RECORD: &str = "INSERT INTO call_record (tenant, id, flow, version, caller, dialed, \
     started_ms, ended_ms, party, cause, hands, swept, record, turned_away, block) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) \
     ON CONFLICT (tenant, id) DO UPDATE SET flow = excluded.flow, version = excluded.version, \
     caller = excluded.caller, dialed = excluded.dialed, started_ms = excluded.started_ms, \
     ended_ms = excluded.ended_ms, party = excluded.party, cause = excluded.cause, \
     hands = excluded.hands, swept = excluded.swept, record = excluded.record, \
     turned_away = excluded.turned_away, block = excluded.block \
     WHERE call_record.swept AND (NOT excluded.swept OR excluded.hands > call_record.hands)";

/// Writes a record inside a transaction, and says whether it was new.
macro_rules! put_record {
    ($tx:ident, $record:expr, $json:expr) => {{
        let record: &CallRecord = $record;
        let turned = record.turned_away.as_ref();
        let rows = sqlx::query(PUT_RECORD)
            .bind(record.tenant.to_string())
            .bind(record.call.to_string())
            .bind(record.flow.as_str())
            .bind(i64::from(record.version))
            .bind(plain(&record.caller_number))
            .bind(plain(&record.dialed))
            .bind(record.started.as_millisecond())
            .bind(record.ended.as_millisecond())
            .bind(word(record.termination.party))
            .bind(record.termination.cause.name())
            .bind(i64::from(record.hands))
            .bind(record.swept)
            .bind($json)
            .bind(turned.map(|turned| turned.rule.name()))
            .bind(turned.and_then(|turned| turned.block).map(|block| block.to_string()))
            .execute(&mut *$tx)
            .await?
            .rows_affected();
        sqlx::query(
            "DELETE FROM live_call WHERE tenant = $1 AND id = $2 AND (NOT $3 OR term <= $4)",
        )
        .bind(record.tenant.to_string())
        .bind(record.call.to_string())
        .bind(record.swept)
        .bind(i64::from(record.hands))
        .execute(&mut *$tx)
        .await?;
        end_audit!($tx, record);
        free_slot!($tx, record);
        rows > 0
    }};
}

/// Nobody is parked whose call is over; one that was swept may be up again.
macro_rules! free_slot {
    ($tx:ident, $record:expr) => {
        sqlx::query(
            "DELETE FROM park_slot WHERE tenant = $1 AND call = $2 AND NOT EXISTS \
             (SELECT 1 FROM live_call WHERE live_call.tenant = $1 AND live_call.id = $2)",
        )
        .bind($record.tenant.to_string())
        .bind($record.call.to_string())
        .execute(&mut *$tx)
        .await?;
    };
}

/// No session of listening in outlives its call, seen or unseen.
macro_rules! end_audit {
    ($tx:ident, $record:expr) => {
        sqlx::query(
            "UPDATE audit SET ended_ms = $1 WHERE tenant = $2 AND call = $3 AND ended_ms IS NULL",
        )
        .bind($record.ended.as_millisecond())
        .bind($record.tenant.to_string())
        .bind($record.call.to_string())
        .execute(&mut *$tx)
        .await?;
    };
}

/// The newest of what is known of a session stays.
macro_rules! put_audit {
    ($tx:ident, $entry:expr, $json:expr) => {
        let entry: &AuditEntry = $entry;
        sqlx::query(
            "INSERT INTO audit (tenant, id, call, revision, began_ms, ended_ms, entry) \
             SELECT $1, $2, $3, $4, $5, COALESCE($6, (SELECT ended_ms FROM call_record \
             WHERE tenant = $1 AND id = $3)), $7 WHERE TRUE \
             ON CONFLICT (tenant, id) DO UPDATE SET revision = excluded.revision, \
             ended_ms = excluded.ended_ms, entry = excluded.entry \
             WHERE excluded.revision > audit.revision",
        )
        .bind(entry.tenant.to_string())
        .bind(entry.id.to_string())
        .bind(entry.call.to_string())
        .bind(i64::from(entry.revision))
        .bind(entry.began.as_millisecond())
        .bind(entry.ended.map(|ended| ended.as_millisecond()))
        .bind($json)
        .execute(&mut *$tx)
        .await?;
    };
}

/// Of two holders in the same term the younger is right: the older was killed before the call knew
/// of its term. A call that was let in stays so.
macro_rules! put_live {
    ($tx:ident, $live:expr, $json:expr) => {
        let live: &LiveCall = $live;
        sqlx::query(
            "INSERT INTO live_call \
             (tenant, id, holder, term, started_ms, live, number, gateway, pending) \
             SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9 \
             WHERE NOT EXISTS (SELECT 1 FROM call_record \
             WHERE tenant = $1 AND id = $2 AND (NOT swept OR hands >= $4)) \
             ON CONFLICT (tenant, id) DO UPDATE SET holder = excluded.holder, \
             term = excluded.term, started_ms = excluded.started_ms, live = excluded.live, \
             number = excluded.number, gateway = excluded.gateway, \
             pending = live_call.pending AND excluded.pending \
             WHERE (excluded.term, excluded.holder) > (live_call.term, live_call.holder) \
             OR (live_call.pending AND NOT excluded.pending \
             AND (excluded.term, excluded.holder) = (live_call.term, live_call.holder))",
        )
        .bind(live.tenant.to_string())
        .bind(live.call.to_string())
        .bind(live.holder.to_string())
        .bind(i64::from(live.term))
        .bind(live.started.as_millisecond())
        .bind($json)
        .bind(live.number.as_deref().map(plain))
        .bind(live.gateway.as_ref().map(|gateway| gateway.as_str().to_owned()))
        .bind(live.pending)
        .execute(&mut *$tx)
        .await?;
    };
}

pub(super) use {lock_calls, put_live};

/// Notes come in any order and more than once: a recording that has ended does not begin again,
/// what is known of it only grows, and one that was deleted stays so.
const PUT_RECORDING: &str = "INSERT INTO recording (tenant, id, call, kind, room, state, path, \
     began_ms, told_ms, min_ms, channels, masked, paused, due_ms) \
     SELECT $1, $2, $3, $4, $5, $6, $7, COALESCE($8, now_ms), $9, $10, $11, $12, $13, now_ms \
     FROM clock WHERE NOT EXISTS (SELECT 1 FROM recording_trace \
     WHERE tenant = $1 AND recording = $2 AND deed = 'deleted') \
     ON CONFLICT (tenant, id) DO UPDATE SET call = excluded.call, kind = excluded.kind, \
     room = excluded.room, path = excluded.path, \
     min_ms = CASE WHEN excluded.min_ms > recording.min_ms THEN excluded.min_ms \
     ELSE recording.min_ms END, \
     channels = CASE WHEN recording.length_ms = 0 THEN excluded.channels \
     ELSE recording.channels END, \
     state = CASE WHEN recording.state = 'running' THEN excluded.state ELSE recording.state END, \
     due_ms = CASE WHEN recording.state = 'running' THEN excluded.due_ms \
     ELSE recording.due_ms END, \
     began_ms = CASE WHEN excluded.began_ms < recording.began_ms THEN excluded.began_ms \
     ELSE recording.began_ms END, \
     told_ms = CASE WHEN excluded.told_ms > recording.told_ms THEN excluded.told_ms \
     ELSE recording.told_ms END, \
     masked = CASE WHEN recording.length_ms = 0 \
     AND length(excluded.masked) > length(recording.masked) \
     THEN excluded.masked ELSE recording.masked END, \
     paused = CASE WHEN length(excluded.paused) > length(recording.paused) \
     THEN excluded.paused ELSE recording.paused END";

/// A note without an id is of a file that is left where it is.
macro_rules! put_recording {
    ($tx:ident, $kept:expr, $note:expr) => {
        let note: &RecordingNote = $note;
        if let Some(id) = note.id {
            let running = note.state == RecordingState::Running;
            let state = if running { note.state } else { RecordingState::Pending };
            sqlx::query(PUT_RECORDING)
                .bind($kept.tenant.to_string())
                .bind(id.to_string())
                .bind((note.kind != RecordingKind::Room).then(|| $kept.call.to_string()))
                .bind(note.kind.name())
                .bind(note.room.as_deref().map(plain))
                .bind(state.name())
                .bind(plain(&note.path))
                .bind(note.began.map(Timestamp::as_millisecond))
                .bind(bounded(note.length_ms))
                .bind(bounded(note.min_length_ms))
                .bind(i64::from(note.channels))
                .bind(serde_json::to_string(&note.masked).map_err(StoreError::corrupt)?)
                .bind(serde_json::to_string(&note.paused).map_err(StoreError::corrupt)?)
                .execute(&mut *$tx)
                .await?;
        }
    };
}

/// A longer stretch replaces a shorter one with the same beginning.
macro_rules! put_timeline {
    ($tx:ident, $kept:expr, $term:expr, $first:expr, $entries:expr) => {
        sqlx::query(
            "INSERT INTO call_timeline (tenant, call, term, first, entries) \
             VALUES ($1, $2, $3, $4, $5) ON CONFLICT (tenant, call, term, first) DO UPDATE \
             SET entries = excluded.entries \
             WHERE length(excluded.entries) > length(call_timeline.entries)",
        )
        .bind($kept.tenant.to_string())
        .bind($kept.call.to_string())
        .bind(i64::from(*$term))
        .bind(i64::from(*$first))
        .bind($entries)
        .execute(&mut *$tx)
        .await?;
    };
}

/// Writes what was kept and tells the news of it, all of it or nothing.
pub(super) async fn write(store: &Store, batch: &[Kept], news: &[News]) -> Result<(), StoreError> {
    let pressing = batch.iter().filter(|kept| kept.is_pressing());
    let locks = locks(&store.pool, pressing.map(|kept| kept.call));
    in_transaction!(store.ready().await?, tx => {
        lock_calls!(tx, &locks);
        for kept in batch {
            match &kept.what {
                What::Timeline { term, first, entries } => {
                    put_timeline!(tx, kept, term, first, entries);
                }
                What::Live { json } => {
                    put_live!(tx, &parse(json)?, json);
                }
                What::Audit { json } => {
                    put_audit!(tx, &parse(json)?, json);
                }
                What::Recording { json } => {
                    put_recording!(tx, kept, &parse::<RecordingNote>(json)?);
                }
                What::Record { json } => {
                    // One that is there already is as good.
                    let _ = put_record!(tx, &parse(json)?, json);
                }
            }
        }
        put_news!(tx, news);
    });
    if !news.is_empty() {
        store.tell();
    }
    Ok(())
}

/// Writes the record of a call that is still held as `live` says, and says whether it did.
pub(super) async fn close(
    store: &Store,
    live: &LiveCall,
    record: &CallRecord,
) -> Result<bool, StoreError> {
    let json = serde_json::to_string(record).map_err(StoreError::corrupt)?;
    let locks = locks(&store.pool, [live.call].into_iter());
    let news = News::of_record(record);
    let closed = in_transaction!(store.ready().await?, tx => {
        lock_calls!(tx, &locks);
        let still = sqlx::query_as::<_, (i64,)>(
            "SELECT term FROM live_call \
             WHERE tenant = $1 AND id = $2 AND term = $3 AND holder = $4",
        )
        .bind(live.tenant.to_string())
        .bind(live.call.to_string())
        .bind(i64::from(live.term))
        .bind(live.holder.to_string())
        .fetch_optional(&mut *tx)
        .await?;
        let closed = still.is_some() && put_record!(tx, record, &json);
        if closed {
            put_news!(tx, &news);
        }
        closed
    });
    if closed {
        store.tell();
    }
    Ok(closed)
}

fn parse<T: DeserializeOwned>(json: &str) -> Result<T, StoreError> {
    serde_json::from_str(json)
        .map_err(|error| StoreError::Invalid(format!("what was kept can't be read: {error}")))
}
