//! Other systems: an http server that a flow asks (`/vip` knows the caller, `/late` as well but not
//! at once, `/slow` takes too long, everything else is out of order), and a collector of traces.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

/// Longer than the flow's time-out of 4 s.
const SLOW: Duration = Duration::from_secs(6);
/// Shorter than that.
const LATE: Duration = Duration::from_secs(3);
/// Where traces are sent to.
pub(crate) const TRACES: &str = "/v1/traces";

pub(crate) struct Stub {
    pub(crate) port: u16,
    spans: Arc<Mutex<Vec<Span>>>,
}

impl Stub {
    /// Serves until the test ends.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let spans = Arc::default();
        let told = Arc::clone(&spans);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let told = Arc::clone(&told);
                // A client that goes away is none of our business.
                std::thread::spawn(move || drop(answer(stream, &told)));
            }
        });
        Self { port, spans }
    }

    /// All that was traced.
    pub(crate) fn spans(&self) -> Vec<Span> {
        self.spans.lock().unwrap().clone()
    }
}

fn collect(sent: &[u8], told: &Mutex<Vec<Span>>) {
    let traced = ExportTraceServiceRequest::decode(sent).unwrap();
    let scopes = traced.resource_spans.into_iter().flat_map(|of| of.scope_spans);
    told.lock().unwrap().extend(scopes.flat_map(|of| of.spans));
}

fn answer(stream: TcpStream, told: &Mutex<Vec<Span>>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut request = String::new();
    reader.read_line(&mut request)?;
    let (mut line, mut length) = (String::new(), 0);
    while reader.read_line(&mut line)? > 2 {
        let (name, value) = line.split_once(':').unwrap_or_default();
        if name.eq_ignore_ascii_case("content-length") {
            length = value.trim().parse().unwrap_or(0);
        }
        line.clear();
    }
    let mut sent = vec![0; length];
    reader.read_exact(&mut sent)?;
    let path = request.split(' ').nth(1);
    match path {
        Some("/slow") => std::thread::sleep(SLOW),
        Some("/late") => std::thread::sleep(LATE),
        Some(TRACES) => collect(&sent, told),
        _ => {}
    }
    let (status, body) = match path {
        Some("/vip" | "/late") => ("200 OK", r#"{"customer":{"vip":true}}"#),
        Some(TRACES) => ("200 OK", ""),
        _ => ("500 Internal Server Error", "{}"),
    };
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\n");
    let rest = format!("Content-Length: {length}\r\nConnection: close\r\n\r\n{body}");
    reader.get_mut().write_all(format!("{head}{rest}").as_bytes())
}
