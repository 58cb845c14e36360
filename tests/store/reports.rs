//! Reports from records in the database, against figures that were counted by hand.

use callwright::base::cause::{HangupCause, Party, Termination};
use callwright::base::ids::TenantId;
use callwright::base::millis::Millis;
use callwright::model::admission::{Instead, Rule, TurnedAway};
use callwright::model::record::{CallRecord, CameBy, LegRecord, LegRole, Visit};
use callwright::model::report::flow::StepReport;
use callwright::model::report::period::Bucket;
use callwright::report::{self, When, Which};
use callwright::store::{Names, ReportFilter};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::bench::{Bench, call_id, on_both, record};
use crate::scenario;

fn when(from: &str, until: &str, bucket: Bucket) -> When {
    When { from: Some(from.parse().unwrap()), until: Some(until.parse().unwrap()), bucket }
}

fn day(bucket: Bucket) -> When {
    when("2026-11-23", "2026-11-24", bucket)
}

/// Whatever has no figures is as if it were not there.
fn same(found: &Value, expected: &Value, place: &str) {
    match (found, expected) {
        (Value::Object(found), Value::Object(expected)) => {
            for (name, expected) in expected {
                same(found.get(name).unwrap_or(&Value::Null), expected, &format!("{place}.{name}"));
            }
        }
        (Value::Array(found), Value::Array(expected)) => {
            assert_eq!(found.len(), expected.len(), "{place}: {found:#?}");
            for (at, (found, expected)) in found.iter().zip(expected).enumerate() {
                same(found, expected, &format!("{place}[{at}]"));
            }
        }
        (found, expected) => assert_eq!(found, expected, "{place}"),
    }
}

/// A step's counts: callers, entered, outcomes, hung up, ended.
fn counts(step: &StepReport) -> String {
    let outcomes = step.outcomes.iter().map(|one| format!("{} {}", one.outcome, one.count));
    let outcomes = outcomes.collect::<Vec<_>>().join(", ");
    let StepReport { step, callers, entered, hung_up, ended, .. } = step;
    format!("{step}: {callers}/{entered} [{outcomes}] {hung_up} {ended}")
}

async fn what_the_machine_wrote_of_ten_calls_is_what_a_hand_counts(bench: Bench) {
    let tenant = bench.tenant("acme").await.id;
    let scope = bench.store.tenant(tenant);
    let records = scenario::played(&bench.store, tenant, bench.folder.path()).await;
    let desk = "desk".parse().unwrap();
    let flow = report::flow(&scope, &desk, None, None, day(Bucket::Hour)).await.unwrap();
    let steps: Vec<String> = flow.steps.iter().map(counts).collect();
    assert_eq!(
        steps,
        [
            "bye: 6/6 [] 0 6",
            "greeting: 10/12 [1 4, 2 2, 3 2, no_input 1] 3 0",
            "line: 2/2 [next 1] 1 0",
            "opening: 2/2 [next 2] 0 0",
            "pick-up: 10/10 [next 10] 0 0",
            "sales: 4/4 [next 3, no_answer 1] 0 0",
        ]
    );
    assert_eq!((flow.calls, flow.hung_up, flow.hung_up_share, flow.cut), (10, 4, 0.4, 0));
    let greeting = &flow.steps[1];
    assert_eq!((greeting.no_input, greeting.invalid, greeting.invalid_share), (1, 1, 0.0833));
    let mut times: Vec<u64> = records
        .iter()
        .flat_map(|record| &record.path)
        .filter(|visit| visit.step.as_str() == "greeting")
        .map(|visit| visit.took_ms)
        .collect();
    times.sort_unstable();
    let spread = greeting.time.as_ref().unwrap();
    assert_eq!((spread.count, spread.longest_ms), (12, times[11]));
    assert!(spread.median_ms >= times[5] && spread.median_ms <= times[5] + times[5] / 100);
    let edges: Vec<String> = flow
        .edges
        .iter()
        .map(|edge| format!("{} {} {} {}", edge.from, edge.to, edge.callers, edge.share))
        .collect();
    assert_eq!(
        edges,
        [
            "greeting bye 1 0.1",
            "greeting line 2 0.2",
            "greeting opening 2 0.2",
            "greeting sales 4 0.4",
            "line bye 1 0.1",
            "opening greeting 2 0.2",
            "pick-up greeting 10 1",
            "sales bye 4 0.4",
        ]
    );
    assert_eq!(flow.buckets[9].calls, 10);

    let hours = "hours".parse().unwrap();
    let hours = report::flow(&scope, &hours, Some(1), None, day(Bucket::Day)).await.unwrap();
    let steps: Vec<String> = hours.steps.iter().map(counts).collect();
    assert_eq!(steps, ["back: 2/2 [return 2] 0 0", "tell: 2/2 [next 2] 0 0"]);
    assert_eq!((hours.calls, hours.versions[0].version), (2, Some(1)));
    let other = report::flow(&scope, &desk, Some(2), None, day(Bucket::Day)).await.unwrap();
    assert_eq!(other.calls, 0);

    let calls = report::calls(&scope, Which::default(), day(Bucket::Total)).await.unwrap().total;
    assert_eq!((calls.offered, calls.by_person, calls.by_flow, calls.abandoned), (10, 4, 5, 1));
    assert_eq!(calls.talk.unwrap().sum_ms, 3 * 2_000 + 3_000);
    let (help, within) = ("help".parse().unwrap(), Millis::seconds(20));
    let queue = report::queue(&scope, &help, within, day(Bucket::Total)).await.unwrap().total;
    assert_eq!((queue.offered, queue.answered, queue.abandoned, queue.other), (2, 1, 1, 0));
    assert_eq!((queue.service_level, queue.answered_within), (0.5, 1));
    let gave_up = records[9].path.last().unwrap();
    assert_eq!(queue.longest_wait_ms, gave_up.took_ms, "who waited ten seconds and hung up");
    assert!((9_000..=10_000).contains(&gave_up.took_ms));
}

