//! A tenant's schedules: opening hours by name.

use axum::http::Method;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::endpoint::{Asked, Endpoint};
use super::page::Page;
use super::problem::Problem;
use super::reply::{DONE, Done, Nothing, Reply};
use crate::base::ids::ScheduleName;
use crate::flow::check::check_hours;
use crate::flow::kind::hours::Opening;
use crate::flow::problem::Problem as Finding;
use crate::flow::schedule::{State, state};
use crate::model::access::Power;
use crate::store::{StoreError, StoredSchedule, TenantScope};

pub(super) fn endpoints() -> Vec<Endpoint> {
    let all = "/v1/tenants/{tenant}/schedules";
    let one = "/v1/tenants/{tenant}/schedules/{schedule}";
    let (read, write) = (Power::SchedulesRead, Power::SchedulesWrite);
    vec![
        Endpoint::new(Method::GET, all, read, "A tenant's schedules", list),
        Endpoint::new(Method::GET, one, read, "A schedule", show),
        Endpoint::new(
            Method::PUT,
            one,
            write,
            "Lay down a schedule; calls that begin from then on go by it",
            lay_down,
        ),
        Endpoint::new(
            Method::DELETE,
            one,
            write,
            "Forget a schedule that no published flow names",
            remove,
        ),
        Endpoint::new(
            Method::GET,
            "/v1/tenants/{tenant}/schedules/{schedule}/state",
            read,
            "Whether it is open, why, and until when",
            stands,
        ),
    ]
}

#[derive(Debug, Deserialize, JsonSchema)]
struct OneSchedule {
    schedule: ScheduleName,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Schedule {
    name: ScheduleName,
    hours: Opening,
    /// Calls that began then or later go by it.
    since: Timestamp,
}

impl From<StoredSchedule> for Schedule {
    fn from(stored: StoredSchedule) -> Self {
        let StoredSchedule { name, hours, since, .. } = stored;
        Self { name, hours, since }
    }
}

/// Which moment is meant.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Moment {
    /// Now where it is left out.
    #[serde(default)]
    at: Option<Timestamp>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum OpenState {
    Open,
    Closed,
    Holiday,
}

#[derive(Debug, Serialize, JsonSchema)]
struct ScheduleState {
    state: OpenState,
    /// In words.
    why: String,
    /// When it opens or closes next, if it does within a year.
    next_change: Option<Timestamp>,
}

async fn list(asked: Asked<TenantScope>) -> Result<Reply<Page<Schedule>>, Problem> {
    let all = asked.whose.schedules().await?.into_iter().map(Schedule::from);
    Ok(Reply(Page::whole(all.collect())))
}

async fn show(asked: Asked<TenantScope, OneSchedule>) -> Result<Reply<Schedule>, Problem> {
    Ok(Reply(asked.whose.schedule(&asked.path.schedule).await?.into()))
}

async fn lay_down(
    asked: Asked<TenantScope, OneSchedule, Nothing, Opening>,
) -> Result<Reply<Schedule>, Problem> {
    let Asked { whose, path, body, seen, .. } = asked;
    let problems = check_hours(&body);
    if problems.iter().any(Finding::is_error) {
        return Err(Problem::invalid("the schedule can't be read").found(problems));
    }
    match whose.schedule(&path.schedule).await {
        Ok(before) => seen.still(&Schedule::from(before))?,
        Err(StoreError::NotFound { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(Reply(whose.put_schedule(&path.schedule, &body).await?.into()))
}

async fn remove(asked: Asked<TenantScope, OneSchedule>) -> Result<Done, Problem> {
    asked.whose.remove_schedule(&asked.path.schedule).await?;
    Ok(DONE)
}

async fn stands(
    asked: Asked<TenantScope, OneSchedule, Moment>,
) -> Result<Reply<ScheduleState>, Problem> {
    let hours = asked.whose.schedule(&asked.path.schedule).await?.hours;
    let timezone = asked.whose.tenant().await?.timezone;
    let at = asked.query.at.unwrap_or_else(Timestamp::now);
    let answer = state(&hours, &timezone, at).map_err(|error| Problem::fault(&error))?;
    let state = match answer.state {
        State::Open => OpenState::Open,
        State::Closed => OpenState::Closed,
        State::Holiday { .. } => OpenState::Holiday,
    };
    Ok(Reply(ScheduleState { state, why: answer.why, next_change: answer.next_change }))
}
