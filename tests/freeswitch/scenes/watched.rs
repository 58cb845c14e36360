//! Calls watched from outside: figures and traces.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread::sleep;
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::trace::v1::Span;

use super::Lab;
use crate::daemon::{self, TENANT};
use crate::phone::Phone;

/// How long a call's trace may take to be sent.
const TRACED_MAX: Duration = Duration::from_secs(30);

/// The spans of one call that asked another system, once all of them were sent.
fn traced(lab: &Lab) -> Vec<Span> {
    let began = Instant::now();
    loop {
        let all = lab.stub.spans();
        let asked = all.iter().filter(|span| span.name == "GET");
        let whole = |trace: &[u8]| {
            let own = all.iter().filter(|span| span.trace_id == trace).cloned();
            let own: Vec<_> = own.collect();
            own.iter().any(|span| span.parent_span_id.is_empty()).then_some(own)
        };
        if let Some(own) = asked.map(|span| &span.trace_id).find_map(|trace| whole(trace)) {
            return own;
        }
        assert!(began.elapsed() < TRACED_MAX, "no call of {} spans is whole", all.len());
        sleep(Duration::from_millis(100));
    }
}

pub(super) fn a_call_is_one_tree_of_its_steps_orders_and_requests(lab: &Lab) {
    let phone = Phone::call(lab, "4106");
    phone.hears(1_000.0);
    assert_eq!(phone.ends(), "NORMAL_CLEARING");
    let spans = traced(lab);
    let ids: BTreeSet<_> = spans.iter().map(|span| &span.span_id).collect();
    let root: Vec<_> = spans.iter().filter(|span| span.parent_span_id.is_empty()).collect();
    assert_eq!((root.len(), root[0].name.as_str()), (1, "call"));
    let inside = spans.iter().filter(|span| !span.parent_span_id.is_empty());
    assert!(inside.clone().all(|span| ids.contains(&span.parent_span_id)), "{spans:?}");
    let parent = |of: &Span| spans.iter().find(|span| span.span_id == of.parent_span_id);
    let within = |name: &str| {
        let own = inside.clone().filter(|span| span.name == name);
        own.filter_map(parent).map(|parent| parent.name.clone()).collect::<Vec<_>>()
    };
    assert!(within("GET").iter().all(|parent| parent.starts_with("step ")), "{spans:?}");
    let played = within("play");
    assert!(!played.is_empty() && played.iter().all(|parent| parent.starts_with("step ")));
}

/// The sum of a figure over its labels.
fn sum(text: &str, name: &str) -> f64 {
    let own = text.lines().filter_map(|line| line.strip_prefix(name));
    let own = own.filter(|rest| rest.starts_with([' ', '{']));
    own.map(|rest| rest.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
}

pub(super) fn figures_are_those_of_the_calls(lab: &Lab) {
    let status = daemon::json(lab.folder(), &["status"]);
    let mut stream = TcpStream::connect(status["health"].as_str().unwrap()).unwrap();
    let request = "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let calls = daemon::json(lab.folder(), &["calls", "--tenant", TENANT, "--limit", "500"]);
    let recorded = calls["items"].as_array().map_or(0, Vec::len);
    let ended = sum(&text, "callwright_calls_ended_total");
    assert!(recorded > 0, "{calls}");
    assert!((ended - recorded as f64).abs() < 0.5, "{ended} ended, {recorded} are written down");
    for name in [
        "callwright_event_socket_round_trip_seconds_count",
        "callwright_event_socket_lag_seconds_count",
        "callwright_step_duration_seconds_count",
    ] {
        assert!(sum(&text, name) >= ended, "{name}: {text}");
    }
}
