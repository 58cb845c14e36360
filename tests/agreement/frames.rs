//! Takes what a switch sent apart, independently of the code under test, and says what matters of
//! it.

/// Headers, decoded, and body.
#[derive(Debug, Clone, Default)]
pub(crate) struct Frame {
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Frame {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }
}

pub(crate) fn frames(mut bytes: &[u8]) -> Vec<Frame> {
    let mut frames = Vec::new();
    while let Some(end) = bytes.windows(2).position(|two| two == b"\n\n") {
        let mut frame = Frame { headers: headers(&bytes[..end]), body: Vec::new() };
        let length = frame.header("Content-Length").map_or(0, |n| n.parse().unwrap());
        frame.body = bytes[end + 2..end + 2 + length].to_vec();
        bytes = &bytes[end + 2 + length..];
        frames.push(frame);
    }
    assert!(bytes.is_empty(), "an unfinished frame: {}", String::from_utf8_lossy(bytes));
    frames
}

pub(crate) fn headers(block: &[u8]) -> Vec<(String, String)> {
    let text = String::from_utf8_lossy(block);
    let lines = text.split('\n').filter_map(|line| line.split_once(": "));
    lines.map(|(name, value)| (name.to_owned(), decoded(value))).collect()
}

fn decoded(value: &str) -> String {
    let mut out = Vec::new();
    let mut rest = value.as_bytes();
    while let Some((byte, tail)) = rest.split_first() {
        let hex = tail.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match (byte, hex.and_then(|hex| u8::from_str_radix(hex, 16).ok())) {
            (b'%', Some(plain)) => {
                out.push(plain);
                rest = &tail[2..];
            }
            _ => {
                out.push(*byte);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// What a frame says: reply, event with application, response, cause and states, or notice.
pub(crate) fn tell(frame: &Frame) -> String {
    let text = match frame.header("Content-Type") {
        Some("command/reply") => format!("reply {}", frame.header("Reply-Text").unwrap_or("")),
        Some("api/response") => {
            let body = String::from_utf8_lossy(&frame.body);
            let long = body.starts_with("UP ") || body.starts_with("Event-Name: ");
            format!("api {}", if long { body.split(' ').next().unwrap_or("") } else { &body })
        }
        Some("text/disconnect-notice") => {
            format!("notice {}", frame.header("Content-Disposition").unwrap_or(""))
        }
        Some("text/event-plain") => event(frame),
        other => format!("frame {other:?}"),
    };
    without_identities(text.trim_end())
}

fn event(frame: &Frame) -> String {
    let inner = Frame { headers: headers(&frame.body), body: Vec::new() };
    let mut text = inner.header("Event-Name").unwrap_or("?").to_owned();
    for name in [
        "Application",
        "Application-Data",
        "Application-Response",
        "Application-UUID",
        "Hangup-Cause",
        "DTMF-Digit",
        "Playback-Status",
        "Record-File-Path",
        "Job-Command",
        "Channel-State",
        "Channel-Call-State",
        "Answer-State",
    ] {
        if let Some(value) = inner.header(name) {
            let value: String = value.chars().take(40).collect();
            text.push_str(&format!(" {value}"));
        }
    }
    text
}

fn without_identities(text: &str) -> String {
    let pattern = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}";
    regex::Regex::new(pattern).unwrap().replace_all(text, "~").into_owned()
}
