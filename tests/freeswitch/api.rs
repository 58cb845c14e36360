//! The daemon's HTTP API, asked as a program of the operator's does.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::daemon::json;
use crate::scenes::Lab;

/// How long a new key may take to be known.
const KNOWN_MAX: Duration = Duration::from_secs(10);

pub(crate) struct Api {
    port: u16,
    key: String,
}

impl Api {
    /// With a new key of the operator's.
    pub(crate) fn operator(lab: &Lab) -> Self {
        let key = json(lab.folder(), &["api-key", "add", "scene", "--role", "operator"]);
        let key = key["secret"].as_str().unwrap().to_owned();
        Self { port: lab.switch.ports.api, key }
    }

    #[track_caller]
    pub(crate) fn put(&self, path: &str, body: &Value) -> Value {
        self.ask("PUT", path, &body.to_string())
    }

    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Value {
        self.ask("GET", path, "")
    }

    #[track_caller]
    fn ask(&self, method: &str, path: &str, body: &str) -> Value {
        let began = Instant::now();
        loop {
            let (status, answer) = self.send(method, path, body).expect("the API answers");
            if (200..300).contains(&status) {
                return serde_json::from_str(&answer).unwrap_or_default();
            }
            let waits = status == 401 && began.elapsed() < KNOWN_MAX;
            assert!(waits, "{method} {path}: {status} {answer}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn send(&self, method: &str, path: &str, body: &str) -> std::io::Result<(u16, String)> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        let head = format!(
            "{method} /v1/{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\
             Authorization: Bearer {}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n",
            self.key,
            body.len()
        );
        stream.write_all(format!("{head}{body}").as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let status = answer.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        Ok((status, body.to_owned()))
    }
}
