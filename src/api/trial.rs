//! Flows before they are live: what would change, and how a call would go.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::http::Method;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::endpoint::{Asked, Endpoint};
use super::problem::Problem;
use super::reply::{Nothing, Reply};
use crate::base::ids::FlowName;
use crate::driver::session::Settings;
use crate::driver::simulate::{simulate, stage};
use crate::esl::argument::Word;
use crate::flow::diff::{Change, diff};
use crate::flow::program::Published;
use crate::flow::{Flow, parse};
use crate::model::access::Power;
use crate::model::record::CallRecord;
use crate::model::timeline::Entry;
use crate::simulator::{Script, Verdict};
use crate::store::TenantScope;

/// Simulations at once: each may take a processor.
pub(super) const TRIALS_MAX: usize = 2;

pub(super) fn endpoints() -> Vec<Endpoint> {
    let read = Power::FlowsRead;
    vec![
        Endpoint::new(
            Method::GET,
            "/v1/tenants/{tenant}/flows/{flow}/diff",
            read,
            "What differs between two versions, or between what is live and the draft",
            compare,
        ),
        Endpoint::new(
            Method::POST,
            "/v1/tenants/{tenant}/flow-simulate",
            read,
            "Run a flow on a simulated switch, led by a caller's script",
            run,
        ),
    ]
}

#[derive(Debug, Deserialize, JsonSchema)]
struct OneFlow {
    flow: FlowName,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Two {
    /// A version, `live` or `draft`; `live` where it is left out.
    #[serde(default)]
    from: Option<Which>,
    /// The same; `draft` where it is left out.
    #[serde(default)]
    to: Option<Which>,
}

/// One state of a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String", inline)]
enum Which {
    Live,
    Draft,
    Version(u32),
}

impl TryFrom<String> for Which {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.as_str() {
            "live" => Ok(Self::Live),
            "draft" => Ok(Self::Draft),
            other => {
                other.parse().map(Self::Version).map_err(|_| "say `live`, `draft` or a version")
            }
        }
    }
}

#[derive(Debug, Serialize, JsonSchema)]
struct Differences {
    /// None where both mean the same.
    changes: Vec<Change>,
}

async fn state(scope: &TenantScope, name: &FlowName, which: Which) -> Result<Flow, Problem> {
    let document = match which {
        Which::Draft => scope.draft(name).await?.document,
        Which::Version(version) => scope.version(name, version).await?.document,
        Which::Live => {
            let live = scope.flow(name).await?.version;
            let none = || Problem::not_found(format!("no version of `{name}` is published"));
            scope.version(name, live.ok_or_else(none)?).await?.document
        }
    };
    read(&document, "document")
}

fn read(document: &Value, field: &'static str) -> Result<Flow, Problem> {
    let flow = parse(document.to_string().as_bytes());
    flow.map_err(|problems| Problem::invalid("the flow can't be read").at(field).found(problems))
}

async fn compare(asked: Asked<TenantScope, OneFlow, Two>) -> Result<Reply<Differences>, Problem> {
    let (scope, name) = (&asked.whose, &asked.path.flow);
    let old = state(scope, name, asked.query.from.unwrap_or(Which::Live)).await?;
    let new = state(scope, name, asked.query.to.unwrap_or(Which::Draft)).await?;
    Ok(Reply(Differences { changes: diff(&old, &new) }))
}

/// What is to be tried.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Trial {
    /// The flow's name, for others that call it.
    flow: FlowName,
    /// The flow; its draft where it is left out. Others that it calls are those that are live.
    #[serde(default)]
    document: Option<Value>,
    /// What the caller does, as `callwright flow simulate` takes it.
    #[schemars(with = "Script")]
    script: Value,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Tried {
    /// Whether the call went as the script says.
    passed: bool,
    /// What did not.
    failure: Option<String>,
    /// Why the call was given back to the dialplan, where it was.
    refused: Option<String>,
    record: Option<CallRecord>,
    timeline: Vec<Entry>,
}

async fn run(asked: Asked<TenantScope, Nothing, Nothing, Trial>) -> Result<Reply<Tried>, Problem> {
    let Trial { flow: name, document, script } = asked.body;
    let script = Script::from_json(&script.to_string())
        .map_err(|error| Problem::invalid(error.to_string()).at("script"))?;
    let flow = match &document {
        Some(document) => read(document, "document")?,
        None => state(&asked.whose, &name, Which::Draft).await?,
    };
    let mut flows: BTreeMap<FlowName, Arc<Published>> = BTreeMap::new();
    for (other, live) in asked.whose.live_flows().await? {
        flows.insert(other.clone(), Arc::new(Published::new(other, 0, live)));
    }
    flows.insert(name.clone(), Arc::new(Published::new(name.clone(), 0, flow)));
    let schedules = Arc::new(asked.whose.schedules_by_name().await?);
    let timezone = asked.whose.tenant().await?.timezone;
    let place = asked.api.trials.acquire().await.map_err(|error| Problem::fault(&error))?;
    let outcome = tokio::task::spawn_blocking(move || {
        let profile = Word::new("profile", "external").ok()?;
        let settings = Settings::alone(profile).ok()?;
        let mut program = stage(name, flows);
        program.timezone = timezone;
        program.settings.schedules = schedules;
        Some(simulate(Arc::new(script), &Arc::new(program), &settings, Timestamp::now()))
    });
    let outcome = outcome.await.map_err(|error| Problem::fault(&error))?;
    drop(place);
    let none = || Problem::unavailable("the system has no random numbers");
    let outcome = outcome.ok_or_else(none)?;
    let failure = match outcome.verdict {
        Verdict::Passed => None,
        Verdict::Failed(failure) => Some(failure.to_string()),
    };
    Ok(Reply(Tried {
        passed: failure.is_none(),
        failure,
        refused: outcome.refused,
        record: outcome.record,
        timeline: outcome.timeline,
    }))
}
