//! Flows: drafts, versions, and what is wrong with them.

use axum::http::Method;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::endpoint::{Asked, Endpoint};
use super::page::Page;
use super::problem::Problem;
use super::reply::{Nothing, Reply};
use crate::base::ids::FlowName;
use crate::flow::check::{World, check};
use crate::flow::problem::Problem as Finding;
use crate::flow::{Flow, parse};
use crate::model::access::Power;
use crate::model::tenant::{FlowHead, VersionHead};
use crate::store::{Signature, StoreError, TenantScope};

pub(super) fn endpoints() -> Vec<Endpoint> {
    let (get, put, post) = (Method::GET, Method::PUT, Method::POST);
    let (read, write) = (Power::FlowsRead, Power::FlowsWrite);
    let (flows, versions) =
        ("/v1/tenants/{tenant}/flows", "/v1/tenants/{tenant}/flows/{flow}/versions");
    vec![
        Endpoint::new(get.clone(), flows, read, "A tenant's flows", list),
        Endpoint::new(
            post.clone(),
            "/v1/tenants/{tenant}/flow-check",
            read,
            "What is wrong with a flow, for this tenant",
            judge,
        ),
        Endpoint::new(
            get.clone(),
            "/v1/tenants/{tenant}/flows/{flow}/draft",
            read,
            "What is being worked on",
            draft,
        ),
        Endpoint::new(
            put,
            "/v1/tenants/{tenant}/flows/{flow}/draft",
            write,
            "Save what is being worked on",
            save,
        ),
        Endpoint::new(
            post.clone(),
            "/v1/tenants/{tenant}/flows/{flow}/publish",
            write,
            "Make the draft what the next call runs",
            publish,
        ),
        Endpoint::new(
            post,
            "/v1/tenants/{tenant}/flows/{flow}/rollback",
            write,
            "Make an earlier version what the next call runs",
            rollback,
        ),
        Endpoint::new(get.clone(), versions, read, "Published versions, the newest first", history),
        Endpoint::new(
            get,
            "/v1/tenants/{tenant}/flows/{flow}/versions/{version}",
            read,
            "A published version",
            version,
        ),
    ]
}

