//! What holds of any reports: the order of records does not matter, parts merge to the whole, and
//! the figures agree with one another.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use uuid::Uuid;

use super::Tally;
use super::calls::{CallsFigures, CallsReport, CallsTally};
use super::flow::{FlowReport, FlowTally};
use super::period::{Bucket, Period};
use super::queue::{QueueFigures, QueueReport, QueueTally};
use crate::base::cause::{HangupCause, Party, Termination};
use crate::base::ids::{CallId, TenantId};
use crate::base::millis::Millis;
use crate::model::admission::{AsSent, Rule, TurnedAway};
use crate::model::record::{CallRecord, CameBy, LegRecord, LegRole, Visit};

const PARTIES: [Party; 4] = [Party::Caller, Party::Callee, Party::Flow, Party::Us];
const OUTCOMES: [&str; 6] = ["next", "1", "no_input", "too_long", "return", ""];

fn at(seconds: i64) -> Timestamp {
    let first: Timestamp = "2026-11-21T00:00:00Z".parse().unwrap();
    first + SignedDuration::from_secs(seconds)
}

/// From the second day to the fourth, as Berlin has them.
fn period() -> Period {
    let name = "Europe/Berlin";
    let zone = TimeZone::get(name).unwrap();
    let moments = ("2026-11-22".parse().ok(), "2026-11-25".parse().ok());
    Period::new(moments, at(0), (name, zone), Bucket::Day).unwrap()
}

type Seed = ((i64, i64, usize, u8), Vec<(u8, u8, u8, u16, Option<u16>)>, Vec<(u16, Option<u16>)>);

fn seeds() -> impl Strategy<Value = Vec<Seed>> {
    let visit = (0..3_u8, 0..4_u8, 0..6_u8, 0..500_u16, prop::option::of(0..200_u16));
    let leg = (0..300_u16, prop::option::of(0..300_u16));
    let call = (0..5 * 86_400_i64, 0..7_200_i64, 0..4_usize, any::<u8>());
    let one = (call, prop::collection::vec(visit, 0..8), prop::collection::vec(leg, 0..3));
    prop::collection::vec(one, 0..30)
}

fn visit(
    entered: Timestamp,
    (flow, step, outcome, took, answered): (u8, u8, u8, u16, Option<u16>),
) -> Visit {
    Visit {
        flow: format!("flow-{flow}").parse().unwrap(),
        step: format!("step-{step}").parse().unwrap(),
        entered,
        took_ms: u64::from(took) * 100,
        outcome: OUTCOMES[usize::from(outcome)].to_owned(),
        keys: String::new(),
        no_input: outcome % 3,
        invalid: step % 2,
        queue: (step == 3).then(|| "help".parse().unwrap()),
        answered_ms: answered.map(|tenths| u64::from(tenths.min(took)) * 100),
    }
}

fn record(number: usize, ((start, length, party, bits), path, legs): &Seed) -> CallRecord {
    let (started, ended) = (at(*start), at(start + length));
    let is = |bit: u8| bits >> bit & 1 == 1;
    let leg = |(after, answer): &(u16, Option<u16>)| LegRecord {
        channel: None,
        role: LegRole::Dialed,
        party: "201".into(),
        started: at(start + i64::from(*after)),
        answered: answer.map(|answer| at(start + i64::from(after + answer))),
        ended: is(0).then(|| at(start + i64::from(*after) + 300)),
        cause: None,
        held_ms: 0,
    };
    let turned = TurnedAway {
        rule: Rule::TenantCalls,
        block: None,
        reason: String::new(),
        instead: crate::model::admission::Instead::Flow("flow-0".parse().unwrap()),
    };
    CallRecord {
        call: CallId(Uuid::from_u128(number as u128)),
        tenant: TenantId(Uuid::nil()),
        flow: format!("flow-{}", bits % 2).parse().unwrap(),
        version: u32::from(bits % 3) + 1,
        caller_name: String::new(),
        caller_number: "+15550100".into(),
        dialed: "100".into(),
        started,
        answered: is(1).then_some(started),
        ended,
        legs: legs.iter().map(leg).collect(),
        path: path.iter().map(|seed| visit(started, *seed)).collect(),
        termination: Termination {
            party: PARTIES[*party],
            cause: HangupCause::NormalClearing,
            reason: String::new(),
        },
        versions: [("flow-2".parse().unwrap(), 7)].into(),
        came_by: CameBy {
            number: is(2).then(|| format!("+1{}", bits % 4)),
            gateway: is(3).then(|| "carrier".parse().unwrap()),
            placed: is(4) && is(5),
        },
        hands: 0,
        swept: false,
        recordings: Vec::new(),
        transfers: Vec::new(),
        turned_away: (is(6) && is(7)).then_some(turned),
        as_sent: AsSent::default(),
        variables: BTreeMap::new(),
    }
}

