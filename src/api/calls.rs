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
    let api = &asked.api;
    // Where other processes may have calls too, all tell the database.
    let all = if api.console.elsewhere.is_some() {
        match asked.whose.live_calls().await {
            Ok(all) => Some(all),
            Err(error) if error.retryable() => None,
            Err(error) => return Err(error.into()),
        }
    } else {
        None
    };
    let own = || api.shared().registry.live(Scope::Tenant(asked.whose.id()));
    Ok(Reply(Page::whole(all.unwrap_or_else(own))))
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
