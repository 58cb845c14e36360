//! Numbers outside: by which gateway they are called, which comes next, and when nobody is called.

use std::sync::Arc;

use callwright::base::millis::Millis;
use callwright::call::input::{Answer, Input};
use callwright::call::outbound::{OutboundAsk, OutboundFound, OutboundQuery, Way};
use callwright::call::output::QueryId;
use callwright::flow::program::Program;
use callwright::model::outbound::{Refusal, Shown};
use callwright::model::record::LegRecord;
use serde_json::{Value, json};

use super::support::{Line, Show, program, same};

impl Line {
    pub(crate) fn outside_asked(&mut self, id: QueryId, query: &OutboundQuery) {
        let text = match &query.ask {
            OutboundAsk::Begin(wanted) => {
                self.queries.push(id);
                let by = wanted.gateway.as_ref().map(|gateway| format!(" by {gateway}"));
                let after = wanted.tried.iter().map(|gateway| format!(", after {gateway}"));
                let instead = wanted.instead_of.map(|leg| format!(" instead of {leg}"));
                let (by, instead) = (by.unwrap_or_default(), instead.unwrap_or_default());
                let after: String = after.collect();
                format!("? gateway {}: {}{by}{after}{instead}", wanted.leg, wanted.number)
            }
            OutboundAsk::Answered { leg } => format!("? leg {leg} answered"),
            OutboundAsk::Over { leg, talked } => format!("? leg {leg} over after {talked}"),
        };
        self.write(&text);
    }

    /// `via NAME NUMBER [CODES] [for=SECONDS] [as=NUMBER]` answers the question, and so do the
    /// refusals by their names.
    pub(crate) fn gateway(&mut self, word: &str, rest: &str) {
        let mut words = rest.split(' ');
        let found = match word {
            "via" => {
                let name = words.next().unwrap();
                let number = words.next().unwrap().to_owned();
                let seconds = rest.split_once("for=").map(|(_, text)| text.parse().unwrap());
                let codes = words.next().filter(|word| !word.contains('='));
                let codes = codes.map(|codes| codes.split(',')).into_iter().flatten();
                let codes = codes.map(|code| code.parse().unwrap());
                OutboundFound::By(Box::new(Way {
                    gateway: format!("cw-{name}").parse().unwrap(),
                    name: name.parse().unwrap(),
                    number,
                    route: None,
                    shown: rest
                        .split_once("as=")
                        .map(|(_, number)| Shown::As { number: number.to_owned(), name: None }),
                    most: seconds.map(|seconds: u64| Millis(seconds * 1_000)),
                    fails_over: codes.collect(),
                    remark: None,
                }))
            }
            "denied" => OutboundFound::Refused(Refusal::Denied),
            "locked" => OutboundFound::Refused(Refusal::Locked("too many".into())),
            "full" => OutboundFound::Refused(Refusal::Full("a has 1".into())),
            "noroute" => OutboundFound::Refused(Refusal::NoRoute),
            "unknown" => OutboundFound::Unknown,
            _ => panic!("`{word} {rest}` is not a line of a script"),
        };
        assert!(!self.queries.is_empty(), "nothing is asked\n{}", self.text);
        let id = self.queries.remove(0);
        self.input(Input::Answer(id, Answer::Outbound(found)));
    }
}

fn flow(targets: &Value, strategy: &str) -> Value {
    let end = json!({ "kind": "hangup" });
    json!({
        "start": { "kind": "dial", "targets": targets, "strategy": strategy, "timeout": "20s",
            "next": "bye", "cancel_key": "*",
            "on": { "unreachable": "unreachable", "rejected": "rejected", "busy": "busy",
                "no_answer": "silent", "cancelled": "bye" } },
        "bye": end, "unreachable": end, "rejected": end, "busy": end, "silent": end })
}

/// A tenant with something to decide about numbers outside.
fn decides(steps: &Value) -> Arc<Program> {
    let mut program = Arc::unwrap_or_clone(program(&[("main", steps)]));
    program.settings.decides_outside = true;
    Arc::new(program)
}

fn line(targets: &Value, script: &str) -> Line {
    let mut line = Line::new(decides(&flow(targets, "in_turn")), Show::Moves);
    line.play_script(script);
    line
}

fn one() -> Value {
    json!([{ "number": "+49 30 1" }])
}

