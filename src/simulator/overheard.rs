//! An event as somebody gets it who listens to all channels over a connection of their own.

use serde_json::{Map, Value};

use super::encode::percent;

/// One event: its headers, and its body where there is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overheard {
    headers: Vec<(String, String)>,
    body: Option<String>,
}

impl Overheard {
    /// An event of this name.
    pub fn new(name: &str, headers: &[(&str, &str)], body: Option<String>) -> Self {
        let own = [("Event-Name", name)];
        let all = own.iter().chain(headers);
        let headers = all.map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        Self { headers, body }
    }

    /// What [`super::Channel::overheard`] gives; none where it is no event.
    pub fn read(json: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(json);
        let read: Map<String, Value> = serde_json::from_str(&text).ok()?;
        let mut own = Self { headers: Vec::new(), body: None };
        for (name, value) in read {
            let Value::String(value) = value else { continue };
            if name == "_body" {
                own.body = Some(value);
            } else {
                own.headers.push((name, value));
            }
        }
        Some(own)
    }

    /// A header, whatever the case of its name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(own, _)| own.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// Whether a filter lets it pass: a header and its value, or `/^…/` for how that begins
    /// (`mod_event_socket.c` event_handler).
    pub fn passes(&self, header: &str, rule: &str) -> bool {
        let Some(value) = self.header(header) else { return false };
        match rule.strip_prefix("/^").and_then(|rule| rule.strip_suffix('/')) {
            Some(start) => value.starts_with(start),
            None => value.eq_ignore_ascii_case(rule),
        }
    }

    /// The bytes of a `text/event-plain` frame.
    pub fn plain(&self) -> Vec<u8> {
        let mut event = Vec::new();
        for (name, value) in &self.headers {
            event.extend_from_slice(name.as_bytes());
            event.extend_from_slice(b": ");
            percent(value.as_bytes(), &mut event);
            event.push(b'\n');
        }
        if let Some(body) = &self.body {
            event.extend_from_slice(format!("Content-Length: {}\n", body.len()).as_bytes());
        }
        event.push(b'\n');
        event.extend_from_slice(self.body.as_deref().unwrap_or_default().as_bytes());
        let head = format!("Content-Length: {}\nContent-Type: text/event-plain\n\n", event.len());
        [head.into_bytes(), event].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_written_with_its_values_encoded_and_its_body_as_it_is() {
        let json = br#"{"Event-Name":"BACKGROUND_JOB","Job-UUID":"7","x":"a: b","_body":"+OK\n"}"#;
        let event = Overheard::read(json).unwrap();
        let text = String::from_utf8(event.plain()).unwrap();
        assert!(text.contains("\nx: a%3A%20b\n") && text.ends_with("Content-Length: 4\n\n+OK\n"));
        assert!(event.passes("job-uuid", "7") && event.passes("Job-UUID", "/^7/"));
        assert!(!event.passes("Job-UUID", "/^8/") && !event.passes("Unique-ID", "7"));
        assert_eq!(Overheard::read(b"[]"), None);
    }
}
