//! Calls that are not let in: blocked callers, and calls beyond a limit.

use std::sync::Arc;

use callwright::base::cause::RejectReason;
use callwright::base::ids::BlockId;
use callwright::call::Call;
use callwright::call::admission::{AdmitFound, Screening};
use callwright::call::arrival::{Arrival, Via};
use callwright::call::input::{Answer, Input};
use callwright::flow::program::Program;
use callwright::model::admission::{
    AsSent, BlockMatch, BlockedCaller, CallLimit, CallLimits, Instead, LimitOn, Measure, Over,
    Rule, TurnedAway,
};
use callwright::model::record::CallRecord;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::support::{Line, Show, arrival, program, start};

fn steps(prompt: &str) -> Value {
    json!({
        "start": { "kind": "play", "prompts": [prompt], "next": "bye" },
        "bye": { "kind": "hangup" },
    })
}

fn flow() -> Arc<Program> {
    program(&[("main", &steps("welcome"))])
}

/// A flow that is not reached from the first.
fn busy() -> Arc<Program> {
    program(&[("busy", &steps("sorry"))])
}

/// What another process finds: a call keeps both.
fn whole() -> Arc<Program> {
    program(&[("main", &steps("welcome")), ("busy", &steps("sorry"))])
}

fn limit(instead: Option<Instead>) -> CallLimit {
    let limits = CallLimits { calls: Some(10), calls_per_second: Some(3), instead };
    CallLimit { on: LimitOn::Number("+15550199".into()), limits }
}

fn limited(instead: Option<Instead>) -> Screening {
    let flows = instead.iter().filter_map(|instead| Some((instead.flow()?.clone(), busy())));
    let flows = flows.collect();
    Screening { limits: vec![limit(instead)], flows, ..Screening::default() }
}

fn blocked(instead: Instead) -> Screening {
    let blocked = BlockedCaller {
        id: BlockId(uuid::Uuid::from_u128(7)),
        caller: BlockMatch::Exact("+15550100".into()),
        instead,
        note: String::new(),
        created: Timestamp::UNIX_EPOCH,
    };
    let flows = blocked.instead.flow().map(|flow| (flow.clone(), busy()));
    let flows = flows.into_iter().collect();
    let turned_away = Some(TurnedAway::blocked(&blocked));
    Screening { turned_away, flows, ..Screening::default() }
}

fn begin(screening: Screening) -> Line {
    let call = Call::begin_screened(arrival(), flow(), screening, start());
    Line::of(call, whole(), Show::Moves, false)
}

fn answer(line: &mut Line, found: AdmitFound) {
    let id = line.queries.remove(0);
    line.input(Input::Answer(id, Answer::Admit(found)));
}

fn over(measure: Measure) -> AdmitFound {
    AdmitFound::Over(Over { limit: 0, measure })
}

fn record(line: &Line) -> &CallRecord {
    line.record.as_ref().unwrap_or_else(|| panic!("no record:\n{}", line.text))
}

#[test]
fn a_blocked_caller_is_declined_before_an_answer_and_the_record_says_by_what() {
    let mut line = begin(blocked(Instead::Decline(RejectReason::Declined)));
    assert_eq!(line.orders(), ["Reject(Declined)"]);
    line.step("hangup CALL_REJECTED switch");
    let record = record(&line);
    assert!(record.answered.is_none() && record.path.is_empty(), "{record:?}");
    assert_eq!(record.termination.cause.name(), "CALL_REJECTED");
    let turned = record.turned_away.as_ref().unwrap();
    let block = Some(BlockId(uuid::Uuid::from_u128(7)));
    assert_eq!((turned.rule, turned.block), (Rule::BlockedCaller, block));
    assert_eq!(turned.reason, record.termination.reason);
}

