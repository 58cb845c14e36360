//! Drafts and versions in the store.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, bail};
use serde_json::Value;

use crate::base::ids::FlowName;
use crate::cli::exit;
use crate::cli::screen::{GREEN, RED, Screen, count, paint};
use crate::flow::check::{World, check};
use crate::flow::diff::diff as compare;
use crate::flow::problem::Problem;
use crate::flow::{Flow, parse};
use crate::model::tenant::VersionHead;
use crate::store::{Signature, StoreError, TenantScope};

use super::files;

/// Stores a file as the draft; one with problems too, since a draft is work in progress.
pub(super) async fn push(
    scope: &TenantScope,
    name: &FlowName,
    file: &Path,
    author: &str,
    screen: Screen,
) -> anyhow::Result<ExitCode> {
    let flow = match files::flow(file)? {
        Ok(flow) => flow,
        Err(problems) => {
            screen.either(&problems, |screen| screen.problems(&problems))?;
            return Ok(ExitCode::from(exit::NO));
        }
    };
    let revision = match scope.flow(name).await {
        Ok(head) => Some(head.draft_revision),
        Err(StoreError::NotFound { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    let head = scope.save_draft(name, &serde_json::to_value(&flow)?, author, revision).await?;
    screen.either(&head, |screen| {
        screen.line(format!("{} stored as draft {}", head.name, head.draft_revision))
    })?;
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn publish(
    scope: &TenantScope,
    name: &FlowName,
    world: &World,
    author: String,
    note: String,
    screen: Screen,
) -> anyhow::Result<ExitCode> {
    let revision = scope.flow(name).await?.draft_revision;
    let mut found = Vec::new();
    let by = Signature { author, note };
    let judge = |flow: &Flow| judge(flow, world, &mut found);
    let done = scope.publish(name, revision, &by, judge).await;
    report(name, done, &found, screen)
}

pub(super) async fn rollback(
    scope: &TenantScope,
    name: &FlowName,
    version: u32,
    world: &World,
    author: String,
    screen: Screen,
) -> anyhow::Result<ExitCode> {
    let mut found = Vec::new();
    let by = Signature { author, note: format!("back to version {version}") };
    let judge = |flow: &Flow| judge(flow, world, &mut found);
    let done = scope.rollback(name, version, &by, judge).await;
    report(name, done, &found, screen)
}

/// Whether a flow may be published; what was found is kept for the author.
fn judge(flow: &Flow, world: &World, found: &mut Vec<Problem>) -> Result<(), String> {
    *found = check(flow, world);
    let errors = found.iter().filter(|problem| problem.is_error()).count();
    if errors == 0 { Ok(()) } else { Err(format!("the flow has {}", count(errors, "error"))) }
}

fn report(
    name: &FlowName,
    done: Result<VersionHead, StoreError>,
    found: &[Problem],
    screen: Screen,
) -> anyhow::Result<ExitCode> {
    match done {
        Ok(head) => {
            screen.either(&head, |screen| {
                screen.problems(found)?;
                let live = paint(GREEN, &format!("{name} v{}", head.version));
                screen.line(format!("{live} is what the next call runs"))
            })?;
            Ok(ExitCode::SUCCESS)
        }
        Err(error) if found.iter().any(Problem::is_error) => {
            screen.either(&found, |screen| {
                screen.problems(found)?;
                screen.line(format!("{} {error}", paint(RED, "not published:")))
            })?;
            Ok(ExitCode::from(exit::NO))
        }
        Err(error) => Err(error.into()),
    }
}

pub(super) async fn versions(
    scope: &TenantScope,
    name: &FlowName,
    screen: Screen,
) -> anyhow::Result<ExitCode> {
    let versions = scope.versions(name).await?;
    screen.either(&versions, |screen| {
        let rows = versions.iter().map(|head| {
            [
                head.version.to_string(),
                head.published.strftime("%F %T").to_string(),
                head.author.clone(),
                head.note.clone(),
            ]
        });
        screen.table(["VERSION", "PUBLISHED (UTC)", "AUTHOR", "NOTE"], rows)
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Compares two flows; exit 1 when they differ, as `diff` does.
pub(super) async fn diff(
    scope: Option<&TenantScope>,
    old: &str,
    new: &str,
    screen: Screen,
) -> anyhow::Result<ExitCode> {
    let changes = compare(&named(scope, old).await?, &named(scope, new).await?);
    screen.either(&changes, |screen| changes.iter().try_for_each(|change| screen.line(change)))?;
    Ok(if changes.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(exit::NO) })
}

/// A file, `NAME@VERSION`, `NAME@draft`, or `NAME`: the published version.
async fn named(scope: Option<&TenantScope>, text: &str) -> anyhow::Result<Flow> {
    let path = Path::new(text);
    if path.exists() {
        return files::flow(path)?.map_err(|problems| said(text, &problems));
    }
    let scope = scope.with_context(|| format!("there is no file `{text}`, and no --tenant"))?;
    let (name, version) = text.split_once('@').unwrap_or((text, ""));
    let name: FlowName = name.parse()?;
    let document = match version {
        "draft" => scope.draft(&name).await?.document,
        "" => match scope.flow(&name).await?.version {
            Some(version) => scope.version(&name, version).await?.document,
            None => bail!("no version of `{name}` is published"),
        },
        number => {
            let number = number.parse().with_context(|| format!("`{number}` is no version"))?;
            scope.version(&name, number).await?.document
        }
    };
    read(&document).map_err(|problems| said(text, &problems))
}

fn read(document: &Value) -> Result<Flow, Vec<Problem>> {
    parse(document.to_string().as_bytes())
}

fn said(what: &str, problems: &[Problem]) -> anyhow::Error {
    let all: Vec<String> = problems.iter().map(ToString::to_string).collect();
    anyhow::anyhow!("`{what}` is not a flow: {}", all.join("; "))
}
