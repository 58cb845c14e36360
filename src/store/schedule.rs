//! Schedules: opening hours by name. What one said before is kept for as long as a call can last
//! that began then.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::FromRow;

use super::act::put_act;
use super::facts::SUPERSEDED_MS;
use super::pool::{in_transaction, on};
use super::{StoreError, TenantScope, now_ms, timestamp};
use crate::base::ids::{ScheduleName, TenantId};
use crate::flow::check::check_hours;
use crate::flow::kind::hours::Opening;
use crate::flow::schedule::Schedules;

/// Schedules of one tenant.
const SCHEDULES_MAX: i64 = 1_000;
/// Longest schedule, in bytes: every call of the tenant shares it.
const SCHEDULE_MAX: usize = 64 * 1_024;

/// A schedule of a tenant, as it has been since a moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredSchedule {
    pub tenant: TenantId,
    pub name: ScheduleName,
    pub hours: Opening,
    /// Calls that begin from then on go by it.
    pub since: Timestamp,
}

#[derive(Debug, FromRow)]
pub(super) struct ScheduleRow {
    tenant: String,
    name: String,
    settings: String,
    since_ms: i64,
}

impl TryFrom<ScheduleRow> for StoredSchedule {
    type Error = StoreError;
    fn try_from(row: ScheduleRow) -> Result<Self, StoreError> {
        Ok(Self {
            tenant: row.tenant.parse().map_err(StoreError::corrupt)?,
            name: row.name.parse().map_err(StoreError::corrupt)?,
            hours: serde_json::from_str(&row.settings).map_err(StoreError::corrupt)?,
            since: timestamp(row.since_ms)?,
        })
    }
}

/// All schedules, and what they said before to calls that may be up. `$1` is when the oldest of
/// those began, `$2` how many at most.
pub(super) const ALL: &str = "SELECT tenant, name, settings, changed_ms AS since_ms FROM schedule \
     UNION ALL SELECT * FROM (SELECT tenant, name, settings, since_ms FROM schedule_before \
     WHERE until_ms > $1 ORDER BY until_ms DESC LIMIT $2) AS b";

pub(super) fn by_name<'a>(all: impl IntoIterator<Item = &'a StoredSchedule>) -> Schedules {
    let mut schedules = Schedules::default();
    for one in all {
        schedules.add(one.name.clone(), one.since, one.hours.clone());
    }
    schedules
}

impl TenantScope {
    /// Adds a schedule, or changes the one of this name for calls that begin from now on.
    ///
    /// # Errors
    /// It can't be read; [`check_hours`] says all that is wrong with it.
    pub async fn put_schedule(
        &self,
        name: &ScheduleName,
        hours: &Opening,
    ) -> Result<StoredSchedule, StoreError> {
        let text = checked(hours)?;
        let was = match self.schedule(name).await {
            Ok(found) => Some(found.hours),
            Err(StoreError::NotFound { .. }) => None,
            Err(error) => return Err(error),
        };
        let act = self.act("schedule.put", name, was.as_ref(), Some(hours))?;
        let now = now_ms();
        let full = in_transaction!(self.store.ready().await?, tx => {
            sqlx::query(
                "INSERT INTO schedule_before (tenant, name, settings, since_ms, until_ms) \
                 SELECT tenant, name, settings, changed_ms, $4 FROM schedule \
                 WHERE tenant = $1 AND name = $2 AND settings <> $3 \
                 ON CONFLICT (tenant, name, since_ms) DO NOTHING",
            )
            .bind(self.key())
            .bind(name.as_str())
            .bind(&text)
            .bind(now)
            .execute(&mut *tx)
            .await?;
            let done = sqlx::query(
                "INSERT INTO schedule (tenant, name, settings, changed_ms) \
                 SELECT $1, $2, $3, $4 WHERE (SELECT count(*) FROM schedule \
                 WHERE tenant = $1 AND name <> $2) < $5 ON CONFLICT (tenant, name) DO UPDATE SET \
                 settings = excluded.settings, changed_ms = CASE WHEN \
                 excluded.changed_ms > schedule.changed_ms THEN excluded.changed_ms \
                 ELSE schedule.changed_ms + 1 END WHERE schedule.settings <> excluded.settings",
            )
            .bind(self.key())
            .bind(name.as_str())
            .bind(&text)
            .bind(now)
            .bind(SCHEDULES_MAX)
            .execute(&mut *tx)
            .await;
            let rows = done.map_err(|error| self.without_tenant(error))?.rows_affected();
            sqlx::query("DELETE FROM schedule_before WHERE until_ms < $1")
                .bind(now.saturating_sub_unsigned(SUPERSEDED_MS))
                .execute(&mut *tx)
                .await?;
            if rows > 0 {
                put_act!(tx, act);
            }
            rows == 0 && was.is_none()
        });
        if full {
            let sentence = format!("the tenant has {SCHEDULES_MAX} schedules already");
            return Err(StoreError::Conflict(sentence));
        }
        self.store.ring();
        self.schedule(name).await
    }

    pub async fn schedule(&self, name: &ScheduleName) -> Result<StoredSchedule, StoreError> {
        let row = on!(self.store.ready().await?, db => {
            sqlx::query_as::<_, ScheduleRow>(
                "SELECT tenant, name, settings, changed_ms AS since_ms FROM schedule \
                 WHERE tenant = $1 AND name = $2",
            )
            .bind(self.key())
            .bind(name.as_str())
            .fetch_optional(db)
            .await?
        });
        row.ok_or_else(|| StoreError::not_found("schedule", name))?.try_into()
    }

    /// By name.
    pub async fn schedules(&self) -> Result<Vec<StoredSchedule>, StoreError> {
        let rows = on!(self.store.ready().await?, db => {
            sqlx::query_as::<_, ScheduleRow>(
                "SELECT tenant, name, settings, changed_ms AS since_ms FROM schedule \
                 WHERE tenant = $1 ORDER BY name",
            )
            .bind(self.key())
            .fetch_all(db)
            .await?
        });
        rows.into_iter().map(StoredSchedule::try_from).collect()
    }

    /// What a new call finds, by name.
    pub async fn schedules_by_name(&self) -> Result<Schedules, StoreError> {
        Ok(by_name(&self.schedules().await?))
    }

    /// Forgets a schedule.
    ///
    /// # Errors
    /// A flow that calls get goes by it: which, is said.
    pub async fn remove_schedule(&self, name: &ScheduleName) -> Result<(), StoreError> {
        let was = self.schedule(name).await?.hours;
        let users = self.schedule_users(name).await?;
        if !users.is_empty() {
            let sentence = format!("the schedule `{name}` is named by {}", users.join(", "));
            return Err(StoreError::Conflict(sentence));
        }
        let delete = "DELETE FROM schedule WHERE tenant = $1 AND name = $2";
        self.forget(delete, ("schedule", "schedule.remove"), name.as_str(), &was).await
    }
}

fn checked(hours: &Opening) -> Result<String, StoreError> {
    if let Some(problem) = check_hours(hours).into_iter().find(|problem| problem.is_error()) {
        return Err(StoreError::Invalid(format!("{}: {}", problem.path, problem.message)));
    }
    let text = serde_json::to_string(hours).map_err(StoreError::corrupt)?;
    if text.len() > SCHEDULE_MAX {
        let length = text.len();
        let sentence = format!("the schedule has {length} bytes: {SCHEDULE_MAX} are allowed");
        return Err(StoreError::Invalid(sentence));
    }
    Ok(text)
}
