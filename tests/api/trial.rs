//! Flows before they are live, and calls that are over.

use callwright::base::cause::{HangupCause, Party, Termination};
use callwright::base::ids::{CallId, TenantId};
use callwright::model::access::Role;
use callwright::model::admission::AsSent;
use callwright::model::record::{CallRecord, CameBy};
use callwright::store::{Config, Recorder, Settled};
use jiff::Timestamp;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::client::{Asker, Place};

const FLOWS: &str = "/v1/tenants/acme/flows/main";

fn flow(choice: &str) -> Value {
    json!({
        "callwright": 1, "start": "pick-up",
        "steps": {
            "pick-up": { "kind": "answer", "next": "main" },
            "main": {
                "kind": "menu", "prompts": ["welcome"], "choices": { (choice): "bye" },
                "on": { "too_many": "bye" },
            },
            "bye": { "kind": "hangup" },
        },
    })
}

async fn admin(place: &Place) -> (TenantId, Asker) {
    let tenant = place.tenant("acme").await;
    place
        .store
        .tenant(tenant)
        .put_prompt(&"welcome".parse().unwrap(), "/p/welcome.wav", None)
        .await
        .unwrap();
    (tenant, place.asker(Some(tenant), Role::Admin).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_change_is_shown_before_it_is_published() {
    let place = Place::new().await;
    let (_, admin) = admin(&place).await;
    let draft = format!("{FLOWS}/draft");
    admin.put(&draft, &json!({ "document": flow("1") })).await;
    let diff = format!("{FLOWS}/diff");
    let none = admin.get(&diff).await;
    assert_eq!(none.status, StatusCode::NOT_FOUND, "nothing is live: {none:?}");
    let live = admin.post(&format!("{FLOWS}/publish"), &json!({ "revision": 1 })).await;
    assert_eq!(live.status, StatusCode::OK, "{live:?}");
    assert_eq!(admin.get(&diff).await.body["changes"], json!([]));
    admin.put(&draft, &json!({ "document": flow("2"), "revision": 1 })).await;
    let changes = admin.get(&diff).await.body["changes"].clone();
    let paths: Vec<_> = changes.as_array().unwrap().iter().map(|one| &one["path"]).collect();
    assert_eq!(paths, ["steps.main.choices.1", "steps.main.choices.2"], "{changes}");
    let same = admin.get(&format!("{diff}?from=1&to=live")).await;
    assert_eq!(same.body["changes"], json!([]), "{same:?}");
    let wrong = admin.get(&format!("{diff}?from=yesterday")).await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST, "{wrong:?}");
    assert_eq!(admin.get(&format!("{diff}?from=9")).await.status, StatusCode::NOT_FOUND);
    place.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flow_is_tried_with_a_callers_script_before_anybody_calls() {
    let place = Place::new().await;
    let (_, admin) = admin(&place).await;
    let path = "/v1/tenants/acme/flow-simulate";
    let script = |key: &str| {
        json!({ "dial": "100", "steps": [
            { "hear": "welcome" }, { "press": key }, { "expect": { "ended": {} } },
        ] })
    };
    let trial = json!({ "flow": "main", "document": flow("1"), "script": script("1") });
    let good = admin.post(path, &trial).await;
    assert_eq!((good.status, &good.body["passed"]), (StatusCode::OK, &json!(true)), "{good:?}");
    let steps = good.body["record"]["path"].as_array().unwrap();
    let steps: Vec<_> = steps.iter().map(|visit| &visit["step"]).collect();
    assert_eq!(steps, ["pick-up", "main", "bye"]);
    let no_draft = admin.post(path, &json!({ "flow": "main", "script": script("1") })).await;
    assert_eq!(no_draft.status, StatusCode::NOT_FOUND, "{no_draft:?}");
    let wrong = json!({ "flow": "main", "document": flow("1"), "script": { "dials": "100" } });
    let wrong = admin.post(path, &wrong).await;
    assert_eq!(
        (wrong.status, &wrong.body["field"]),
        (StatusCode::UNPROCESSABLE_ENTITY, &json!("script"))
    );
    place.end().await;
}

fn record(tenant: TenantId, number: usize) -> CallRecord {
    let began: Timestamp = "2026-11-23T09:00:00Z".parse().unwrap();
    let at = |seconds: usize| began + std::time::Duration::from_secs(seconds as u64);
    let cause =
        if number.is_multiple_of(2) { HangupCause::NormalClearing } else { HangupCause::UserBusy };
    CallRecord {
        call: CallId(Uuid::now_v7()),
        tenant,
        flow: "main".parse().unwrap(),
        version: 1,
        caller_name: "Ada".into(),
        caller_number: if number == 0 { "=1+1".into() } else { format!("+1555{number:04}") },
        dialed: "100".into(),
        started: at(number),
        answered: None,
        ended: at(number + 5),
        legs: Vec::new(),
        path: Vec::new(),
        termination: Termination { party: Party::Caller, cause, reason: String::new() },
        versions: std::collections::BTreeMap::default(),
        came_by: CameBy::default(),
        hands: 0,
        swept: false,
        recordings: Vec::new(),
        transfers: Vec::new(),
        turned_away: None,
        as_sent: AsSent::default(),
        variables: std::collections::BTreeMap::default(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_found_by_what_is_known_of_them_and_exported_whole() {
    const CALLS: usize = 450;
    let place = Place::new().await;
    let (tenant, admin) = admin(&place).await;
    let config = Config { spool: place.folder.path().join("calls"), ..Config::default() };
    let recorder = Recorder::start(&place.store, &config).unwrap();
    for number in 0..CALLS {
        recorder.record(Box::new(record(tenant, number)));
    }
    let soon = std::time::Duration::from_secs(20);
    assert_eq!(recorder.settle(soon).await, Settled::Written);
    let records = "/v1/tenants/acme/records";
    let found = async |query: &str| {
        let answer = admin.get(&format!("{records}?limit=500&{query}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{query}: {answer:?}");
        answer.body["items"].as_array().unwrap().len()
    };
    assert_eq!(found("").await, CALLS);
    assert_eq!(found("cause=USER_BUSY").await, CALLS / 2);
    assert_eq!(found("number=%2B15550007").await, 1);
    assert_eq!(found("number=100").await, CALLS, "the dialed number, too");
    assert_eq!(found("from=2026-11-23T09:00:10Z&to=2026-11-23T09:00:20Z").await, 10);
    assert_eq!(found("flow=other").await + found("ended_by=flow").await, 0);

    let csv = admin.raw(Method::GET, &format!("{records}.csv"), &[], Vec::new()).await;
    assert_eq!((csv.status, csv.header("content-type")), (StatusCode::OK, Some("text/csv")));
    let text = String::from_utf8(csv.bytes).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), CALLS + 1);
    assert!(lines[0].starts_with("call,started,ended,seconds,caller,"));
    assert!(
        lines[CALLS]
            .contains(",2026-11-23T09:00:00Z,2026-11-23T09:00:05Z,5.000,'=1+1,100,main,1,caller,"),
        "{}",
        lines[CALLS]
    );

    let path = format!("{records}.jsonl?cause=USER_BUSY");
    let jsonl = admin.raw(Method::GET, &path, &[], Vec::new()).await;
    let text = String::from_utf8(jsonl.bytes).unwrap();
    let all: Vec<CallRecord> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(all.len(), CALLS / 2);
    assert!(all.iter().all(|one| one.caller_name == "Ada"));
    place.end().await;
}
