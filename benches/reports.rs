//! What a report costs: folding records that are in memory, and reading them from SQLite.
//!
//! `cargo bench --bench reports`. Ten kinds of calls to a desk, as `tests/store/scenario.rs` plays
//! them, over and over.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a bench reports to a person and may give up"
)]

use std::time::{Duration, Instant};

use callwright::base::ids::{CallId, TenantId};
use callwright::base::millis::Millis;
use callwright::flow::schedule::zone;
use callwright::model::record::CallRecord;
use callwright::model::report::Tally;
use callwright::model::report::calls::CallsTally;
use callwright::model::report::flow::FlowTally;
use callwright::model::report::period::{Bucket, Period};
use callwright::model::report::queue::QueueTally;
use callwright::report::{self, When, Which};
use callwright::store::{Config, Database, NewTenant, Store};
use jiff::SignedDuration;
use uuid::Uuid;

#[path = "../tests/store/scenario.rs"]
mod scenario;

/// Records that are folded, and those that are read.
const FOLDED: usize = 1_000_000;
const READ: usize = 100_000;
/// Written at once.
const BATCH: usize = 5_000;
/// Between the beginnings of two calls.
const APART: SignedDuration = SignedDuration::from_millis(200);

fn when() -> When {
    When { from: "2026-11-23".parse().ok(), until: "2026-12-23".parse().ok(), bucket: Bucket::Day }
}

/// The same calls again, each later than the one before.
fn again(kinds: &[CallRecord], number: usize) -> CallRecord {
    let kind = &kinds[number % kinds.len()];
    let started = scenario::first() + APART * i32::try_from(number).unwrap();
    let length = kind.ended.duration_since(kind.started);
    let call = CallId(Uuid::from_u128(number as u128));
    CallRecord { call, started, ended: started + length, ..kind.clone() }
}

fn folded(name: &str, mut tally: impl Tally, kinds: &[CallRecord]) {
    let mut records: Vec<CallRecord> = (0..kinds.len()).map(|at| again(kinds, at)).collect();
    let step = APART * i32::try_from(kinds.len()).unwrap();
    let began = Instant::now();
    for _ in 0..FOLDED / records.len() {
        for record in &mut records {
            tally.add(record).unwrap();
            (record.started, record.ended) = (record.started + step, record.ended + step);
        }
    }
    told(&format!("fold {FOLDED} records, {name}"), began.elapsed(), FOLDED);
}

#[allow(clippy::cast_precision_loss, reason = "a figure for a person")]
fn told(what: &str, took: Duration, records: usize) {
    let each = took.as_secs_f64() * 1e6 / records as f64;
    println!("{what}: {:.2} s, {each:.2} µs each", took.as_secs_f64());
}

async fn filled(folder: &std::path::Path, kinds: &[CallRecord]) -> (Store, TenantId) {
    let database = Database::Sqlite(folder.join("bench.db"));
    let store = Store::open(&Config { database, ..Config::default() }).await.unwrap();
    let new = NewTenant::named("acme".parse().unwrap());
    let tenant = store.operator().create_tenant(&new).await.unwrap().id;
    scenario::played(&store, tenant, folder).await;
    let began = Instant::now();
    for batch in 0..READ / BATCH {
        let numbers = batch * BATCH..(batch + 1) * BATCH;
        let records = numbers.map(|number| CallRecord { tenant, ..again(kinds, number) });
        scenario::written(&store, folder, records.collect()).await;
    }
    told(&format!("write {READ} records"), began.elapsed(), READ);
    (store, tenant)
}

#[tokio::main]
async fn main() {
    let kinds = scenario::records(TenantId(Uuid::nil()));
    let json: usize = kinds.iter().map(|kind| serde_json::to_string(kind).unwrap().len()).sum();
    println!("a record has {} bytes of JSON", json / kinds.len());
    let ends = (when().from, when().until);
    let zone = ("Europe/Berlin", zone("Europe/Berlin").unwrap());
    let period = || Period::new(ends, scenario::first(), zone.clone(), Bucket::Day).unwrap();
    let (flow, queue) = ("desk".parse().unwrap(), "help".parse().unwrap());
    folded("calls", CallsTally::new(period()), &kinds);
    folded("flow", FlowTally::new(flow, None, period()), &kinds);
    folded("queue", QueueTally::new(queue, period(), Millis::seconds(20)), &kinds);

    let folder = tempfile::tempdir().unwrap();
    let (store, tenant) = filled(folder.path(), &kinds).await;
    let scope = store.tenant(tenant);
    let began = Instant::now();
    let calls = report::calls(&scope, Which::default(), when()).await.unwrap();
    told(&format!("read and report {} calls", calls.total.calls), began.elapsed(), READ);
    let began = Instant::now();
    let desk = report::flow(&scope, &"desk".parse().unwrap(), None, None, when()).await.unwrap();
    told(&format!("read and report a flow's {} calls", desk.calls), began.elapsed(), READ);
    let began = Instant::now();
    let help = &"help".parse().unwrap();
    let help = report::queue(&scope, help, Millis::seconds(20), when()).await.unwrap();
    told(&format!("read and report a queue's {}", help.total.offered), began.elapsed(), READ);
}