#[derive(Debug, Deserialize, JsonSchema)]
struct OneFlow {
    flow: FlowName,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct OneVersion {
    flow: FlowName,
    version: u32,
}

/// A flow as it is written; `callwright flow schema` prints the language's own schema.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
struct Document(Value);

#[derive(Debug, Serialize, JsonSchema)]
struct Findings {
    /// Whether it could be published.
    good: bool,
    problems: Vec<Finding>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct DraftView {
    #[serde(flatten)]
    head: FlowHead,
    document: Document,
}

#[derive(Debug, Serialize, JsonSchema)]
struct VersionView {
    #[serde(flatten)]
    head: VersionHead,
    document: Document,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewDraft {
    document: Document,
    /// Who wrote it; the name of who asks where it is left out.
    author: Option<String>,
    /// `draft_revision` of what was changed; none for a flow that must not be there yet.
    revision: Option<u32>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Publication {
    /// `draft_revision` of the draft that is meant.
    revision: u32,
    author: Option<String>,
    #[serde(default)]
    note: String,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Rollback {
    version: u32,
    author: Option<String>,
    #[serde(default)]
    note: String,
}

async fn list(asked: Asked<TenantScope>) -> Result<Reply<Page<FlowHead>>, Problem> {
    Ok(Reply(Page::whole(asked.whose.flows().await?)))
}

async fn judge(
    asked: Asked<TenantScope, Nothing, Nothing, Document>,
) -> Result<Reply<Findings>, Problem> {
    let world = world(&asked, None).await?;
    let problems = match parse(asked.body.0.to_string().as_bytes()) {
        Ok(flow) => check(&flow, &world),
        Err(problems) => problems,
    };
    Ok(Reply(Findings { good: !problems.iter().any(Finding::is_error), problems }))
}

async fn world<P, Q, B>(
    asked: &Asked<TenantScope, P, Q, B>,
    this: Option<&FlowName>,
) -> Result<World, Problem> {
    let speech = asked.api.speaks();
    Ok(asked.whose.world(this, speech).await?)
}

async fn draft(asked: Asked<TenantScope, OneFlow>) -> Result<Reply<DraftView>, Problem> {
    let draft = asked.whose.draft(&asked.path.flow).await?;
    Ok(Reply(DraftView { head: draft.head, document: Document(draft.document) }))
}

/// One that does not parse is refused; one with other errors is work in progress.
async fn save(
    asked: Asked<TenantScope, OneFlow, Nothing, NewDraft>,
) -> Result<Reply<FlowHead>, Problem> {
    let Asked { by: bearer, whose, path, body, .. } = asked;
    let flow = parse(body.document.0.to_string().as_bytes());
    let flow = flow.map_err(|problems| unfit("the flow can't be read", problems))?;
    let document = serde_json::to_value(&flow).map_err(|error| Problem::fault(&error))?;
    let author = body.author.unwrap_or_else(|| bearer.name());
    Ok(Reply(whose.save_draft(&path.flow, &document, &author, body.revision).await?))
}

fn unfit(detail: &str, problems: Vec<Finding>) -> Problem {
    Problem::invalid(detail).found(problems)
}

/// Refuses a flow with errors, and keeps what was found.
fn approve<'a>(
    world: &'a World,
    found: &'a mut Vec<Finding>,
) -> impl FnOnce(&Flow) -> Result<(), String> + 'a {
    move |flow| {
        *found = check(flow, world);
        if found.iter().any(Finding::is_error) { Err("the flow has errors".into()) } else { Ok(()) }
    }
}

fn published(
    done: Result<VersionHead, StoreError>,
    found: Vec<Finding>,
) -> Result<Reply<VersionHead>, Problem> {
    match done {
        Ok(head) => Ok(Reply(head)),
        Err(StoreError::Invalid(why)) if found.iter().any(Finding::is_error) => {
            Err(unfit(&why, found))
        }
        Err(error) => Err(error.into()),
    }
}

async fn publish(
    asked: Asked<TenantScope, OneFlow, Nothing, Publication>,
) -> Result<Reply<VersionHead>, Problem> {
    let world = world(&asked, Some(&asked.path.flow)).await?;
    let Asked { by: bearer, whose, path, body, .. } = asked;
    let by = Signature { author: body.author.unwrap_or_else(|| bearer.name()), note: body.note };
    let mut found = Vec::new();
    let judge = approve(&world, &mut found);
    let done = whose.publish(&path.flow, body.revision, &by, judge).await;
    published(done, found)
}

async fn rollback(
    asked: Asked<TenantScope, OneFlow, Nothing, Rollback>,
) -> Result<Reply<VersionHead>, Problem> {
    let world = world(&asked, Some(&asked.path.flow)).await?;
    let Asked { by: bearer, whose, path, body, .. } = asked;
    let by = Signature { author: body.author.unwrap_or_else(|| bearer.name()), note: body.note };
    let mut found = Vec::new();
    let judge = approve(&world, &mut found);
    let done = whose.rollback(&path.flow, body.version, &by, judge).await;
    published(done, found)
}

async fn history(asked: Asked<TenantScope, OneFlow>) -> Result<Reply<Page<VersionHead>>, Problem> {
    Ok(Reply(Page::whole(asked.whose.versions(&asked.path.flow).await?)))
}

async fn version(asked: Asked<TenantScope, OneVersion>) -> Result<Reply<VersionView>, Problem> {
    let OneVersion { flow, version } = asked.path;
    let version = asked.whose.version(&flow, version).await?;
    Ok(Reply(VersionView { head: version.head, document: Document(version.document) }))
}
