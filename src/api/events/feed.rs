//! What one follower gets, whatever way it goes: how things stand, then events as they come, a sign
//! of life in between, and why it is over.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{sleep, timeout};

use super::super::Api;
use super::super::problem::Problem;
use super::Follow;
use crate::model::access::Power;
use crate::model::event::{SCHEMA, Standing, Types, type_of};
use crate::model::token::Bearer;
use crate::store::{Batch, Follower, StoreError, TenantScope, Untold};

/// Followers at once.
pub(in crate::api) const FOLLOWERS_MAX: usize = 2_000;
/// A sign of life comes at least so often.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// How long the database is left alone after it was away.
const RETRY: Duration = Duration::from_secs(1);

/// The types of events that are wanted, with commas between.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String", inline)]
pub(super) struct Filter(Types);

impl TryFrom<String> for Filter {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let types: Vec<_> = text.split(',').map(|word| word.trim().to_owned()).collect();
        types.try_into().map(Self)
    }
}

/// Whether somebody may be told it.
pub(super) fn may(by: &Bearer, event: &str) -> bool {
    let power = match type_of(event).split_once('.').map_or("", |(kind, _)| kind) {
        "gateway" | "outbound" => Power::GatewaysRead,
        "monitor" => Power::CallsMonitor,
        "recording" => Power::RecordingsRead,
        "room" => Power::RoomsRead,
        "flow" => Power::FlowsRead,
        "webhook" => Power::WebhooksRead,
        _ => Power::CallsRead,
    };
    by.may(power)
}

/// How things stand, as far as somebody may know.
pub(super) async fn standing(by: &Bearer, scope: &TenantScope) -> Result<Standing, StoreError> {
    let mut standing = scope.standing().await?;
    if !by.may(Power::GatewaysRead) {
        standing.gateways.clear();
    }
    if !by.may(Power::RoomsRead) {
        standing.rooms.clear();
    }
    if !by.may(Power::CallsMonitor) {
        standing.monitored.clear();
    }
    Ok(standing)
}

/// Why nothing more comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Over {
    /// This process stops: follow again from the last event, another answers.
    Restart,
    /// The key or token does not count any more.
    Unauthorized,
    /// Events were lost to it: begin anew with how things stand.
    Gone,
}

impl Over {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Restart => "restart",
            Self::Unauthorized => "unauthorized",
            Self::Gone => "gone",
        }
    }
}

/// What comes next.
#[derive(Debug)]
pub(super) enum Fed {
    Standing(Box<Standing>),
    Events(Batch),
    /// Nothing happened after this event, or nothing that is wanted; or the database is away.
    Alive {
        after: u64,
        away: bool,
    },
    Over(Over),
}

/// What is told beside events.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Aside<'a> {
    /// How things stand; it comes first where no event was named from which to go on.
    Standing {
        /// That of all that is told here.
        schema: u32,
        #[serde(flatten)]
        standing: &'a Standing,
    },
    /// A sign of life: nothing that is wanted happened up to this event.
    Heartbeat {
        sequence: u64,
        #[schemars(with = "String")]
        at: Timestamp,
        /// What has to come back before anything more is told.
        #[serde(skip_serializing_if = "Option::is_none")]
        waits_for: Option<&'static str>,
    },
    /// Nothing more comes over this connection.
    Over { why: Over },
}

impl Fed {
    /// A line of JSON for each thing, with its type and the sequence from which to go on.
    pub(super) fn for_each_line(&self, mut line: impl FnMut(&str, u64, &str)) {
        let mut aside =
            |name: &str, sequence: u64, aside: &Aside<'_>| match serde_json::to_string(aside) {
                Ok(json) => line(name, sequence, &json),
                Err(error) => tracing::error!(%error, "a follower is not told how things stand"),
            };
        match self {
            Self::Standing(standing) => {
                aside("standing", standing.sequence, &Aside::Standing { schema: SCHEMA, standing });
            }
            Self::Alive { after, away } => {
                let (sequence, at) = (*after, Timestamp::now());
                let waits_for = away.then_some("database");
                aside("heartbeat", sequence, &Aside::Heartbeat { sequence, at, waits_for });
            }
            Self::Over(why) => aside("over", 0, &Aside::Over { why: *why }),
            Self::Events(batch) => {
                batch.iter().for_each(|(sequence, event)| line(type_of(event), *sequence, event));
            }
        }
    }
}

