//! `callwright calls` and `callwright trace`

use std::process::ExitCode;

use anyhow::Context;
use serde::Serialize;

use crate::model::record::{CallHead, CallRecord};
use crate::model::timeline::Entry;
use crate::store::{CallFilter, Store};

use super::args::{Calls, Trace};
use super::screen::{DIM, Screen, paint};
use super::{tenant_scope, timeline};

pub(super) async fn list(args: &Calls, store: &Store, screen: Screen) -> anyhow::Result<ExitCode> {
    let tenant = args.tenant.as_ref().context("--tenant is missing")?;
    let page =
        tenant_scope(store, tenant).await?.calls(&CallFilter::default(), None, args.limit).await?;
    screen.either(&page, |screen| {
        let head =
            ["STARTED (UTC)", "SECONDS", "CALLER", "DIALED", "FLOW", "ENDED BY", "CAUSE", "CALL"];
        screen.table(head, page.items.iter().map(row))
    })?;
    Ok(ExitCode::SUCCESS)
}

fn row(call: &CallHead) -> [String; 8] {
    let seconds = call.ended.duration_since(call.started).as_secs_f64();
    [
        call.started.strftime("%F %T").to_string(),
        format!("{seconds:.1}"),
        call.caller_number.clone(),
        call.dialed.clone(),
        format!("{} v{}", call.flow, call.version),
        format!("{:?}", call.party).to_lowercase(),
        call.cause.to_string(),
        call.call.to_string(),
    ]
}

#[derive(Serialize)]
struct Traced<'a> {
    record: Option<&'a CallRecord>,
    timeline: &'a [Entry],
}

/// Prints a call's timeline and record; a call that still goes on has no record yet.
pub(super) async fn trace(args: &Trace, store: &Store, screen: Screen) -> anyhow::Result<ExitCode> {
    let tenant = match &args.tenant {
        Some(slug) => tenant_scope(store, slug).await?,
        None => store.tenant(store.operator().whose_call(args.call).await?),
    };
    let record = tenant.call(args.call).await;
    let timeline = tenant.timeline(args.call).await?;
    if timeline.is_empty() {
        record?;
        return Ok(ExitCode::SUCCESS);
    }
    let record = record.ok();
    let traced = Traced { record: record.as_ref(), timeline: &timeline };
    screen.either(&traced, |screen| {
        if let Some(record) = &record {
            for line in timeline::summary(record) {
                screen.line(line)?;
            }
        } else {
            screen.line(paint(DIM, "the call goes on, or its record has not arrived yet"))?;
        }
        timeline.iter().try_for_each(|entry| screen.line(timeline::line(entry)))
    })?;
    Ok(ExitCode::SUCCESS)
}
