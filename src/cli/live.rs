//! `callwright calls --live`: the calls that are up on all nodes, by the database and by the daemon
//! on this machine.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::bail;
use serde::Serialize;
use tokio::time::timeout;

use crate::app::config::Config;
use crate::base::ids::CallId;
use crate::control::protocol::{Answer, Request};
use crate::model::live::LiveCall;
use crate::store::{Instance, Store, StoreError};

use super::control::ask;
use super::screen::{Screen, YELLOW, paint};

/// How long the database may take; without it only the daemon's own calls are shown.
const DATABASE: Duration = Duration::from_secs(5);

/// A call that is up.
#[derive(Debug, Serialize)]
struct Row {
    call: CallId,
    /// Where its process runs.
    node: Option<String>,
    /// Whether the caller speaks with somebody; known of the calls of this machine's daemon.
    talks: Option<bool>,
    /// Unknown while the database is away, or has not heard of it yet.
    known: Option<LiveCall>,
}

pub(super) async fn list(config: &Config, screen: Screen) -> anyhow::Result<ExitCode> {
    let held = ask(config, &Request::Calls).await;
    let stored = match timeout(DATABASE, stored(config)).await {
        Ok(Ok(stored)) => Some(stored),
        Ok(Err(_)) | Err(_) => None,
    };
    let known = stored.is_some();
    let mut rows = BTreeMap::new();
    let (calls, instances) = stored.unwrap_or_default();
    for live in calls {
        let holder = instances.iter().find(|instance| instance.id == live.holder);
        let node = holder.map(|instance| instance.node.clone());
        rows.insert(live.call, Row { call: live.call, node, talks: None, known: Some(live) });
    }
    match held {
        Ok(Answer::Calls { calls }) => {
            for held in calls {
                let (call, talks) = (held.call, Some(held.talks));
                let row = Row { call, node: None, talks, known: None };
                rows.entry(call).or_insert(row).talks = talks;
            }
        }
        Ok(_) => bail!("the daemon answers something else"),
        // The other nodes' calls are known all the same.
        Err(_) if known => {}
        Err(error) => return Err(error),
    }
    let rows: Vec<Row> = rows.into_values().collect();
    screen.either(&rows, |screen| {
        if !known {
            let warning = "the database does not answer: only this daemon's calls are shown";
            screen.line(paint(YELLOW, warning))?;
        }
        let head = ["STARTED (UTC)", "CALLER", "DIALED", "FLOW", "NODE", "STATE", "CALL"];
        screen.table(head, rows.iter().map(columns))
    })?;
    Ok(ExitCode::SUCCESS)
}

async fn stored(config: &Config) -> Result<(Vec<LiveCall>, Vec<Instance>), StoreError> {
    let operator = Store::open(&config.store).await?.operator();
    Ok((operator.live_calls().await?, operator.instances().await?))
}

fn columns(row: &Row) -> [String; 7] {
    let known = |text: &dyn Fn(&LiveCall) -> String| row.known.as_ref().map(text);
    let state = row.talks.map(|talks| if talks { "talking" } else { "in a flow" });
    [
        known(&|live| live.started.strftime("%F %T").to_string()),
        known(&|live| live.caller_number.clone()),
        known(&|live| live.dialed.clone()),
        known(&|live| format!("{} v{}", live.flow, live.version)),
        row.node.clone(),
        state.map(str::to_owned),
        Some(row.call.to_string()),
    ]
    .map(|column| column.unwrap_or_else(|| "-".to_owned()))
}
