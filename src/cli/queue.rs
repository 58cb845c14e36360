//! `callwright queue`: who waits in a tenant's lines, and for whom.

use std::process::ExitCode;

use jiff::Timestamp;

use crate::base::ids::TenantSlug;
use crate::model::queue::{QueueView, TargetState, TargetView, WaitingCall};
use crate::store::Store;

use super::screen::{BOLD, Screen, count, paint};
use super::tenant_scope;

pub(super) async fn list(
    slug: &TenantSlug,
    store: &Store,
    screen: Screen,
) -> anyhow::Result<ExitCode> {
    let views = tenant_scope(store, slug).await?.queues().await?;
    let now = Timestamp::now();
    screen.either(&views, |screen| {
        for view in &views {
            screen.line(head(view))?;
            if !view.waiting.is_empty() {
                let rows = view.waiting.iter().map(|call| waiting(call, now));
                screen.table(["WAITS", "CALLER", "TARGET", "CALL"], rows)?;
            }
            if !view.targets.is_empty() {
                let rows = view.targets.iter().map(|one| target(one, now));
                screen.table(["TARGET", "STATE", "FOR", "CALL"], rows)?;
            }
        }
        Ok(())
    })?;
    Ok(ExitCode::SUCCESS)
}

fn head(view: &QueueView) -> String {
    let name = paint(BOLD, view.name.as_str());
    let waiting = count(view.waiting.len(), "caller");
    let pace = view.talk_ms.map_or_else(String::new, |talk_ms| {
        format!(", a conversation takes {} s", talk_ms / 1_000)
    });
    format!("{name}: {waiting}{pace}")
}

fn seconds(from: Timestamp, to: Timestamp) -> String {
    format!("{} s", to.duration_since(from).as_secs().max(0))
}

fn waiting(call: &WaitingCall, now: Timestamp) -> [String; 4] {
    let known = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    [seconds(call.since, now), known(&call.caller), known(&call.target), call.call.to_string()]
}

fn target(target: &TargetView, now: Timestamp) -> [String; 4] {
    let length = target.at.map(|at| match target.state {
        TargetState::Rests => seconds(now, at),
        TargetState::Free | TargetState::Rings | TargetState::Speaks => seconds(at, now),
    });
    [
        target.target.clone(),
        target.state.name().to_owned(),
        length.unwrap_or_else(|| "-".to_owned()),
        target.call.map_or_else(|| "-".to_owned(), |call| call.to_string()),
    ]
}
