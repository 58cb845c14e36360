//! The audit log: what was changed and by whom, written in the transaction of the change, together
//! with what people did to recordings and whom they listened to.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};
use sqlx::FromRow;

use super::page::{Cursor, Page, Wanted};
use super::pool::on;
use super::{Operator, Store, StoreError, TenantScope, timestamp};
use crate::base::ids::{ApiKeyId, TenantId};
use crate::model::act::{Act, Actor, mask};
use crate::model::audit::AuditEntry;

/// Something that is about to be done.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct NewAct {
    pub(super) tenant: Option<String>,
    pub(super) by: Actor,
    pub(super) what: &'static str,
    pub(super) subject: String,
    pub(super) before: Option<String>,
    pub(super) after: Option<String>,
}

/// Writes an act down, inside the transaction in which it is done.
macro_rules! put_act {
    ($tx:ident, $act:expr) => {{
        let act: $crate::store::act::NewAct = $act;
        sqlx::query(
            "INSERT INTO act (id, tenant, at_ms, who, api_key, request, what, subject, old_value, \
             new_value) SELECT $1, $2, now_ms, $3, $4, $5, $6, $7, $8, $9 FROM clock",
        )
        .bind(uuid::Uuid::now_v7().to_string())
        .bind(act.tenant)
        .bind(act.by.who.replace('\0', "\u{fffd}"))
        .bind(act.by.key.map(|key| key.to_string()))
        .bind(act.by.request)
        .bind(act.what)
        .bind(act.subject)
        .bind(act.before)
        .bind(act.after)
        .execute(&mut *$tx)
        .await?;
    }};
}

pub(super) use put_act;

/// A thing as it stands in the log; none where it is not there.
fn shown<T: Serialize>(thing: Option<&T>) -> Result<Option<String>, StoreError> {
    let Some(thing) = thing else { return Ok(None) };
    let mut value = serde_json::to_value(thing).map_err(StoreError::corrupt)?;
    mask(&mut value);
    Ok(Some(value.to_string()))
}

impl TenantScope {
    /// An act of whoever has this scope, with the thing before and after it.
    pub(super) fn act<T: Serialize, U: Serialize>(
        &self,
        what: &'static str,
        subject: impl ToString,
        before: Option<&T>,
        after: Option<&U>,
    ) -> Result<NewAct, StoreError> {
        let (tenant, subject) = (Some(self.key()), subject.to_string());
        let (before, after) = (shown(before)?, shown(after)?);
        Ok(NewAct { tenant, by: (*self.by).clone(), what, subject, before, after })
    }
}

impl Operator {
    /// An act of the operator's, on a tenant or on what is nobody's.
    pub(super) fn act<T: Serialize, U: Serialize>(
        &self,
        tenant: Option<TenantId>,
        what: &'static str,
        subject: impl ToString,
        before: Option<&T>,
        after: Option<&U>,
    ) -> Result<NewAct, StoreError> {
        let (tenant, subject) = (tenant.map(|id| id.to_string()), subject.to_string());
        let (before, after) = (shown(before)?, shown(after)?);
        Ok(NewAct { tenant, by: (*self.by).clone(), what, subject, before, after })
    }
}

/// Which acts are wanted; what is left out does not matter.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ActFilter {
    /// `room` for all that was done to rooms, or `room.put`.
    pub what: Option<String>,
    pub subject: Option<String>,
    pub key: Option<ApiKeyId>,
    /// Those of then or later.
    pub from: Option<Timestamp>,
    /// Those before.
    pub to: Option<Timestamp>,
}

#[derive(Debug, FromRow)]
struct ActRow {
    id: String,
    at_ms: i64,
    what: String,
    subject: Option<String>,
    who: String,
    api_key: Option<String>,
    request: Option<String>,
    why: String,
    old_value: Option<String>,
    new_value: Option<String>,
}

impl TryFrom<ActRow> for Act {
    type Error = StoreError;
    fn try_from(row: ActRow) -> Result<Self, StoreError> {
        let value = |text: Option<String>| -> Result<Option<Value>, StoreError> {
            text.map(|text| serde_json::from_str(&text).map_err(StoreError::corrupt)).transpose()
        };
        let act = Self {
            id: row.id.parse().map_err(StoreError::corrupt)?,
            at: timestamp(row.at_ms)?,
            what: row.what,
            subject: row.subject.unwrap_or_default(),
            who: row.who,
            key: row.api_key.map(|key| key.parse()).transpose().map_err(StoreError::corrupt)?,
            request: row.request,
            why: row.why,
            before: value(row.old_value)?,
            after: value(row.new_value)?,
        };
        if act.what == MONITORED { monitored(act) } else { Ok(act) }
    }
}

