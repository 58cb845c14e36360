//! The Event Socket connection of one call, as mod_event_socket.c keeps it: what it is subscribed
//! to, what waits to be sent, whether it lingers.

use std::collections::BTreeSet;

use super::encode::Headers;
use super::events::Names;
use super::wire::Inbox;

/// The listener sleeps this long between looks at its event queue (mod_event_socket.c,
/// `switch_poll`).
pub const EVENT_POLL_MS: u64 = 20;
/// The controller must have sent its first command by then, on a clock of whole seconds.
pub const FIRST_COMMAND_S: i64 = 25;
/// Bytes that may wait unsent before commands are no longer read, as when a send blocks.
pub const MAX_OUT: usize = 1024 * 1024;
/// Bytes of events that may wait between two looks; more are lost, as beyond 100,000 events.
pub const MAX_PENDING: usize = 16 * 1024 * 1024;
/// Bytes of commands that may wait unread before the connection is dropped.
pub const MAX_INBOX: usize = 20 * 1024 * 1024;
/// Filters and event subclasses of one connection.
pub(super) const MAX_FILTERS: usize = 256;

const GOODBYE: &str = "Disconnected, goodbye.\nSee you at ClueCon! http://www.cluecon.com/\n";

#[derive(Debug)]
pub(super) struct Link {
    pub(super) inbox: Inbox,
    out: Vec<u8>,
    pub(super) is_async: bool,
    pub(super) full: bool,
    pub(super) open: bool,
    /// `connect` has come: the call may run.
    pub(super) connected: bool,
    pub(super) seen_command: bool,
    first_by: i64,
    pub(super) listening: bool,
    pub(super) my_events: bool,
    pub(super) names: Names,
    pub(super) subclasses: BTreeSet<Vec<u8>>,
    pub(super) json: bool,
    pub(super) filters: Vec<(Vec<u8>, Vec<u8>)>,
    pending: Vec<u8>,
    /// When the listener looks at its queue next; `None` while there is nothing to see.
    look_at: Option<u64>,
    anchor: u64,
    /// An `api` call that takes time keeps the listener from everything else.
    pub(super) blocked: Option<(u64, Vec<u8>)>,
    /// Without `async`: an application runs, and its reply is due when it is over.
    pub(super) in_application: bool,
    pub(super) resume: bool,
    /// Seconds to stay after the hang-up; negative: until the controller leaves.
    pub(super) linger: Option<i64>,
    /// The hang-up was noticed; then, the second after which the connection ends.
    pub(super) lingering: Option<Option<i64>>,
}

impl Link {
    pub(super) fn new(is_async: bool, full: bool, now_ms: u64, second: i64) -> Self {
        Self {
            inbox: Inbox::default(),
            out: Vec::new(),
            is_async,
            full,
            open: true,
            connected: false,
            seen_command: false,
            first_by: second + FIRST_COMMAND_S,
            listening: false,
            my_events: false,
            names: Names::default(),
            subclasses: BTreeSet::new(),
            json: false,
            filters: Vec::new(),
            pending: Vec::new(),
            look_at: None,
            anchor: now_ms,
            blocked: None,
            in_application: false,
            resume: false,
            linger: None,
            lingering: None,
        }
    }

    pub(super) fn wants(&self, event: &str) -> bool {
        self.open && self.listening && !self.names.is_empty() && self.names.contains(event)
    }

    /// The order of the rules matters: a negative one ends the search (mod_event_socket.c,
    /// `event_handler`).
    pub(super) fn passes(&self, headers: &Headers) -> bool {
        let mut send = self.filters.is_empty();
        for ((_, rule), value) in self.filters.iter().zip(headers.watched()) {
            let Some(value) = value else { continue };
            let signs = rule.iter().take_while(|b| b"+- ".contains(b)).count();
            let (signs, wanted) = rule.split_at(signs);
            let positive = signs.iter().rfind(|b| **b != b' ') != Some(&b'-');
            if send && positive {
                continue;
            }
            if matches(value, rule, wanted) {
                send = positive;
                if !positive {
                    break;
                }
            }
        }
        send
    }

    pub(super) fn queue_event(&mut self, event: &[u8], now_ms: u64) {
        if self.pending.len() + event.len() > MAX_PENDING {
            return;
        }
        let form = if self.json { "json" } else { "plain" };
        let head = format!("Content-Length: {}\nContent-Type: text/event-{form}\n\n", event.len());
        self.pending.extend_from_slice(head.as_bytes());
        self.pending.extend_from_slice(event);
        self.look_later(now_ms);
    }

    /// Something is there to see at the next look.
    pub(super) fn look_later(&mut self, now_ms: u64) {
        let looks = now_ms.saturating_sub(self.anchor) / EVENT_POLL_MS + 1;
        self.look_at.get_or_insert(self.anchor + looks * EVENT_POLL_MS);
    }

