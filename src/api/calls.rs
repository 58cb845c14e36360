//! Calls that are up, and what they are told.

use axum::http::Method;
use schemars::JsonSchema;
use serde::Deserialize;

use super::endpoint::{Asked, Endpoint};
use super::page::{Page, Part, cursor, next};
use super::problem::Problem;
use super::reply::{DONE, Done, Nothing, Reply};
use crate::base::ids::CallId;
use crate::call::input::{Command, MonitorOrder, Ordered};
use crate::call::place::Placement;
use crate::driver::registry::Scope;
use crate::model::access::Power;
use crate::model::live::LiveCall;
use crate::store::{Cursor, TenantScope};

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        Endpoint::new(
            Method::GET,
            "/v1/tenants/{tenant}/calls",
            Power::CallsRead,
            "The calls that are up, the oldest first",
            list,
        ),
        Endpoint::new(
            Method::POST,
            "/v1/tenants/{tenant}/calls",
            Power::CallsPlace,
            "Call somebody, for a flow or to put them through (click to call)",
            place,
        ),
        Endpoint::new(
            Method::GET,
            "/v1/tenants/{tenant}/calls/{call}",
            Power::CallsRead,
            "A call that is up",
            get,
        ),
        Endpoint::new(
            Method::POST,
            "/v1/tenants/{tenant}/calls/{call}/commands",
            Power::CallsControl,
            "Tell a call what to do; answered when it is done",
            command,
        ),
        Endpoint::new(
            Method::POST,
            "/v1/tenants/{tenant}/calls/{call}/monitor",
            Power::CallsMonitor,
            "Let a supervisor listen in, or change or end that",
            monitor,
        ),
    ]
}

#[derive(Debug, Deserialize, JsonSchema)]
struct OneCall {
    call: CallId,
}

/// What this process holds is known best from memory; what others hold, or held when they died,
/// the database knows. While it is away the others' are not told.
async fn list(asked: Asked<TenantScope, Nothing, Part>) -> Result<Reply<Page<LiveCall>>, Problem> {
    let shared = asked.api.shared();
    let scope = Scope::Tenant(asked.whose.id());
    let after = cursor(asked.query.cursor.as_deref())?;
    let wanted = usize::try_from(asked.query.limit.0).unwrap_or(usize::MAX);
    let most = wanted.saturating_add(1);
    let own = shared.registry.live_after(scope, after.map(|after| after.of_call()), most);
    let others = asked.whose.live_calls_elsewhere(shared.settings.instance, after, most).await;
    let others = match others {
        Ok(others) => others,
        Err(error) if error.retryable() => Vec::new(),
        Err(error) => return Err(error.into()),
    };
    let place = |live: &LiveCall| Cursor::new(live.started, live.call.0);
    // What stands behind the last of a full answer is for the next page.
    let known = others.last().filter(|_| others.len() == most).map(place);
    let is_own = |live: &LiveCall| shared.registry.live_call(scope, live.call).is_some();
    let mut calls: Vec<_> = others.into_iter().filter(|live| !is_own(live)).chain(own).collect();
    calls.sort_by_key(place);
    calls.retain(|live| known.is_none_or(|known| place(live) <= known));
    let more = known.is_some() || calls.len() > wanted;
    calls.truncate(wanted);
    let last = calls.last().map(place).or(known).filter(|_| more);
    Ok(Reply(Page { items: calls, next: next(last) }))
}

async fn get(asked: Asked<TenantScope, OneCall>) -> Result<Reply<LiveCall>, Problem> {
    let (scope, call) = (Scope::Tenant(asked.whose.id()), asked.path.call);
    let own = asked.api.shared().registry.live_call(scope, call);
    let found = match own {
        Some(own) => Some(own),
        None => asked.whose.live_call(call).await?,
    };
    found.map(Reply).ok_or_else(|| Problem::not_found("there is no such call that is up"))
}

/// What becomes of it the call tells, while it is up, and its record afterwards.
async fn place(
    asked: Asked<TenantScope, Nothing, Nothing, Placement>,
) -> Result<Reply<LiveCall, 201>, Problem> {
    let by = asked.by.who();
    let placed = asked.api.console.place(asked.whose.id(), &asked.body, &by);
    Ok(Reply(placed?))
}

async fn command(asked: Asked<TenantScope, OneCall, Nothing, Command>) -> Result<Done, Problem> {
    if matches!(asked.body, Command::Monitor(_)) {
        return Err(Problem::invalid("listening in is ordered at `monitor`"));
    }
    tell(&asked, asked.body.clone()).await
}

async fn monitor(
    asked: Asked<TenantScope, OneCall, Nothing, MonitorOrder>,
) -> Result<Done, Problem> {
    if let (Some(user), MonitorOrder::Begin { by, .. }) = (&asked.by.user, &asked.body) {
        // The tenant's rules name phones: nobody listens in by the right of another's.
        if user.settings.extension.as_ref().is_none_or(|own| own.as_str() != by) {
            let detail = "a user listens in with their own extension";
            return Err(Problem::forbidden(detail).at("begin.by"));
        }
    }
    tell(&asked, Command::Monitor(asked.body.clone())).await
}

async fn tell<B>(
    asked: &Asked<TenantScope, OneCall, Nothing, B>,
    command: Command,
) -> Result<Done, Problem> {
    let scope = Scope::Tenant(asked.whose.id());
    let ordered = Ordered { by: asked.by.who(), command };
    asked.api.console.order(scope, asked.path.call, ordered).await?;
    Ok(DONE)
}
