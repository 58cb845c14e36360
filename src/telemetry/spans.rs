//! A call's timeline as spans: the call, in it its steps, in each step what was ordered of
//! FreeSWITCH, what was asked outside, and with whom the caller spoke. Spans hold no numbers, no
//! names of callers and no digits.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::base::cause::HangupCause;
use crate::base::ids::CallId;
use crate::base::span::{Part, span};
use crate::model::record::CallRecord;
use crate::model::timeline::{Entry, What};

/// Parts of a step that go on at once; more are left out.
const OPEN_MAX: usize = 64;

/// A part of a call, from its beginning to its end.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Span {
    pub(super) call: CallId,
    pub(super) id: u64,
    /// None for the call itself.
    pub(super) parent: Option<u64>,
    pub(super) name: String,
    /// It went to another system, which may go on with the trace.
    pub(super) outside: bool,
    pub(super) start: Timestamp,
    pub(super) end: Timestamp,
    pub(super) attributes: Vec<(&'static str, String)>,
    /// What went wrong.
    pub(super) failed: Option<String>,
}

/// Whether a call is among those that are traced: the same on every node.
pub(super) fn is_chosen(call: CallId, share: f64) -> bool {
    // 32 of the random bits of an identity by time (RFC 9562 5.7).
    let random = u32::try_from(call.0.as_u128() & 0xffff_ffff).unwrap_or(0);
    f64::from(random) < share * (f64::from(u32::MAX) + 1.0)
}

/// What goes on in a call.
#[derive(Debug, Default)]
pub(super) struct Unfinished {
    step: Option<Span>,
    /// Within the step.
    open: BTreeMap<Part, Span>,
    /// The conversation that goes on.
    talk: Option<Part>,
}

impl Unfinished {
    /// Takes an entry; `tell` gets what has come to its end by it.
    pub(super) fn note(&mut self, call: CallId, entry: &Entry, mut tell: impl FnMut(Span)) {
        let at = entry.at;
        let (term, sequence) = (entry.term, entry.sequence);
        match &entry.what {
            What::StepEntered { flow, step, kind } => {
                self.leave(at, None, &mut tell);
                let attributes =
                    vec![("callwright.flow", flow.to_string()), ("callwright.kind", kind.clone())];
                let part = Part::Step { term, sequence };
                self.step = Some(begun(call, part, None, format!("step {step}"), at, attributes));
            }
            What::Resumed { step } => {
                self.leave(at, None, &mut tell);
                let attributes = vec![("callwright.resumed", "true".to_owned())];
                let part = Part::Step { term, sequence };
                self.step = Some(begun(call, part, None, format!("step {step}"), at, attributes));
            }
            What::StepLeft { outcome, .. } => self.leave(at, Some(outcome), &mut tell),
            What::Ordered { action, order, .. } => {
                self.begin(call, Part::Order(*action), first_word(order), at);
            }
            What::Done { action, .. } => self.end_part(Part::Order(*action), at, None, &mut tell),
            What::Asked { query, question } => {
                self.begin(call, Part::Query(*query), first_word(question), at);
            }
            What::Heard { query, .. } => self.end_part(Part::Query(*query), at, None, &mut tell),
            What::Bridged { .. } => {
                self.end_talk(at, None, &mut tell);
                let part = Part::Talk { term, sequence };
                self.talk = Some(part);
                self.begin(call, part, "conversation", at);
            }
            What::Unbridged { cause } => self.end_talk(at, *cause, &mut tell),
            What::Ended { .. } => self.leave(at, None, &mut tell),
            What::Arrived { .. }
            | What::Key { .. }
            | What::Answered
            | What::Set { .. }
            | What::Recording { .. }
            | What::Guard { .. }
            | What::Noticed { .. } => {}
        }
    }

    /// The call is over: the rest comes to its end with it.
    pub(super) fn end(mut self, tenant: &str, record: &CallRecord, mut tell: impl FnMut(Span)) {
        self.leave(record.ended, None, &mut tell);
        let end = &record.termination;
        let mut attributes = vec![
            ("callwright.call", record.call.to_string()),
            ("callwright.tenant", tenant.to_owned()),
            ("callwright.flow", record.flow.to_string()),
            ("callwright.version", record.version.to_string()),
            ("callwright.ended_by", end.party.name().to_owned()),
            ("callwright.cause", end.cause.name().to_owned()),
            ("callwright.hands", record.hands.to_string()),
        ];
        if let Some(turned_away) = &record.turned_away {
            attributes.push(("callwright.turned_away", turned_away.rule.name().to_owned()));
        }
        tell(Span {
            call: record.call,
            id: span(record.call, Part::Call),
            parent: None,
            name: "call".to_owned(),
            outside: false,
            start: record.started,
            end: record.ended,
            attributes,
            failed: None,
        });
    }

    fn begin(&mut self, call: CallId, part: Part, name: &str, at: Timestamp) {
        if self.open.len() < OPEN_MAX {
            let within = self.step.as_ref().map(|step| step.id);
            let mut span = begun(call, part, within, name.to_owned(), at, Vec::new());
            span.outside = matches!(part, Part::Query(_));
            self.open.insert(part, span);
        }
    }

    fn end_part(
        &mut self,
        part: Part,
        at: Timestamp,
        failed: Option<String>,
        tell: &mut impl FnMut(Span),
    ) {
        if let Some(mut span) = self.open.remove(&part) {
            (span.end, span.failed) = (at, failed);
            tell(span);
        }
    }

    fn end_talk(&mut self, at: Timestamp, cause: Option<HangupCause>, tell: &mut impl FnMut(Span)) {
        let Some(part) = self.talk.take() else { return };
        if let Some(span) = self.open.get_mut(&part) {
            span.attributes
                .extend(cause.map(|cause| ("callwright.cause", cause.name().to_owned())));
        }
        self.end_part(part, at, None, tell);
    }