    /// The listener has just been busy: it looks at its queue before it sleeps again.
    pub(super) fn look_now(&mut self, now_ms: u64) {
        self.look_at = Some(now_ms);
    }

    pub(super) fn drop_events(&mut self) {
        self.pending.clear();
    }

    /// Sends what is pending if it is time to look and nothing keeps the listener from it.
    pub(super) fn look(&mut self, now_ms: u64) -> bool {
        let due = self.look_at.is_some_and(|at| at <= now_ms);
        if !due || self.is_held() || self.inbox.is_partial() {
            return false;
        }
        self.look_at = None;
        self.anchor = now_ms;
        if self.out.is_empty() {
            self.out = std::mem::take(&mut self.pending);
        } else {
            self.out.append(&mut self.pending);
        }
        true
    }

    pub(super) const fn is_held(&self) -> bool {
        self.blocked.is_some() || self.in_application
    }

    pub(super) fn can_read(&self) -> bool {
        self.open && !self.is_held() && self.out.len() < MAX_OUT
    }

    pub(super) fn send(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    pub(super) fn reply(&mut self, text: &[u8]) {
        self.send(b"Content-Type: command/reply\n");
        if let Some(formatted) = text.strip_prefix(b"~") {
            self.send(formatted);
        } else {
            self.send(b"Reply-Text: ");
            self.send(text);
            self.send(b"\n\n");
        }
    }

    pub(super) fn send_linger_notice(&mut self, uuid: &str, channel: &[u8], seconds: i64) {
        let head = format!(
            "Content-Type: text/disconnect-notice\nControlled-Session-UUID: {uuid}\n\
             Content-Disposition: linger\nChannel-Name: "
        );
        self.send(head.as_bytes());
        self.send(channel);
        self.send(format!("\nLinger-Time: {seconds}\nContent-Length: 0\n\n").as_bytes());
    }

    pub(super) fn close(&mut self, uuid: &str) {
        let length = GOODBYE.len();
        let notice = format!(
            "Content-Type: text/disconnect-notice\nControlled-Session-UUID: {uuid}\n\
             Content-Disposition: disconnect\nContent-Length: {length}\n\n{GOODBYE}"
        );
        self.send(notice.as_bytes());
        self.shut();
    }

    pub(super) fn shut(&mut self) {
        self.open = false;
        self.pending = Vec::new();
        self.look_at = None;
        self.blocked = None;
        self.in_application = false;
    }

    pub(super) fn take_out(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }

    pub(super) fn has_out(&self) -> bool {
        !self.out.is_empty()
    }

    /// The whole second at which the connection ends by itself, if nothing else happens.
    pub(super) fn ends_at_second(&self) -> Option<i64> {
        match self.lingering {
            Some(until) => until.map(|second| second + 1),
            None => (!self.seen_command).then_some(self.first_by),
        }
    }

    pub(super) fn next_look(&self) -> Option<u64> {
        if !self.open {
            return None;
        }
        match (&self.blocked, self.in_application || self.inbox.is_partial()) {
            (Some((until, _)), _) => Some(*until),
            (None, true) => None,
            (None, false) => self.look_at,
        }
    }
}

fn matches(value: &[u8], rule: &[u8], wanted: &[u8]) -> bool {
    if !rule.starts_with(b"/") {
        return value.eq_ignore_ascii_case(wanted);
    }
    let pattern = wanted.trim_ascii_start();
    let pattern = pattern.strip_prefix(b"/").unwrap_or(pattern);
    let pattern = pattern.strip_suffix(b"/").unwrap_or(pattern);
    let pattern = String::from_utf8_lossy(pattern);
    regex::bytes::Regex::new(&pattern).is_ok_and(|regex| regex.is_match(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(filters: &[(&str, &str)], value: &str) -> bool {
        let mut link = Link::new(true, true, 0, 0);
        link.filters =
            filters.iter().map(|(n, v)| (n.as_bytes().into(), v.as_bytes().into())).collect();
        let mut headers = Headers::new(false);
        headers.watch(link.filters.iter().map(|(n, _)| &n[..]));
        headers.add("Event-", b"Name", value.as_bytes());
        link.passes(&headers)
    }

    #[test]
    fn filters_are_alternatives_and_a_negative_one_vetoes() {
        assert!(passes(&[], "DTMF"));
        assert!(passes(&[("event-name", "x"), ("event-name", "dtmf")], "DTMF"));
        assert!(!passes(&[("Event-Name", "DTMF"), ("Event-Name", "-DTMF")], "DTMF"));
        assert!(!passes(&[("Unique-ID", "x")], "DTMF"));
        assert!(passes(&[("Event-Name", "/^DT/")], "DTMF"));
    }

    #[test]
    fn an_event_waits_for_the_next_look() {
        let mut link = Link::new(true, true, 100, 0);
        link.queue_event(b"E", 105);
        assert_eq!(link.next_look(), Some(120));
        assert!(!link.look(119));
        assert!(link.look(120) && link.has_out());
    }
}