/// What one follower gets.
pub(super) struct Feed {
    api: Arc<Api>,
    bearer: Bearer,
    follower: Follower,
    filter: Option<Filter>,
    first: Option<Box<Standing>>,
    over: bool,
    _place: Place,
}

/// A follower's place, which is counted.
struct Place {
    _permit: OwnedSemaphorePermit,
    api: Arc<Api>,
}

impl Place {
    fn take(api: &Arc<Api>) -> Result<Self, Problem> {
        let busy = |_| Problem::unavailable("too many follow already");
        let permit = Arc::clone(&api.followers).try_acquire_owned().map_err(busy)?;
        api.console.shared.telemetry.metrics().followers.inc();
        Ok(Self { _permit: permit, api: Arc::clone(api) })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.api.console.shared.telemetry.metrics().followers.dec();
    }
}

/// Nothing more comes; it was said why.
#[derive(Debug)]
pub(super) struct Ended;

impl Feed {
    pub(super) async fn open(
        api: &Arc<Api>,
        bearer: &Bearer,
        scope: TenantScope,
        wanted: Follow,
    ) -> Result<Self, Problem> {
        let place = Place::take(api)?;
        let first = match wanted.after {
            Some(_) => None,
            None => Some(Box::new(standing(bearer, &scope).await?)),
        };
        let after =
            wanted.after.or_else(|| first.as_ref().map(|first| first.sequence)).unwrap_or(0);
        let follower = api.followed.follow(scope, after).await?;
        let (api, bearer) = (Arc::clone(api), bearer.clone());
        let filter = wanted.types;
        Ok(Self { api, bearer, follower, filter, first, over: false, _place: place })
    }

    /// # Errors
    /// It was over the last time.
    pub(super) async fn next(&mut self) -> Result<Fed, Ended> {
        if self.over {
            return Err(Ended);
        }
        if let Some(first) = self.first.take() {
            return Ok(Fed::Standing(first));
        }
        let fed = self.wait().await;
        self.over = matches!(fed, Fed::Over(_));
        Ok(fed)
    }

    async fn wait(&mut self) -> Fed {
        let stop = self.api.console.followed.clone();
        let next = timeout(HEARTBEAT, self.wanted());
        let next = tokio::select! {
            next = next => next,
            () = stop.cancelled() => return Fed::Over(Over::Restart),
        };
        match self.api.again(&self.bearer).filter(|bearer| bearer.may(Power::CallsRead)) {
            Some(bearer) => self.bearer = bearer,
            None => return Fed::Over(Over::Unauthorized),
        }
        match next {
            Ok(Ok(batch)) => Fed::Events(batch),
            Ok(Err(Untold::Gone { .. } | Untold::Ahead { .. })) => Fed::Over(Over::Gone),
            Ok(Err(Untold::Store(error))) => {
                tracing::debug!(%error, "events can't be read now");
                sleep(RETRY).await;
                Fed::Alive { after: self.follower.after(), away: true }
            }
            Err(_) => Fed::Alive { after: self.follower.after(), away: false },
        }
    }

    /// The next of the events that are wanted.
    async fn wanted(&mut self) -> Result<Batch, Untold> {
        loop {
            let mut batch = self.follower.next().await?;
            let wanted = |event: &str| {
                self.filter.as_ref().is_none_or(|filter| filter.0.want(type_of(event)))
                    && may(&self.bearer, event)
            };
            batch.retain(|(_, event)| wanted(event));
            if !batch.is_empty() {
                return Ok(batch);
            }
        }
    }
}