    /// The step is over, and with it what it began. Of orders that nothing is heard of again only
    /// the moment is known.
    fn leave(&mut self, at: Timestamp, outcome: Option<&String>, tell: &mut impl FnMut(Span)) {
        self.end_talk(at, None, tell);
        for (part, mut span) in std::mem::take(&mut self.open) {
            if let Part::Query(_) = part {
                (span.end, span.failed) = (at, Some("there was no answer".to_owned()));
            }
            tell(span);
        }
        let Some(mut step) = self.step.take() else { return };
        step.end = at;
        step.attributes.extend(outcome.map(|outcome| ("callwright.outcome", shown(outcome))));
        tell(step);
    }
}

/// Keys that were pressed are nobody's business outside.
fn shown(outcome: &str) -> String {
    let key = |byte: u8| byte.is_ascii_digit() || b"*#ABCD".contains(&byte);
    if outcome.bytes().all(key) { "choice".to_owned() } else { outcome.to_owned() }
}

/// What it is about is in the call's timeline, with numbers in it.
fn first_word(text: &str) -> &str {
    text.split(' ').next().unwrap_or(text).trim_end_matches([':', ','])
}

fn begun(
    call: CallId,
    part: Part,
    within: Option<u64>,
    name: String,
    at: Timestamp,
    attributes: Vec<(&'static str, String)>,
) -> Span {
    let parent = within.unwrap_or_else(|| span(call, Part::Call));
    Span {
        call,
        id: span(call, part),
        parent: Some(parent),
        name,
        outside: false,
        start: at,
        end: at,
        attributes,
        failed: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Entries that come one second after another.
    fn told(term: u32, what: &[What]) -> Vec<Span> {
        let call = CallId(uuid::Uuid::from_u128(0x0192_d8a0_7b1c_7000_8123_4567_89ab_cdef));
        let (mut unfinished, mut spans) = (Unfinished::default(), Vec::new());
        for (sequence, what) in (1..).zip(what) {
            let at = Timestamp::from_second(i64::from(sequence)).unwrap();
            let entry = Entry { term, sequence, at, ms: 0, what: what.clone() };
            unfinished.note(call, &entry, |span| spans.push(span));
        }
        spans
    }

    fn entered(step: &str) -> What {
        let (flow, step) = ("main".parse().unwrap(), step.parse().unwrap());
        What::StepEntered { flow, step, kind: "menu".into() }
    }

    fn left(step: &str, outcome: &str) -> What {
        let (step, outcome) = (step.parse().unwrap(), outcome.into());
        What::StepLeft { step, outcome, next: None, why: "4711 was typed".into() }
    }

    fn seconds(span: &Span) -> (i64, i64) {
        (span.start.as_second(), span.end.as_second())
    }

    #[test]
    fn what_a_step_began_lies_within_it() {
        let ordered = What::Ordered { action: 1, order: "dial +15550100".into(), sign: None };
        let spans = told(
            0,
            &[
                entered("main"),
                ordered,
                What::Bridged { party: "+15550100".into() },
                What::Unbridged { cause: Some(HangupCause::NormalClearing) },
                What::Done { action: 1, result: "ended".into() },
                left("main", "completed"),
            ],
        );
        let named: Vec<_> = spans.iter().map(|span| (span.name.as_str(), seconds(span))).collect();
        assert_eq!(named, [("conversation", (3, 4)), ("dial", (2, 5)), ("step main", (1, 6))]);
        assert!(spans[..2].iter().all(|span| span.parent == Some(spans[2].id)));
        assert!(!format!("{spans:?}").contains("+1555"));
    }

    #[test]
    fn keys_are_told_to_nobody() {
        let spans = told(0, &[entered("main"), What::Key { key: "7".into() }, left("main", "7")]);
        let outcome = ("callwright.outcome", "choice".to_owned());
        assert!(spans[0].attributes.contains(&outcome), "{spans:?}");
        assert!(!format!("{spans:?}").contains("4711"));
    }

    #[test]
    fn a_question_without_an_answer_failed_and_an_order_without_an_end_took_no_time() {
        let spans = told(
            0,
            &[
                entered("main"),
                What::Asked { query: 1, question: "GET http://crm/{caller.number}".into() },
                What::Ordered { action: 1, order: "stop playing".into(), sign: None },
                left("main", "failed"),
            ],
        );
        let named: Vec<_> = spans.iter().map(|span| (span.name.as_str(), seconds(span))).collect();
        assert_eq!(named, [("stop", (3, 3)), ("GET", (2, 4)), ("step main", (1, 4))]);
        assert!(spans[1].failed.is_some() && spans[1].outside);
    }

    #[test]
    fn another_process_goes_on_in_the_same_tree() {
        let first = told(0, &[entered("main"), left("main", "next")]);
        let resumed = What::Resumed { step: "main".parse().unwrap() };
        let second = told(1, &[resumed, left("main", "next")]);
        assert_eq!(first[0].parent, second[0].parent);
        assert_ne!(first[0].id, second[0].id);
    }

    #[test]
    fn each_node_traces_the_same_share_of_calls() {
        let calls: Vec<_> = (0..1_000).map(|_| CallId(uuid::Uuid::now_v7())).collect();
        let chosen = |share| calls.iter().filter(|call| is_chosen(**call, share)).count();
        assert_eq!((chosen(0.0), chosen(1.0)), (0, calls.len()));
        assert!((100..300).contains(&chosen(0.2)), "{}", chosen(0.2));
    }
}