fn records(seeds: &[Seed]) -> Vec<CallRecord> {
    seeds.iter().enumerate().map(|(number, seed)| record(number, seed)).collect()
}

fn folded<'a, T: Tally>(mut tally: T, records: impl IntoIterator<Item = &'a CallRecord>) -> T {
    records.into_iter().for_each(|record| tally.add(record).unwrap());
    tally
}

struct All {
    calls: CallsTally,
    flow: FlowTally,
    queue: QueueTally,
}

fn all<'a>(records: impl IntoIterator<Item = &'a CallRecord> + Clone) -> All {
    let (flow, queue) = ("flow-0".parse().unwrap(), "help".parse().unwrap());
    let queue = QueueTally::new(queue, period(), Millis::seconds(5));
    All {
        calls: folded(CallsTally::new(period()), records.clone()),
        flow: folded(FlowTally::new(flow, None, period()), records.clone()),
        queue: folded(queue, records),
    }
}

fn told(all: All) -> (CallsReport, FlowReport, QueueReport) {
    (all.calls.report(), all.flow.report(), all.queue.report())
}

fn calls_agree(of: &CallsFigures) -> bool {
    let became = of.turned_away + of.by_person + of.by_flow + of.abandoned + of.unanswered;
    let ended = &of.ended_by;
    let ended =
        ended.caller + ended.callee + ended.carrier + ended.flow + ended.operator + ended.us;
    of.calls == of.offered + of.placed + of.continued
        && of.offered == became
        && of.calls == ended
        && of.turned_away == of.turned_away_by.values().sum::<u64>()
        && of.to_person.as_ref().map_or(0, |spread| spread.count) == of.by_person
}

fn queue_agrees(of: &QueueFigures) -> bool {
    let left = of.abandoned + of.timed_out + of.full + of.cancelled + of.other;
    let count = |spread: &Option<super::times::Spread>| spread.as_ref().map_or(0, |one| one.count);
    of.offered == of.answered + left
        && count(&of.to_answer) == of.answered
        && count(&of.to_leave) == left
        && of.answered_within <= of.answered
}

proptest! {
    #[test]
    fn the_order_of_records_does_not_matter(
        (seeds, order) in seeds().prop_flat_map(|seeds| {
            let order = Just((0..seeds.len()).collect::<Vec<_>>()).prop_shuffle();
            (Just(seeds), order)
        })
    ) {
        let records = records(&seeds);
        let shuffled: Vec<&CallRecord> = order.iter().map(|at| &records[*at]).collect();
        prop_assert_eq!(told(all(&records)), told(all(shuffled)));
    }

    #[test]
    fn parts_that_were_folded_apart_merge_to_the_whole(seeds in seeds(), cut in 0_usize..30) {
        let records = records(&seeds);
        let (first, second) = records.split_at(cut.min(records.len()));
        let (mut one, other) = (all(first), all(second));
        one.calls.merge(other.calls).unwrap();
        one.flow.merge(other.flow).unwrap();
        one.queue.merge(&other.queue);
        prop_assert_eq!(told(one), told(all(&records)));
    }

    #[test]
    fn figures_agree_with_one_another_and_with_those_of_the_parts(seeds in seeds()) {
        let (calls, flow, queue) = told(all(&records(&seeds)));
        prop_assert!(calls_agree(&calls.total), "{:?}", calls.total);
        for bucket in &calls.buckets {
            prop_assert!(calls_agree(&bucket.figures), "{bucket:?}");
        }
        let sum = |of: fn(&CallsFigures) -> u64| -> [u64; 4] {
            let parts = calls.buckets.iter().map(|one| of(&one.figures)).sum();
            let numbers = calls.numbers.iter().map(|one| of(&one.figures)).sum();
            let gateways = calls.gateways.iter().map(|one| of(&one.figures)).sum();
            [of(&calls.total), parts, numbers, gateways]
        };
        for of in [
            (|one| one.calls) as fn(&CallsFigures) -> u64, |one| one.by_person, |one| one.abandoned,
        ] {
            prop_assert!(sum(of).windows(2).all(|pair| pair[0] == pair[1]), "{:?}", sum(of));
        }
        let peaks = calls.buckets.iter().map(|one| one.figures.peak.calls).max();
        prop_assert_eq!(peaks, Some(calls.total.peak.calls));
        prop_assert!(queue_agrees(&queue.total), "{:?}", queue.total);
        for step in &flow.steps {
            let left: u64 = step.outcomes.iter().map(|one| one.count).sum();
            prop_assert_eq!(step.entered, left + step.hung_up + step.ended, "{}", step.step);
            prop_assert!(step.callers <= step.entered && step.callers <= flow.calls);
            prop_assert_eq!(step.time.as_ref().map(|time| time.count), Some(step.entered));
            let edges = flow.edges.iter().filter(|edge| edge.from == step.step);
            prop_assert!(edges.map(|edge| edge.count).sum::<u64>() <= left);
        }
        prop_assert_eq!(flow.versions.iter().map(|one| one.calls).sum::<u64>(), flow.calls);
        prop_assert_eq!(flow.buckets.iter().map(|one| one.calls).sum::<u64>(), flow.calls);
    }

    #[test]
    fn at_most_so_many_calls_are_up_at_once_as_a_naive_count_finds(seeds in seeds()) {
        let records = records(&seeds);
        let period = period();
        let found = folded(CallsTally::new(period.clone()), &records).report();
        let inside = |ms: i64| (period.from_ms()..period.until_ms()).contains(&ms);
        let moments = records.iter().map(|record| record.started.as_millisecond());
        let moments = moments.chain([period.from_ms()]).filter(|ms| inside(*ms));
        let up = |ms: i64| {
            let up = |record: &&CallRecord| {
                record.started.as_millisecond() <= ms && ms < record.ended.as_millisecond()
            };
            records.iter().filter(up).count() as u64
        };
        prop_assert_eq!(found.total.peak.calls, moments.clone().map(up).max().unwrap_or(0));
        if let Some(at) = found.total.peak.at {
            prop_assert_eq!(up(at.as_millisecond()), found.total.peak.calls);
            let earlier = moments.filter(|ms| *ms < at.as_millisecond());
            prop_assert!(earlier.map(up).all(|calls| calls < found.total.peak.calls));
        }
    }
}