fn clock(second: i64) -> Timestamp {
    let midnight: Timestamp = "2026-11-23T00:00:00Z".parse().unwrap();
    midnight + SignedDuration::from_secs(second)
}

/// A call that lasts so long, which somebody ended.
fn call(tenant: TenantId, from: i64, length: i64, party: Party) -> CallRecord {
    let termination =
        Termination { party, cause: HangupCause::NormalClearing, reason: String::new() };
    let (started, ended) = (clock(from), clock(from + length));
    CallRecord { started, ended, termination, ..*record(tenant, call_id(), 0) }
}

/// Somebody was called after so long, and after so long answered.
fn leg(call: &mut CallRecord, after: i64, answered: Option<i64>) {
    let start = call.started;
    let later = |seconds: i64| start + SignedDuration::from_secs(seconds);
    call.legs.push(LegRecord {
        channel: None,
        role: LegRole::Dialed,
        party: "201".into(),
        started: later(after),
        answered: answered.map(later),
        ended: Some(call.ended),
        cause: None,
        held_ms: 0,
    });
}

fn waited(call: &mut CallRecord, took: u64, answered: Option<u64>, outcome: &str) {
    call.path.push(Visit {
        flow: "main".parse().unwrap(),
        step: "line".parse().unwrap(),
        entered: call.started,
        took_ms: took * 1_000,
        outcome: outcome.to_owned(),
        keys: String::new(),
        no_input: 0,
        invalid: 0,
        queue: Some("my_line".parse().unwrap()),
        answered_ms: answered.map(|seconds| seconds * 1_000),
    });
}

/// Eight calls on a morning, and two at other times.
fn morning(tenant: TenantId) -> Vec<CallRecord> {
    let mut spoke = call(tenant, 3_600, 120, Party::Callee);
    spoke.answered = Some(spoke.started);
    leg(&mut spoke, 5, Some(10));
    leg(&mut spoke, 50, Some(60));
    waited(&mut spoke, 120, Some(10), "next");
    spoke.came_by.number = Some("+49301".into());
    let mut late = call(tenant, 3_630, 100, Party::Caller);
    leg(&mut late, 5, Some(40));
    waited(&mut late, 100, Some(40), "");
    let mut gave_up = call(tenant, 3_700, 30, Party::Caller);
    gave_up.answered = Some(gave_up.started);
    waited(&mut gave_up, 30, None, "");
    gave_up.came_by.gateway = Some("carrier".parse().unwrap());
    let mut rang = call(tenant, 7_200, 15, Party::Caller);
    leg(&mut rang, 1, None);
    let mut too_long = call(tenant, 7_300, 65, Party::Flow);
    too_long.answered = Some(too_long.started);
    waited(&mut too_long, 60, None, "too_long");
    let mut refused = call(tenant, 7_400, 1, Party::Us);
    refused.turned_away = Some(TurnedAway {
        rule: Rule::NumberCalls,
        block: None,
        reason: String::new(),
        instead: Instead::Flow("main".parse().unwrap()),
    });
    refused.answered = Some(refused.started);
    let mut placed = call(tenant, 7_500, 10, Party::Callee);
    placed.came_by = CameBy { placed: true, ..CameBy::default() };
    placed.answered = Some(placed.started);
    let declined = call(tenant, 7_600, 1, Party::Flow);
    // Up at midnight, and after the day.
    let before = call(tenant, -60, 90, Party::Caller);
    let after = call(tenant, 86_400, 10, Party::Caller);
    vec![spoke, late, gave_up, rang, too_long, refused, placed, declined, before, after]
}