#[test]
fn a_blocked_caller_may_have_a_flow_of_its_own() {
    let mut line = begin(blocked(Instead::Flow("busy".parse().unwrap())));
    assert_eq!(line.orders(), ["play sorry"]);
    line.change_hands();
    assert_eq!(line.orders().last().map(String::as_str), Some("play sorry"));
    line.play_script("done\n hangup NORMAL_CLEARING switch");
    let record = record(&line);
    assert_eq!((record.flow.as_str(), record.path[0].flow.as_str()), ("main", "busy"));
    assert_eq!(record.turned_away.as_ref().unwrap().rule, Rule::BlockedCaller);
}

#[test]
fn nothing_is_heard_of_a_call_before_it_is_let_in() {
    let mut line = begin(limited(None));
    assert!(line.orders().is_empty(), "{}", line.text);
    answer(&mut line, AdmitFound::Admitted);
    assert_eq!(line.orders(), ["play welcome"]);
    line.play_script("done\n hangup NORMAL_CLEARING switch");
    assert_eq!(record(&line).turned_away, None);
}

#[test]
fn a_call_too_many_is_busy_and_one_too_soon_is_congestion() {
    for (measure, order, rule) in [
        (Measure::Calls, "Reject(Busy)", Rule::NumberCalls),
        (Measure::CallsPerSecond, "Reject(Congestion)", Rule::NumberCallsPerSecond),
    ] {
        let mut line = begin(limited(None));
        answer(&mut line, over(measure));
        assert_eq!(line.orders(), [order]);
        line.step("hangup USER_BUSY switch");
        let record = record(&line);
        assert_eq!(record.turned_away.as_ref().unwrap().rule, rule);
        assert!(record.termination.reason.contains("+15550199"), "{record:?}");
    }
    let mut line = begin(limited(Some(Instead::Flow("busy".parse().unwrap()))));
    answer(&mut line, over(Measure::Calls));
    assert_eq!(line.orders(), ["play sorry"]);
}

#[test]
fn a_flow_that_is_not_there_for_a_call_too_many_declines_it() {
    let mut screening = limited(Some(Instead::Flow("busy".parse().unwrap())));
    screening.flows.clear();
    let mut line = begin(screening);
    answer(&mut line, over(Measure::Calls));
    assert_eq!(line.orders(), ["Reject(Busy)"]);
}

#[test]
fn a_call_is_let_in_where_nobody_says_whether_it_may() {
    let mut line = begin(limited(None));
    line.step("wait 3s");
    assert_eq!(line.orders(), ["play welcome"]);
}

#[test]
fn whoever_hangs_up_before_being_let_in_has_a_record_all_the_same() {
    let mut line = begin(limited(None));
    line.step("hangup ORIGINATOR_CANCEL caller");
    let record = record(&line);
    assert_eq!((record.path.len(), &record.turned_away), (0, &None));
    assert_eq!(record.termination.cause.name(), "ORIGINATOR_CANCEL");
}

#[test]
fn an_operator_can_end_a_call_that_waits_to_be_let_in() {
    let mut line = begin(limited(None));
    line.step("operator NORMAL_CLEARING");
    answer(&mut line, AdmitFound::Admitted);
    assert_eq!(line.orders(), ["Hangup(NormalClearing)"], "{}", line.text);
}

#[test]
fn another_process_asks_anew_whether_a_call_is_let_in() {
    let mut line = begin(limited(None));
    line.change_hands();
    assert!(line.orders().is_empty(), "{}", line.text);
    answer(&mut line, over(Measure::Calls));
    assert_eq!(line.orders(), ["Reject(Busy)"]);
}

#[test]
fn a_record_has_the_numbers_as_they_are_read_and_as_they_came() {
    let sent = AsSent { caller_number: Some("0155500100".into()), dialed: None };
    let via = Via { sent: sent.clone(), ..Via::default() };
    let arrival = Arrival { via, ..arrival() };
    let call = Call::begin_screened(arrival, flow(), Screening::default(), start());
    let mut line = Line::of(call, flow(), Show::Moves, true);
    line.step("hangup NORMAL_CLEARING caller");
    assert_eq!(record(&line).as_sent, sent);
    assert_eq!(record(&line).caller_number, "+15550100");
}
