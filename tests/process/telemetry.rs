//! A daemon watched from outside: the figures that Prometheus reads, and a call's trace at an
//! OpenTelemetry collector, over a request that the call made to another system.

use std::collections::BTreeMap;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::{get, post};
use axum::{Json, Router};
use callwright::driver::call::Clock;
use callwright::driver::dialer::place as dial;
use callwright::simulator::{Script, Verdict};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use serde_json::json;

use crate::daemon::{Place, eventually};

const FLOW: &str = "
callwright: 1
start: pick-up
steps:
  pick-up: { kind: answer, next: look-up }
  look-up:
    kind: http
    url: 'http://OUTSIDE/customer'
    into: { name: /name }
    next: greet
    on: { failed: greet }
  greet:
    kind: menu
    prompts: [welcome]
    choices: { '1': bye }
    on: { too_many: bye }
  bye: { kind: hangup }
";

/// What another system and a collector were sent.
#[derive(Default)]
struct Seen {
    parents: Vec<String>,
    /// Spans, with the names of what they are about.
    spans: Vec<Span>,
    authorized: bool,
}

type Shared = Arc<Mutex<Seen>>;

async fn outside(seen: Shared) -> SocketAddr {
    let customer = async |State(seen): State<Shared>, headers: HeaderMap| {
        let parent = headers["traceparent"].to_str().unwrap().to_owned();
        seen.lock().unwrap().parents.push(parent);
        Json(json!({ "name": "Ann" }))
    };
    let traces = async |State(seen): State<Shared>, headers: HeaderMap, body: Bytes| {
        let request = ExportTraceServiceRequest::decode(body).unwrap();
        let mut seen = seen.lock().unwrap();
        seen.authorized = headers["authorization"] == "Bearer t0ken";
        let scopes = request.resource_spans.into_iter().flat_map(|of| of.scope_spans);
        seen.spans.extend(scopes.flat_map(|of| of.spans));
    };
    let router = Router::new()
        .route("/customer", get(customer))
        .route("/v1/traces", post(traces))
        .with_state(seen);
    let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

fn place(outside: SocketAddr) -> Place {
    let place = Place::new(&format!(
        "[http]\nallow_private = [\"127.0.0.0/8\"]\n[health]\nlisten = \"127.0.0.1:0\"\n[api]\n\
         listen = \"127.0.0.1:0\"\n[traces]\nendpoint = \"http://{outside}/v1/traces\"\n\
         headers = {{ authorization = \"Bearer t0ken\" }}"
    ));
    let flow = FLOW.replace("OUTSIDE", &outside.to_string());
    fs::write(place.path().join("main.yaml"), flow).unwrap();
    for line in [
        "tenant add acme",
        "prompt add welcome /prompts/welcome.wav --tenant acme",
        "flow push main main.yaml --tenant acme",
        "flow publish main --tenant acme",
        "number add 100 main --tenant acme",
    ] {
        place.type_line(line);
    }
    place
}

async fn call(address: SocketAddr) {
    let script = "dial: '100'\nsteps: [{ hear: welcome }, { press: '1' }]\n";
    let script = Arc::new(Script::from_yaml(script).unwrap());
    let uuid = uuid::Uuid::now_v7().to_string();
    assert_eq!(dial(script, &uuid, address, Clock::start()).await.unwrap(), Verdict::Passed);
}

async fn read(url: String) -> String {
    let answer = reqwest::get(url).await.unwrap();
    assert!(answer.status().is_success());
    answer.text().await.unwrap()
}

/// Samples by name and labels, as they stand in the text.
fn samples(text: &str) -> BTreeMap<&str, f64> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.rsplit_once(' ').unwrap()).map(|(k, v)| (k, v.parse().unwrap())).collect()
}

