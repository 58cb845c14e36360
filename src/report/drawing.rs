//! A flow's drawing with the figures of a time on it.

use super::{ReportError, When, flow};
use crate::base::ids::FlowName;
use crate::flow::draw::heat::{Heat, StepHeat, WayHeat, callers, length, percent};
use crate::flow::draw::heated;
use crate::flow::parse;
use crate::model::report::flow::FlowReport;
use crate::store::TenantScope;

/// How many of the busiest ways, and of the steps that most left, are told in words.
const TOLD: usize = 5;

/// The drawing of a version of a flow, the one that is live unless another is named, and of its
/// calls alone.
///
/// # Errors
/// There is no such version, or the time can't be reported on.
pub async fn drawing(
    scope: &TenantScope,
    name: &FlowName,
    version: Option<u32>,
    number: Option<String>,
    when: When,
) -> Result<String, ReportError> {
    let live = scope.flow(name).await?.version;
    let version = version.or(live).ok_or_else(|| ReportError::Unpublished(name.clone()))?;
    let document = scope.version(name, version).await?.document;
    let drawn = parse(document.to_string().as_bytes())
        .map_err(|_| ReportError::Unreadable { flow: name.clone(), version })?;
    let report = flow(scope, name, Some(version), number, when).await?;
    Ok(heated(&drawn, name.as_str(), &heat(&report, version, live == Some(version))))
}

fn heat(report: &FlowReport, version: u32, live: bool) -> Heat {
    let live = if live { ", which is live" } else { "" };
    let covered = &report.covered;
    let time = format!("{} to {}", local(covered.from, report), local(covered.until, report));
    let hung_up = format!("{} hung up ({})", report.hung_up, percent(report.hung_up_share));
    let about = vec![
        format!("Version {version}{live} · {time} ({})", covered.timezone),
        format!(
            "{}, {hung_up}. Lines: share of callers. Boxes: callers, median time in the step.",
            callers(report.calls)
        ),
    ];
    let steps = report.steps.iter().map(|step| {
        let heat = StepHeat {
            callers: step.callers,
            share: step.share,
            median_ms: step.time.as_ref().map(|time| time.median_ms),
            hung_up: step.hung_up,
            hung_up_share: step.hung_up_share,
        };
        (step.step.clone(), heat)
    });
    let ways = report.edges.iter().map(|edge| {
        let heat = WayHeat { callers: edge.callers, share: edge.share, count: edge.count };
        ((edge.from.clone(), edge.to.clone()), heat)
    });
    Heat {
        description: format!("Version {version}, {time}: {}", words(report)),
        about,
        steps: steps.collect(),
        ways: ways.collect(),
    }
}

fn local(at: jiff::Timestamp, report: &FlowReport) -> String {
    match at.in_tz(&report.covered.timezone) {
        Ok(local) => local.strftime("%Y-%m-%d %H:%M").to_string(),
        Err(_) => at.to_string(),
    }
}

/// For those who hear the picture: how many came, where most went, where most left.
fn words(report: &FlowReport) -> String {
    let mut busy: Vec<_> = report.edges.iter().collect();
    busy.sort_by_key(|edge| std::cmp::Reverse(edge.callers));
    let busy = busy.iter().take(TOLD);
    let busy: Vec<_> =
        busy.map(|edge| format!("{} to {} {}", edge.from, edge.to, percent(edge.share))).collect();
    let mut left: Vec<_> = report.steps.iter().filter(|step| step.hung_up > 0).collect();
    left.sort_by_key(|step| std::cmp::Reverse(step.hung_up));
    let left = left.iter().take(TOLD);
    let left: Vec<_> = left.map(|step| format!("{} {}", step.step, step.hung_up)).collect();
    let slow = report.steps.iter().filter_map(|step| Some((step.time.as_ref()?.median_ms, step)));
    let slow = slow.max_by_key(|(ms, _)| *ms);
    let mut words = vec![format!("{}.", callers(report.calls))];
    if !busy.is_empty() {
        words.push(format!("Busiest ways: {}.", busy.join(", ")));
    }
    if !left.is_empty() {
        words.push(format!("Hung up in: {}.", left.join(", ")));
    }
    words.extend(slow.map(|(ms, step)| {
        format!("The longest median time, {}, is that of {}.", length(ms), step.step)
    }));
    words.join(" ")
}