fn path(steps: &[(&str, &str, &str)]) -> CallRecord {
    let seed: Seed = ((86_400, 60, 2, 0b10), Vec::new(), Vec::new());
    let visits = steps.iter().zip(0_i64..).map(|((flow, step, outcome), second)| Visit {
        flow: flow.parse().unwrap(),
        step: step.parse().unwrap(),
        entered: at(86_400 + second),
        took_ms: if *outcome == "nested" { 2_500 } else { 1_000 },
        outcome: outcome.replace("nested", "next"),
        ..visit(at(0), (0, 0, 0, 0, None))
    });
    CallRecord { path: visits.collect(), flow: "main".parse().unwrap(), ..record(1, &seed) }
}

fn ways(record: &CallRecord, flow: &str) -> Vec<String> {
    let report = folded(FlowTally::new(flow.parse().unwrap(), None, period()), [record]).report();
    let way = |edge: &super::flow::EdgeReport| format!("{} {}", edge.from, edge.to);
    report.edges.iter().map(way).collect()
}

#[test]
fn a_flow_that_another_calls_comes_back_and_both_go_their_own_ways() {
    let record = path(&[
        ("main", "ask", "1"),
        ("main", "call", "next"),
        ("sub", "tell", "next"),
        ("sub", "back", "return"),
        ("main", "call", "next"),
        ("sub", "tell", "next"),
        ("sub", "back", "return"),
        ("main", "bye", ""),
    ]);
    assert_eq!(ways(&record, "main"), ["ask call", "call bye", "call call"]);
    assert_eq!(ways(&record, "sub"), ["tell back"], "from its end nobody goes to its beginning");
}

#[test]
fn a_flow_that_calls_itself_does_not_go_to_its_own_first_step() {
    let record = path(&[
        ("main", "ask", "1"),
        ("main", "call", "nested"),
        ("main", "ask", "2"),
        ("main", "back", "return"),
        ("main", "bye", ""),
    ]);
    assert_eq!(ways(&record, "main"), ["ask back", "ask call", "call bye"]);
}

#[test]
fn only_the_version_that_is_asked_for_counts_also_of_a_flow_that_was_led_to() {
    let mut record = path(&[("main", "call", ""), ("sub", "tell", "")]);
    record.versions = [("sub".parse().unwrap(), 4)].into();
    let calls = |flow: &str, version: Option<u32>| {
        let tally = FlowTally::new(flow.parse().unwrap(), version, period());
        folded(tally, [&record]).report().calls
    };
    assert_eq!([calls("sub", None), calls("sub", Some(4)), calls("sub", Some(1))], [1, 1, 0]);
    assert_eq!([calls("main", Some(3)), calls("main", Some(4)), calls("none", None)], [1, 0, 0]);
}

#[test]
fn a_report_with_more_steps_than_anybody_reads_is_refused() {
    let mut tally = FlowTally::new("main".parse().unwrap(), None, period());
    let refused = (0..=super::flow::STEPS_MAX)
        .find_map(|number| tally.add(&path(&[("main", &format!("s{number}"), "")])).err());
    assert_eq!(refused.unwrap().what, "steps");
}