const MONITORED: &str = "call.monitored";

/// A session is kept as a whole; here it reads as the other entries do.
fn monitored(act: Act) -> Result<Act, StoreError> {
    let session = act.after.unwrap_or_default();
    let session: AuditEntry = serde_json::from_value(session).map_err(StoreError::corrupt)?;
    let AuditEntry { by, whom, reason, answered, changes, ended, end, .. } = session;
    let after = json!({
        "whom": whom, "answered": answered, "changes": changes, "ended": ended, "end": end,
    });
    Ok(Act { who: by, why: reason, after: Some(after), ..act })
}

/// All that belongs into the log, from where it is kept. `$1` is the tenant.
const LOG: &str = "SELECT id, at_ms, what, subject, who, api_key, request, why, old_value, \
     new_value FROM (\
     SELECT id, at_ms, what, subject, who, api_key, request, '' AS why, old_value, new_value \
     FROM act WHERE tenant = $1 \
     UNION ALL SELECT id, at_ms, 'recording.' || deed, recording, author, NULL, NULL, why, NULL, \
     NULL FROM recording_trace WHERE tenant = $1 \
     UNION ALL SELECT id, began_ms, 'call.monitored', call, '', NULL, NULL, '', NULL, entry \
     FROM audit WHERE tenant = $1) AS log";

/// The operator's own, which are no tenant's. `$1` is not used but for its place.
const OWN_LOG: &str = "SELECT id, at_ms, what, subject, who, api_key, request, '' AS why, \
     old_value, new_value FROM act WHERE tenant IS NULL AND ($1 = '')";

async fn log(
    store: &Store,
    (from, tenant): (&str, String),
    filter: &ActFilter,
    after: Option<Cursor>,
    limit: u32,
) -> Result<Page<Act>, StoreError> {
    let wanted = Wanted::new(after, limit);
    let sql = format!(
        "SELECT * FROM ({from}) AS l WHERE (at_ms, id) < ($2, $3) \
         AND ($4 IS NULL OR what = $4 OR substr(what, 1, length($4) + 1) = $4 || '.') \
         AND ($5 IS NULL OR subject = $5) AND ($6 IS NULL OR api_key = $6) \
         AND at_ms >= $7 AND at_ms < $8 ORDER BY at_ms DESC, id DESC LIMIT $9"
    );
    let rows = on!(store.ready().await?, db => {
        sqlx::query_as::<_, ActRow>(sqlx::AssertSqlSafe(sql))
            .bind(tenant)
            .bind(wanted.before_ms)
            .bind(&wanted.before_id)
            .bind(&filter.what)
            .bind(&filter.subject)
            .bind(filter.key.map(|key| key.to_string()))
            .bind(filter.from.map_or(i64::MIN, Timestamp::as_millisecond))
            .bind(filter.to.map_or(i64::MAX, Timestamp::as_millisecond))
            .bind(wanted.rows())
            .fetch_all(db)
            .await?
    });
    let acts = rows.into_iter().map(Act::try_from).collect::<Result<Vec<_>, _>>()?;
    Ok(wanted.page(acts, |last| Cursor::new(last.at, last.id)))
}

impl TenantScope {
    /// The same tenant's part of the store, in the hands of somebody: what is changed through it
    /// is written down as theirs.
    #[must_use]
    pub fn by(self, actor: Actor) -> Self {
        Self { by: std::sync::Arc::new(actor), ..self }
    }

    /// The tenant's audit log, the newest first; at most `limit`, and never more than 500.
    pub async fn log(
        &self,
        filter: &ActFilter,
        after: Option<Cursor>,
        limit: u32,
    ) -> Result<Page<Act>, StoreError> {
        log(&self.store, (LOG, self.key()), filter, after, limit).await
    }
}

impl Operator {
    /// The same, in the hands of somebody.
    #[must_use]
    pub fn by(self, actor: Actor) -> Self {
        Self { by: std::sync::Arc::new(actor), ..self }
    }

    /// What was done that is no tenant's, the newest first; at most `limit`, and never more than
    /// 500.
    pub async fn log(
        &self,
        filter: &ActFilter,
        after: Option<Cursor>,
        limit: u32,
    ) -> Result<Page<Act>, StoreError> {
        log(&self.store, (OWN_LOG, String::new()), filter, after, limit).await
    }
}
