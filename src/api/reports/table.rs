//! Reports as tables (RFC 4180): a line for the whole time, then one for each part.

use crate::api::export::line;
use crate::model::report::calls::{CallsFigures, CallsReport};
use crate::model::report::flow::FlowReport;
use crate::model::report::period::{Covered, Part};
use crate::model::report::queue::{QueueFigures, QueueReport};
use crate::model::report::times::Spread;

const STEPS: &str = "step,callers,share,entered,hung_up,hung_up_share,ended,no_input,\
    no_input_share,invalid,invalid_share,mean_ms,median_ms,p90_ms,longest_ms,\
    to_answer_median_ms\r\n";
const OUTCOMES: &str = "step,outcome,count,share\r\n";
const EDGES: &str = "from,to,count,callers,share,outcomes\r\n";
const CALLS: &str = "from,until,local,calls,offered,placed,placed_answered,continued,turned_away,\
    by_person,by_flow,abandoned,unanswered,answered_share,by_person_share,abandoned_share,\
    to_answer_median_ms,to_person_mean_ms,to_person_median_ms,to_person_p90_ms,talk_sum_ms,\
    talk_median_ms,peak,peak_at\r\n";
const QUEUE: &str = "from,until,local,offered,answered,abandoned,timed_out,full,cancelled,other,\
    answered_share,abandoned_share,answered_within,abandoned_within,service_level,\
    to_answer_mean_ms,to_answer_median_ms,to_answer_p90_ms,to_leave_median_ms,talk_sum_ms,\
    longest_wait_ms\r\n";

/// A figure of how times are spread; empty where there are none.
fn of(spread: Option<&Spread>, figure: impl Fn(&Spread) -> u64) -> String {
    spread.map(|spread| figure(spread).to_string()).unwrap_or_default()
}

fn median(spread: Option<&Spread>) -> String {
    of(spread, |spread| spread.median_ms)
}

pub(super) fn steps(report: &FlowReport) -> String {
    let mut text = STEPS.to_owned();
    for step in &report.steps {
        let time = step.time.as_ref();
        let fields = [
            step.step.to_string(),
            step.callers.to_string(),
            step.share.to_string(),
            step.entered.to_string(),
            step.hung_up.to_string(),
            step.hung_up_share.to_string(),
            step.ended.to_string(),
            step.no_input.to_string(),
            step.no_input_share.to_string(),
            step.invalid.to_string(),
            step.invalid_share.to_string(),
            of(time, |time| time.mean_ms),
            median(time),
            of(time, |time| time.p90_ms),
            of(time, |time| time.longest_ms),
            median(step.to_answer.as_ref()),
        ];
        line(&fields, &mut text);
    }
    text
}

pub(super) fn outcomes(report: &FlowReport) -> String {
    let mut text = OUTCOMES.to_owned();
    for step in &report.steps {
        for outcome in &step.outcomes {
            let (count, share) = (outcome.count.to_string(), outcome.share.to_string());
            line(&[step.step.to_string(), outcome.outcome.clone(), count, share], &mut text);
        }
    }
    text
}

pub(super) fn edges(report: &FlowReport) -> String {
    let mut text = EDGES.to_owned();
    for edge in &report.edges {
        let outcomes: Vec<&str> = edge.outcomes.keys().map(String::as_str).collect();
        let fields = [
            edge.from.to_string(),
            edge.to.to_string(),
            edge.count.to_string(),
            edge.callers.to_string(),
            edge.share.to_string(),
            outcomes.join(" "),
        ];
        line(&fields, &mut text);
    }
    text
}

fn whole(covered: &Covered) -> [String; 3] {
    [covered.from.to_string(), covered.until.to_string(), "total".to_owned()]
}

fn part(part: &Part) -> [String; 3] {
    [part.from.to_string(), part.until.to_string(), part.local.clone()]
}

pub(super) fn calls(report: &CallsReport) -> String {
    let mut text = CALLS.to_owned();
    let parts = report.buckets.iter().map(|bucket| (part(&bucket.part), &bucket.figures));
    for (time, figures) in std::iter::once((whole(&report.covered), &report.total)).chain(parts) {
        line(&[&time[..], &calls_row(figures)].concat(), &mut text);
    }
    text
}

fn calls_row(figures: &CallsFigures) -> [String; 21] {
    let (person, talk) = (figures.to_person.as_ref(), figures.talk.as_ref());
    [
        figures.calls.to_string(),
        figures.offered.to_string(),
        figures.placed.to_string(),
        figures.placed_answered.to_string(),
        figures.continued.to_string(),
        figures.turned_away.to_string(),
        figures.by_person.to_string(),
        figures.by_flow.to_string(),
        figures.abandoned.to_string(),
        figures.unanswered.to_string(),
        figures.answered_share.to_string(),
        figures.by_person_share.to_string(),
        figures.abandoned_share.to_string(),
        median(figures.to_answer.as_ref()),
        of(person, |person| person.mean_ms),
        median(person),
        of(person, |person| person.p90_ms),
        of(talk, |talk| talk.sum_ms),
        median(talk),
        figures.peak.calls.to_string(),
        figures.peak.at.map(|at| at.to_string()).unwrap_or_default(),
    ]
}

pub(super) fn queue(report: &QueueReport) -> String {
    let mut text = QUEUE.to_owned();
    let parts = report.buckets.iter().map(|bucket| (part(&bucket.part), &bucket.figures));
    for (time, figures) in std::iter::once((whole(&report.covered), &report.total)).chain(parts) {
        line(&[&time[..], &queue_row(figures)].concat(), &mut text);
    }
    text
}

fn queue_row(figures: &QueueFigures) -> [String; 18] {
    let answer = figures.to_answer.as_ref();
    [
        figures.offered.to_string(),
        figures.answered.to_string(),
        figures.abandoned.to_string(),
        figures.timed_out.to_string(),
        figures.full.to_string(),
        figures.cancelled.to_string(),
        figures.other.to_string(),
        figures.answered_share.to_string(),
        figures.abandoned_share.to_string(),
        figures.answered_within.to_string(),
        figures.abandoned_within.to_string(),
        figures.service_level.to_string(),
        of(answer, |answer| answer.mean_ms),
        median(answer),
        of(answer, |answer| answer.p90_ms),
        median(figures.to_leave.as_ref()),
        of(figures.talk.as_ref(), |talk| talk.sum_ms),
        figures.longest_wait_ms.to_string(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tables_head_has_as_many_columns_as_its_lines() {
        let columns = |head: &str| head.trim_end().split(',').count();
        assert_eq!((columns(CALLS), columns(QUEUE), columns(STEPS)), (24, 21, 16));
        for head in [STEPS, OUTCOMES, EDGES, CALLS, QUEUE] {
            assert!(!head.contains(' '), "{head}");
        }
    }
}