#[test]
fn a_number_waits_for_its_gateway_and_is_told_of_until_it_is_over() {
    let line = line(
        &one(),
        "via first 030 503\n bridged\n wait 60s\n talked NORMAL_CLEARING\n hangup NORMAL_CLEARING",
    );
    same(
        &line.text,
        r"
        0.000 ? gateway 1: +49301
        0.000 < via first 030 503
        0.000 (+49301 is called by the gateway first)
        0.000 ! dial 030 via cw-first +0s 20s
        0.000 < bridged
        0.000 ? leg 1 answered
        0.000 < wait 60s
        60.000 < talked NORMAL_CLEARING
        60.000 start: next -> bye (the conversation ended: NORMAL_CLEARING)
        60.000 ! Hangup(NormalClearing)
        60.000 ? leg 1 over after 1m
        60.000 < hangup NORMAL_CLEARING
        60.000 END Flow NORMAL_CLEARING: the flow hung up
        ",
    );
}

#[test]
fn the_next_gateway_carries_what_the_first_could_not_and_the_legs_are_one() {
    let mut line = line(&one(), "via first +49301 503");
    line.step("wait 2s");
    line.step("dialed NORMAL_TEMPORARY_FAILURE");
    line.step("via second 0301 503");
    line.step("bridged");
    line.play_script("wait 5s\n talked NORMAL_CLEARING\n hangup NORMAL_CLEARING");
    let text = &line.text;
    assert!(text.contains("does not carry the call: NORMAL_TEMPORARY_FAILURE"), "{text}");
    assert!(text.contains("? gateway 2: +49301, after cw-first instead of 1"), "{text}");
    // The time for it all is one.
    assert!(text.contains("! dial 0301 via cw-second +0s 18s"), "{text}");
    assert!(!text.contains("? leg 1"), "the first is replaced: {text}");
    assert!(text.contains("? leg 2 over after 5s"), "{text}");
    assert_eq!(line.record.unwrap().legs.len(), 2);
}

#[test]
fn a_conversation_may_last_as_long_as_minutes_are_left() {
    let line = line(&one(), "via first 1 for=90");
    assert!(line.text.contains("by the gateway first, for 1m30s at most"), "{}", line.text);
    assert!(line.text.contains("! dial 1 via cw-first for 1m30s +0s 20s"), "{}", line.text);
}

#[test]
fn who_calls_is_told_and_who_is_to_be_shown_is_shown() {
    let line = line(&one(), "via first 1 as=+4930100");
    assert!(line.text.contains("by the gateway first, showing +4930100"), "{}", line.text);
    assert!(
        line.text.contains("! dial 1 via cw-first as As { number: \"+4930100\""),
        "{}",
        line.text
    );
}

#[test]
fn busy_and_no_answer_and_a_gateway_without_a_next_one_end_the_dial() {
    for (cause, outcome) in [("USER_BUSY", "busy"), ("NO_ANSWER", "no_answer")] {
        let line = line(&one(), &format!("via first 1 503\n dialed {cause}"));
        assert!(line.text.contains(&format!("start: {outcome} -> ")), "{}", line.text);
        assert!(line.text.contains("? leg 1 over after 0s"), "{}", line.text);
    }
    let line = line(&one(), "via first 1\n dialed NORMAL_TEMPORARY_FAILURE");
    assert!(line.text.contains("start: unreachable -> unreachable"), "{}", line.text);
}

#[test]
fn a_code_that_is_told_decides_and_not_what_the_cause_may_stand_for() {
    let tried = |codes: &str, code: &str| {
        let script = format!("via first 1 {codes}\n dialed NORMAL_TEMPORARY_FAILURE {code}");
        line(&one(), &script).text.contains("? gateway 2")
    };
    assert!(tried("503", "code=503"));
    assert!(!tried("503", "code=500"));
    assert!(tried("500,503", "code=500"));
}

#[test]
fn nobody_is_called_once_more_when_the_time_is_over() {
    let line = line(&one(), "via first 1 503\n wait 19s\n dialed NORMAL_TEMPORARY_FAILURE");
    assert!(!line.text.contains("? gateway 2"), "{}", line.text);
    assert!(line.text.contains("start: unreachable"), "{}", line.text);
}

#[test]
fn a_refusal_is_told_and_leads_on_as_nobody_reached() {
    for (refusal, outcome, words) in [
        ("denied", "rejected", "not one that the tenant may call"),
        ("locked", "rejected", "the tenant's calls are locked: too many"),
        ("full", "unreachable", "every gateway has as many calls as it may have: a has 1"),
        ("noroute", "unreachable", "no route leads to the number"),
    ] {
        let line = line(&one(), refusal);
        assert!(!line.text.contains("! dial"), "{}", line.text);
        assert!(line.text.contains(&format!("start: {outcome} -> {outcome}")), "{}", line.text);
        assert!(line.text.contains(words), "{}", line.text);
        assert!(!line.text.contains("? leg"), "nothing was counted: {}", line.text);
    }
}

