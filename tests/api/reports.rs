//! Reports over HTTP: as JSON, as tables, and on the flow's drawing.

use callwright::model::access::Role;
use reqwest::StatusCode;
use roxmltree::{Document, Node};
use serde_json::json;

use crate::client::{Answer, Asker, Place};
use crate::scenario;

const REPORTS: &str = "/v1/tenants/acme/reports";
const DAY: &str = "from=2026-11-23&until=2026-11-24";

async fn played() -> (Place, Asker) {
    let place = Place::new().await;
    let tenant = place.tenant("acme").await;
    scenario::played(&place.store, tenant, place.folder.path()).await;
    let reader = place.asker(Some(tenant), Role::Reader).await;
    (place, reader)
}

async fn text(reader: &Asker, path: &str, kind: &str) -> String {
    let answer = reader.get(&format!("{REPORTS}/{path}")).await;
    assert_eq!((answer.status, answer.header("content-type")), (StatusCode::OK, Some(kind)));
    String::from_utf8(answer.bytes).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_has_figures_as_json_and_as_tables_and_no_callers_number() {
    let (place, reader) = played().await;
    let get = async |path: &str| -> Answer {
        let answer = reader.get(&format!("{REPORTS}/{path}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {answer:?}");
        answer
    };
    let flow = get(&format!("flows/desk?{DAY}&bucket=hour")).await;
    assert_eq!((&flow.body["calls"], &flow.body["timezone"]), (&json!(10), &json!("UTC")));
    assert_eq!(flow.body["buckets"].as_array().unwrap().len(), 24);
    let calls = get(&format!("calls?{DAY}&flow=desk")).await;
    assert_eq!(calls.body["total"]["by_person"], 4);
    let queue = get(&format!("queues/help?{DAY}&within=5s")).await;
    assert_eq!((&queue.body["within"], &queue.body["total"]["offered"]), (&json!("5s"), &json!(2)));

    let steps = text(&reader, &format!("flows/desk/steps.csv?{DAY}"), "text/csv").await;
    assert!(steps.contains("\r\ngreeting,10,1,12,3,0.25,0,1,0.0833,1,0.0833,"), "{steps}");
    let outcomes = text(&reader, &format!("flows/desk/outcomes.csv?{DAY}"), "text/csv").await;
    assert!(outcomes.contains("\r\ngreeting,1,4,0.3333\r\n"), "{outcomes}");
    let edges = text(&reader, &format!("flows/desk/edges.csv?{DAY}"), "text/csv").await;
    assert!(edges.contains("\r\nsales,bye,4,4,0.4,next no_answer\r\n"), "{edges}");
    let table = text(&reader, &format!("calls.csv?{DAY}&bucket=day"), "text/csv").await;
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), 3, "{table}");
    let columns = |line: &str| line.split(',').count();
    assert!(lines.iter().all(|line| columns(line) == columns(lines[0])), "{table}");
    assert!(lines[2].contains(",2026-11-23T00:00,10,10,0,0,0,0,4,5,1,0,0.9,0.4,0.1,"), "{table}");
    let lines = text(&reader, &format!("queues/help/figures.csv?{DAY}"), "text/csv").await;
    assert!(lines.contains(",total,2,1,1,0,0,0,0,0.5,0.5,1,1,0.5,"), "{lines}");
    for told in [&flow.bytes, &calls.bytes, &queue.bytes] {
        assert!(!String::from_utf8_lossy(told).contains("15550123"), "the caller's number");
    }
    place.end().await;
}

fn figures<'a>(drawing: &'a Document<'_>, title: &str) -> [&'a str; 3] {
    let of = |node: &Node<'_, '_>| {
        let first = node.first_element_child().and_then(|child| child.text());
        node.attribute("data-share").is_some() && first.is_some_and(|text| text.starts_with(title))
    };
    let node = drawing.descendants().find(of).unwrap_or_else(|| panic!("no {title}"));
    ["data-callers", "data-share", "data-count"].map(|name| node.attribute(name).unwrap_or("-"))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_drawing_says_how_many_took_each_way_and_how_long_each_step_took() {
    let (place, reader) = played().await;
    let path = format!("flows/desk/heat.svg?{DAY}");
    let svg = text(&reader, &path, "image/svg+xml").await;
    let report = reader.get(&format!("{REPORTS}/flows/desk?{DAY}&version=1")).await.body;
    let drawing = Document::parse(&svg).unwrap();
    for edge in report["edges"].as_array().unwrap() {
        let ends = format!("{} → {}", edge["from"].as_str().unwrap(), edge["to"].as_str().unwrap());
        let [callers, share, count] = figures(&drawing, &ends);
        assert_eq!(callers, edge["callers"].to_string(), "{ends}");
        assert_eq!(share.parse::<f64>().unwrap(), edge["share"].as_f64().unwrap(), "{ends}");
        assert_eq!(count, edge["count"].to_string(), "{ends}");
    }
    let words: Vec<&str> = drawing.descendants().filter_map(|node| node.text()).collect();
    for step in report["steps"].as_array().unwrap() {
        let id = format!("step-{}", step["step"].as_str().unwrap());
        let node = drawing.descendants().find(|node| node.attribute("id") == Some(&id)).unwrap();
        let told = |name: &str| node.attribute(name).unwrap().to_owned();
        assert_eq!(told("data-callers"), step["callers"].to_string(), "{id}");
        assert_eq!(told("data-hung-up"), step["hung_up"].to_string(), "{id}");
        assert_eq!(told("data-median-ms"), step["time"]["median_ms"].to_string(), "{id}");
    }
    for shown in ["100 %", "40 %", "10 callers · 100 %", "3 hung up here · 25 %"] {
        assert!(words.contains(&shown), "{shown} in {words:?}");
    }
    let about = words.iter().find(|text| text.starts_with("Version 1, which is live")).unwrap();
    assert!(about.contains("2026-11-23 00:00 to 2026-11-24 00:00 (UTC)"), "{about}");
    let root = drawing.root_element();
    let child = |name: &str| root.children().find(|node| node.has_tag_name(name)).unwrap().text();
    assert_eq!(child("title"), Some("desk"));
    assert!(child("desc").unwrap().contains("Busiest ways: pick-up to greeting 100 %"));
    place.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_reported_is_refused_with_its_reason() {
    let (place, reader) = played().await;
    let refused = async |path: &str| {
        let answer = reader.get(&format!("{REPORTS}/{path}")).await;
        (answer.status, answer.body["detail"].as_str().unwrap_or_default().to_owned())
    };
    let unprocessable = StatusCode::UNPROCESSABLE_ENTITY;
    let (status, why) = refused("calls?from=2024-01-01&until=2026-01-01").await;
    assert_eq!((status, why.contains("400 days")), (unprocessable, true), "{why}");
    let (status, why) = refused("calls?from=2026-01-01&until=2026-06-01&bucket=hour").await;
    assert_eq!((status, why.contains("1010 parts")), (unprocessable, true), "{why}");
    let (status, why) = refused("calls?from=2026-01-02&until=2026-01-01").await;
    assert_eq!((status, why.contains("after it begins")), (unprocessable, true), "{why}");
    assert_eq!(refused("calls?from=yesterday").await.0, StatusCode::BAD_REQUEST);
    assert_eq!(refused("flows/gone").await.0, StatusCode::NOT_FOUND);
    assert_eq!(refused("flows/desk/heat.svg?version=9").await.0, StatusCode::NOT_FOUND);
    place.end().await;
}
