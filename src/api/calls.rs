//! Calls that are up, and what they are told.

use axum::http::Method;
use schemars::JsonSchema;
use serde::Deserialize;

use super::endpoint::{Asked, Endpoint};
use super::page::Page;
use super::problem::Problem;
use super::reply::{DONE, Done, Nothing, Reply};
use crate::base::ids::CallId;
use crate::call::input::{Command, MonitorOrder};
use crate::driver::registry::Scope;
use crate::model::access::Power;
use crate::model::live::LiveCall;
use crate::store::TenantScope;

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

async fn list(asked: Asked<TenantScope>) -> Result<Reply<Page<LiveCall>>, Problem> {
    Ok(Reply(Page::whole(asked.whose.live_calls().await?)))
}

async fn get(asked: Asked<TenantScope, OneCall>) -> Result<Reply<LiveCall>, Problem> {
    let calls = asked.whose.live_calls().await?;
    let found = calls.into_iter().find(|live| live.call == asked.path.call);
    found.map(Reply).ok_or_else(|| Problem::not_found("there is no such call that is up"))
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
    tell(&asked, Command::Monitor(asked.body.clone())).await
}

async fn tell<B>(
    asked: &Asked<TenantScope, OneCall, Nothing, B>,
    command: Command,
) -> Result<Done, Problem> {
    let scope = Scope::Tenant(asked.whose.id());
    asked.api.console.order(scope, asked.path.call, command).await?;
    Ok(DONE)
}