#[test]
fn of_several_at_once_those_ring_that_may_and_keep_their_places() {
    let targets = json!([{ "number": "1" }, { "extension": "200" }, { "number": "2" }]);
    let mut line = Line::new(decides(&flow(&targets, "all")), Show::Moves);
    line.play_script("denied\n via first 2");
    let dialed = line.text.lines().find(|line| line.contains("! dial")).unwrap().to_owned();
    assert!(dialed.ends_with("dial 200@t.example +0s 20s, 2 via cw-first +0s 20s"), "{dialed}");
    // The second of those that ring was the third target.
    line.step("talked NORMAL_CLEARING 2");
    assert!(line.text.contains("start: next"), "{}", line.text);
    line.step("hangup NORMAL_CLEARING");
    let answered = |leg: &LegRecord| leg.answered.is_some();
    let legs: Vec<_> = line.record.unwrap().legs.iter().map(answered).collect();
    assert_eq!(legs, [false, false, false, true], "{}", line.text);
}

#[test]
fn without_an_answer_the_first_gateway_or_the_named_one_is_taken() {
    let silent = line(&one(), "wait 5s");
    assert!(silent.text.contains("! dial +49301 via carrier"), "{}", silent.text);
    assert!(silent.text.contains("GUARD nobody said in time"), "{}", silent.text);
    let named = json!([{ "number": "1", "gateway": "carrier" }]);
    let unknown = line(&named, "unknown");
    assert!(unknown.text.contains("? gateway 1: 1 by carrier"), "{}", unknown.text);
    assert!(unknown.text.contains("! dial 1 via carrier"), "{}", unknown.text);
}

#[test]
fn a_dial_that_is_given_up_while_it_is_asked_about_is_never_made() {
    let mut line = line(&one(), "key *");
    assert!(!line.text.contains("CancelDial"), "{}", line.text);
    line.step("via first 1 503");
    assert!(!line.text.contains("! dial"), "{}", line.text);
    assert!(line.text.contains("? leg 1 over after 0s"), "{}", line.text);
    assert!(line.text.contains("start: cancelled -> bye"), "{}", line.text);
    let cancelled = self::line(&one(), "via first 1 503\n key *\n dialed NORMAL_TEMPORARY_FAILURE");
    assert!(!cancelled.text.contains("? gateway 2"), "{}", cancelled.text);
}

#[test]
fn a_caller_who_hangs_up_leaves_nothing_counted() {
    for script in ["", "via first 1 503", "via first 1 503\n bridged\n wait 3s"] {
        let line = line(&one(), &format!("{script}\n hangup ORIGINATOR_CANCEL caller"));
        assert!(line.text.contains("? leg 1 over after"), "{script}: {}", line.text);
    }
}

#[test]
fn another_process_knows_what_is_counted_and_counts_what_it_dials_again() {
    let mut line = line(&one(), "via first 1 503\n resume");
    assert!(line.text.contains("? leg 1 over after 0s"), "{}", line.text);
    line.step("via second 1");
    assert!(line.text.ends_with("! dial 1 via cw-second +0s 20s\n"), "{}", line.text);
    line.play_script("bridged\n wait 7s\n resume");
    let again = line.text.lines().filter(|line| line.contains("over after 7s")).count();
    assert_eq!(again, 1, "{}", line.text);
}

#[test]
fn a_consulted_number_is_called_by_the_next_gateway_when_the_first_fails() {
    let steps = json!({
        "start": { "kind": "dial", "targets": [{ "extension": "200" }], "next": "bye" },
        "bye": { "kind": "hangup" } });
    let mut line = Line::new(decides(&steps), Show::Moves);
    line.play_script(
        r#"bridged b-leg
        command {"consult": {"to": {"number": {"number": "+4930"}}}}
        return"#,
    );
    assert!(line.text.contains("? gateway"), "{}", line.text);
    assert!(line.called.is_empty(), "{}", line.text);
    line.step("via first 030 503");
    let third = line.called.last().unwrap().clone();
    line.step(&format!("far {third} hangup NORMAL_TEMPORARY_FAILURE"));
    line.step("via second 030");
    assert_eq!(line.called.len(), 1, "its name may not be free yet: {}", line.text);
    // FreeSWITCH says it twice.
    line.step(&format!("far {third} hangup NORMAL_TEMPORARY_FAILURE"));
    line.step("wait 500ms");
    assert_eq!(line.called, [third.clone(), third.clone()], "{}", line.text);
    line.step(&format!("far {third} parked"));
    assert!(line.text.contains("answered"), "{}", line.text);
}