async fn each_figure_of_a_morning_is_the_one_that_a_hand_counts(bench: Bench) {
    let tenant = bench.tenant("acme").await.id;
    let scope = bench.store.tenant(tenant);
    scenario::written(&bench.store, bench.folder.path(), morning(tenant)).await;
    let report = report::calls(&scope, Which::default(), day(Bucket::Hour)).await.unwrap();
    let found = serde_json::to_value(&report).unwrap();
    let total = json!({
        "calls": 8, "offered": 7, "placed": 1, "placed_answered": 1, "continued": 0,
        "turned_away": 1, "turned_away_by": { "number_calls": 1 }, "by_person": 2, "by_flow": 1,
        "abandoned": 2, "unanswered": 1, "answered_share": 0.4286, "by_person_share": 0.2857,
        "abandoned_share": 0.2857,
        "to_answer": { "count": 4, "sum_ms": 40_000, "mean_ms": 10_000, "median_ms": 0 },
        "to_person": { "count": 2, "sum_ms": 50_000, "mean_ms": 25_000, "longest_ms": 40_000 },
        // From 10 to 120 s, the third from 60 s on meanwhile; and from 40 to 100 s.
        "talk": { "count": 2, "sum_ms": 170_000, "longest_ms": 110_000 },
        "ended_by": { "caller": 3, "callee": 2, "flow": 2, "us": 1, "carrier": 0, "operator": 0 },
        "peak": { "calls": 3, "at": "2026-11-23T01:01:40Z" },
    });
    same(&found["total"], &total, "total");
    assert_eq!(found["buckets"].as_array().unwrap().len(), 24);
    let quiet = json!({ "calls": 0, "peak": { "calls": 1, "at": "2026-11-23T00:00:00Z" } });
    same(&found["buckets"][0], &quiet, "the call of the day before");
    let second = json!({ "local": "2026-11-23T01:00", "calls": 3, "by_person": 2, "abandoned": 1,
        "peak": { "calls": 3, "at": "2026-11-23T01:01:40Z" } });
    same(&found["buckets"][1], &second, "buckets[1]");
    same(&found["buckets"][3], &json!({ "calls": 0, "to_answer": null }), "buckets[3]");
    let numbers = json!([{ "number": null, "calls": 7 },
        { "number": "+49301", "calls": 1, "by_person": 1, "peak": { "calls": 1 } }]);
    same(&found["numbers"], &numbers, "numbers");
    let gateways = json!([{ "gateway": null, "calls": 7 },
        { "gateway": "carrier", "calls": 1, "abandoned": 1 }]);
    same(&found["gateways"], &gateways, "gateways");

    let line = "my_line".parse().unwrap();
    let queue = report::queue(&scope, &line, Millis::seconds(20), day(Bucket::Total)).await;
    let found = serde_json::to_value(queue.unwrap().total).unwrap();
    let expected = json!({
        "offered": 4, "answered": 2, "abandoned": 1, "timed_out": 1, "full": 0, "cancelled": 0,
        "other": 0, "answered_within": 1, "abandoned_within": 0, "service_level": 0.25,
        "answered_share": 0.5, "to_answer": { "count": 2, "mean_ms": 25_000 },
        "to_leave": { "count": 2, "sum_ms": 90_000 }, "talk": { "sum_ms": 170_000 },
        "longest_wait_ms": 60_000, "longest_wait_from": "2026-11-23T02:01:40Z",
    });
    same(&found, &expected, "queue");
    let other = "my-line".parse().unwrap();
    let other = report::queue(&scope, &other, Millis(0), day(Bucket::Total)).await.unwrap();
    assert_eq!(other.total.offered, 0, "`_` is no wildcard");
}

async fn a_report_reads_pages_and_nothing_of_another_tenant(bench: Bench) {
    let (tenant, other) = (bench.tenant("acme").await.id, bench.tenant("other").await.id);
    let scope = bench.store.tenant(tenant);
    let calls: Vec<CallRecord> =
        (0..450).map(|second| call(tenant, second, 30, Party::Caller)).collect();
    scenario::written(&bench.store, bench.folder.path(), calls).await;
    let report = report::calls(&scope, Which::default(), day(Bucket::Total)).await.unwrap();
    assert_eq!((report.total.calls, report.total.peak.calls), (450, 30));
    let nothing = bench.store.tenant(other);
    let nothing = report::calls(&nothing, Which::default(), day(Bucket::Total)).await.unwrap();
    assert_eq!((nothing.total.calls, nothing.total.peak.calls), (0, 0));
    let only = Which { number: Some("+15550199".into()), version: Some(3), ..Which::default() };
    let only = report::calls(&scope, only, day(Bucket::Total)).await.unwrap();
    assert_eq!(only.total.calls, 450, "by the dialed number and the version");
    let caller = Which { number: Some("+15550100".into()), ..Which::default() };
    let caller = report::calls(&scope, caller, day(Bucket::Total)).await.unwrap();
    assert_eq!(caller.total.calls, 0, "nothing is told of a caller's number");

    // A page looks at as many rows whatever is wanted of them, and all of them are looked at once.
    let names = Some(Names::Flow("elsewhere".parse().unwrap()));
    let until_ms = i64::MAX;
    let filter = ReportFilter { names, until_ms, ..ReportFilter::default() };
    let (mut pages, mut after) = (0, None);
    loop {
        let page = scope.report_page(&filter, after).await.unwrap();
        assert!(page.records.is_empty());
        pages += 1;
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(pages, 3);
    assert_eq!(scope.records_between(0, i64::MAX, 100).await.unwrap(), 100);
}

on_both! {
    what_the_machine_wrote_of_ten_calls_is_what_a_hand_counts,
    each_figure_of_a_morning_is_the_one_that_a_hand_counts,
    a_report_reads_pages_and_nothing_of_another_tenant,
}
