//! Ten calls to a desk, played by the simulated switch, whose figures are counted by hand.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use callwright::base::ids::{CallId, FlowName, TenantId};
use callwright::driver::session::Settings;
use callwright::driver::simulate::{simulate, stage};
use callwright::esl::argument::Word;
use callwright::flow::parse_yaml;
use callwright::flow::program::Published;
use callwright::model::record::CallRecord;
use callwright::simulator::Script;
use callwright::store::{Config, Recorder, Settled, Signature, Store};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

const DESK: &str = "
callwright: 1
start: pick-up
fallback: bye
steps:
  pick-up: { kind: answer, next: greeting }
  greeting:
    kind: menu
    prompts: [welcome]
    choices: { '1': sales, '2': opening, '3': line }
    on: { too_many: bye }
  sales: { kind: dial, targets: [{ extension: '201' }], next: bye, on: { failed: bye } }
  opening: { kind: flow, flow: hours, next: greeting }
  line:
    kind: queue
    queue: help
    targets: [{ extension: '202' }]
    next: bye
    on: { failed: bye }
  bye: { kind: hangup }
";

const HOURS: &str = "
callwright: 1
start: tell
steps:
  tell: { kind: play, prompts: [opening-hours], next: back }
  back: { kind: return }
";

/// How many call so, and what they do.
const CALLERS: [(usize, &str); 7] = [
    (
        3,
        "far_ends: { '201': { answer: 1s, talk: 2s } }
steps: [{ hear: welcome }, { press: '1' }, { expect: { ended: {} } }]",
    ),
    (
        2,
        "steps: [{ hear: welcome }, { press: '2' }, { hear: opening-hours }, { hear: welcome },
  hangup]",
    ),
    (1, "patience: 2m\nsteps: [{ expect: { ended: {} } }]"),
    (
        1,
        "far_ends: { '201': no_answer }
patience: 2m
steps: [{ hear: welcome }, { press: '9' }, { hear: welcome }, { press: '1' },
  { expect: { ended: {} } }]",
    ),
    (1, "steps: [{ hear: welcome }, hangup]"),
    (
        1,
        "far_ends: { '202': { answer: 2s, talk: 3s } }
steps: [{ hear: welcome }, { press: '3' }, { expect: { ended: {} } }]",
    ),
    (
        1,
        "queue: { ahead: 5, each: 1h }
steps: [{ hear: welcome }, { press: '3' }, { wait: 10s }, hangup]",
    ),
];

/// The first call began then, each further one a minute later.
pub(crate) fn first() -> Timestamp {
    "2026-11-23T09:00:00Z".parse().unwrap()
}

fn flows() -> BTreeMap<FlowName, Arc<Published>> {
    let published = |name: &str, text: &str| {
        let name: FlowName = name.parse().unwrap();
        let flow = parse_yaml(text.as_bytes()).unwrap();
        (name.clone(), Arc::new(Published::new(name, 1, flow)))
    };
    [published("desk", DESK), published("hours", HOURS)].into()
}

/// The records that the machine makes of the calls.
pub(crate) fn records(tenant: TenantId) -> Vec<CallRecord> {
    let program = stage("desk".parse().unwrap(), flows());
    let settings = Settings::alone(Word::new("profile", "external").unwrap()).unwrap();
    let callers = CALLERS.iter().flat_map(|(times, script)| std::iter::repeat_n(script, *times));
    let call = |(number, script): (i64, &&str)| {
        let script = Script::from_yaml(&format!("dial: '100'\n{script}")).unwrap();
        let start = first() + SignedDuration::from_mins(number);
        let outcome = simulate(Arc::new(script), &Arc::new(program.clone()), &settings, start);
        let record = outcome.record.unwrap();
        CallRecord { tenant, call: CallId(Uuid::now_v7()), ..record }
    };
    (0..).zip(callers).map(call).collect()
}

/// Publishes the flows and writes the records.
pub(crate) async fn played(store: &Store, tenant: TenantId, spool: &Path) -> Vec<CallRecord> {
    let scope = store.tenant(tenant);
    for (name, published) in flows() {
        let document = serde_json::to_value(&published.flow).unwrap();
        let saved = scope.save_draft(&name, &document, "ada", None).await.unwrap();
        let by = Signature { author: "ada".into(), note: "first".into() };
        scope.publish(&name, saved.draft_revision, &by, |_| Ok(())).await.unwrap();
    }
    let records = records(tenant);
    written(store, spool, records.clone()).await;
    records
}

pub(crate) async fn written(store: &Store, spool: &Path, records: Vec<CallRecord>) {
    let config = Config { spool: spool.join("reported"), ..Config::default() };
    let recorder = Recorder::start(store, &config).unwrap();
    records.into_iter().for_each(|record| recorder.record(Box::new(record)));
    assert_eq!(recorder.settle(Duration::from_secs(60)).await, Settled::Written);
}