/// What `promtool check metrics` asks of names: every figure is explained, counters and only they
/// end in `_total`, and units are basic ones.
fn lint(text: &str) {
    let kinds = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let mut known = Vec::new();
    for (name, kind) in kinds.map(|line| line.split_once(' ').unwrap()) {
        let help = format!("# HELP {name} ");
        let said = text.lines().find_map(|line| line.strip_prefix(&help)).unwrap_or_default();
        assert!(said.len() > 5 && said.ends_with('.'), "{name} is not explained: {said}");
        assert_eq!(kind == "counter", name.ends_with("_total"), "{name} is a {kind}");
        assert!(!name.contains("_ms") && !name.contains("milli"), "{name}");
        assert!(!known.contains(&name), "{name} stands there twice");
        known.push(name);
    }
    assert!(known.len() > 20, "{known:?}");
    let mut promtool = Command::new("promtool");
    let checking = promtool.args(["check", "metrics"]).stdin(Stdio::piped()).spawn();
    // Where Prometheus is installed.
    if let Ok(mut checking) = checking {
        std::io::Write::write_all(&mut checking.stdin.take().unwrap(), text.as_bytes()).unwrap();
        assert!(checking.wait().unwrap().success(), "promtool finds fault");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_shows_its_figures_and_each_call_as_one_tree_of_spans() {
    drop(rustls::crypto::ring::default_provider().install_default());
    let seen = Shared::default();
    let outside = outside(Arc::clone(&seen)).await;
    let place = place(outside);
    let key = place.type_line("api-key add wall --role reader --tenant acme");
    let key = key.split_whitespace().find(|word| word.starts_with("cw_")).unwrap();
    let running = place.start("serve");
    let address = place.address(&running);
    let at = |name: &str| eventually(&running, || Some(place.status()?[name].as_str()?.to_owned()));
    let (health, api) = (at("health"), at("api"));
    call(address).await;
    call(address).await;
    let listed = reqwest::Client::new().get(format!("http://{api}/v1/tenants/acme/calls"));
    assert!(listed.bearer_auth(key).send().await.unwrap().status().is_success());

    let text = read(format!("http://{health}/metrics")).await;
    lint(&text);
    let figures = samples(&text);
    let ended = r#"callwright_calls_ended_total{ended_by="flow",outcome="answered",tenant="acme"}"#;
    assert_eq!(figures.get(ended), Some(&2.0), "{text}");
    assert_eq!(figures["callwright_calls_begun_total"], 2.0);
    let menus = r#"callwright_step_duration_seconds_count{kind="menu"}"#;
    assert_eq!(figures[menus], 2.0);
    assert!(figures["callwright_event_socket_round_trip_seconds_count"] >= 2.0);
    let asked = concat!(
        "callwright_api_requests_total{method=\"GET\",",
        "route=\"/v1/tenants/{tenant}/calls\",status=\"200\"}",
    );
    assert_eq!(figures.get(asked), Some(&1.0), "{text}");

    let spans = eventually(&running, || {
        let spans = seen.lock().unwrap().spans.clone();
        (spans.iter().filter(|span| span.parent_span_id.is_empty()).count() == 2).then_some(spans)
    });
    let seen = seen.lock().unwrap();
    assert!(seen.authorized);
    for root in spans.iter().filter(|span| span.parent_span_id.is_empty()) {
        is_a_whole_tree(root, &spans, &seen.parents);
    }
    let told = format!("{spans:?}");
    assert!(!told.contains("Ann"), "what was answered is nobody's business");
}

fn is_a_whole_tree(root: &Span, spans: &[Span], parents: &[String]) {
    let own: Vec<_> = spans.iter().filter(|span| span.trace_id == root.trace_id).collect();
    let ids: BTreeMap<_, _> = own.iter().map(|span| (&span.span_id, *span)).collect();
    assert_eq!(ids.len(), own.len(), "no two spans have one id");
    let within = |parent: &Span| {
        own.iter().filter(|span| span.parent_span_id == parent.span_id).copied().collect::<Vec<_>>()
    };
    let names = |spans: &[&Span]| {
        let mut named: Vec<_> =
            spans.iter().map(|span| (span.start_time_unix_nano, &span.name)).collect();
        named.sort();
        named.into_iter().map(|(_, name)| name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(root.name, "call");
    let steps = within(root);
    assert_eq!(names(&steps), ["step pick-up", "step look-up", "step greet", "step bye"]);
    let step = |name: &str| *steps.iter().find(|step| step.name == name).unwrap();
    assert_eq!(names(&within(step("step look-up"))), ["GET"]);
    assert!(names(&within(step("step greet"))).contains(&"play".to_owned()));
    for span in &own {
        assert!(span.start_time_unix_nano <= span.end_time_unix_nano, "{span:?}");
        let parent = ids.get(&span.parent_span_id);
        assert!(parent.is_some() || span.span_id == root.span_id, "{span:?} hangs in the air");
        if let Some(parent) = parent {
            assert!(parent.start_time_unix_nano <= span.start_time_unix_nano, "{span:?}");
        }
    }
    // The other system goes on below the request that we made to it.
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let asked = within(step("step look-up"))[0];
    let parent = format!("00-{}-{}-01", hex(&asked.trace_id), hex(&asked.span_id));
    assert!(parents.contains(&parent), "{parents:?} have no {parent}");
}
