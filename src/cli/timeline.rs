//! A call's timeline, the way a person reads it.

use crate::model::record::CallRecord;
use crate::model::timeline::{Entry, What};

use super::screen::{BOLD, CYAN, DIM, GREEN, RED, YELLOW, paint};

/// One entry on one line: when, a sign, what.
pub(super) fn line(entry: &Entry) -> String {
    let seconds = entry.ms / 1_000;
    let at = format!("{:>3}:{:02}.{:03}", seconds / 60, seconds % 60, entry.ms % 1_000);
    format!("{}  {}", paint(DIM, &at), what(&entry.what))
}

fn what(what: &What) -> String {
    match what {
        What::Arrived { caller_name, caller_number, dialed, flow, version } => {
            let caller = if caller_name.is_empty() || caller_name == caller_number {
                caller_number.clone()
            } else {
                format!("{caller_name} <{caller_number}>")
            };
            let flow = paint(BOLD, &format!("{flow} v{version}"));
            format!("{} {caller} calls {dialed}; flow {flow}", paint(CYAN, "☎"))
        }
        What::Resumed { step } => format!("{} taken over in step {step}", paint(YELLOW, "↻")),
        What::StepEntered { flow: _, step, kind } => {
            format!("{} {} {}", paint(GREEN, "●"), paint(BOLD, step.as_str()), paint(DIM, kind))
        }
        What::StepLeft { step: _, outcome, next, why } => left(outcome, next.as_ref(), why),
        What::Ordered { action, order, .. } => {
            format!("  {} {order} {}", paint(CYAN, "→"), id(*action))
        }
        What::Done { action, result } => format!("  {} {result} {}", paint(CYAN, "←"), id(*action)),
        What::Key { key } => format!("  {} key {}", paint(CYAN, "⌨"), paint(BOLD, key)),
        What::Answered => format!("  {} answered", paint(GREEN, "✓")),
        What::Bridged { party } => format!("  {} talking with {party}", paint(GREEN, "⇄")),
        What::Unbridged { cause } => match cause {
            Some(cause) => format!("  {} parted ({cause})", paint(YELLOW, "⇹")),
            None => format!("  {} parted", paint(YELLOW, "⇹")),
        },
        What::Asked { query: _, question } => format!("  {} {question}", paint(CYAN, "?")),
        What::Heard { query: _, answer } => format!("  {} {answer}", paint(CYAN, "!")),
        What::Set { variable, value } => format!("  {} {variable} = {value}", paint(DIM, "=")),
        What::Recording { recording, state, why } => {
            let why = if why.is_empty() { String::new() } else { format!(": {why}") };
            format!("  {} recording {} {recording}{why}", paint(CYAN, "●"), state.name())
        }
        What::Guard { limit } => format!("  {} {limit}", paint(RED, "⚠")),
        What::Noticed { text, .. } => format!("  {} {text}", paint(YELLOW, "·")),
        What::Ended { termination } => {
            let party = format!("{:?}", termination.party).to_lowercase();
            format!(
                "{} ended by {party}: {} ({})",
                paint(RED, "■"),
                termination.reason,
                termination.cause
            )
        }
    }
}

fn left(outcome: &str, next: Option<&crate::base::ids::StepName>, why: &str) -> String {
    let why = if why.is_empty() { String::new() } else { paint(DIM, &format!("  {why}")) };
    match next {
        Some(next) => format!("  {} {outcome} ⇒ {next}{why}", paint(GREEN, "↳")),
        None => format!("  {} {outcome}{why}", paint(GREEN, "↳")),
    }
}

fn id(action: u32) -> String {
    paint(DIM, &format!("#{action}"))
}

/// A record's head and summary, to be printed around its timeline.
pub(super) fn summary(record: &CallRecord) -> Vec<String> {
    let took = record.ended.duration_since(record.started);
    let mut lines = vec![format!(
        "{} {}  {} → {}  {} v{}  {:.1} s",
        paint(BOLD, "call"),
        record.call,
        record.caller_number,
        record.dialed,
        record.flow,
        record.version,
        took.as_secs_f64(),
    )];
    let path: Vec<&str> = record.path.iter().map(|visit| visit.step.as_str()).collect();
    lines.push(format!("{} {}", paint(DIM, "path"), path.join(" → ")));
    lines
}
