//! Writes events and the `connect` reply: which headers, in which order (switch_channel.c,
//! `switch_channel_event_set_data`), as the recordings show them.

use super::channel::{Channel, Hold, Progress};
use super::encode::Headers;
use super::events::Kind;
use super::hangup::State;
use super::profile::{Leg, profile_headers};

const CORE_UUID: &str = "929d0d60-700f-4c1d-8036-9a283b06828a";
const CODEC: [(&str, &str); 6] = [
    ("Channel-Read-Codec-Name", "PCMU"),
    ("Channel-Read-Codec-Rate", "8000"),
    ("Channel-Read-Codec-Bit-Rate", "64000"),
    ("Channel-Write-Codec-Name", "PCMU"),
    ("Channel-Write-Codec-Rate", "8000"),
    ("Channel-Write-Codec-Bit-Rate", "64000"),
];

/// Headers of one event beyond those that every event of its kind has.
pub(super) type Extra<'a> = &'a [(&'a str, &'a [u8])];

impl Channel {
    /// Fires an event: if the connection is subscribed to it, it waits there for the listener's
    /// next look.
    pub(super) fn fire(&mut self, kind: Kind, before: Extra<'_>, after: Extra<'_>) {
        self.fire_with_body(kind, before, after, None);
    }

    pub(super) fn fire_with_body(
        &mut self,
        kind: Kind,
        before: Extra<'_>,
        after: Extra<'_>,
        body: Option<&[u8]>,
    ) {
        self.sequence += 1;
        if self.overheard.is_some() && kind.is_overheard() {
            let mut headers = Headers::new(true);
            self.fill(kind, before, after, &mut headers);
            let event = headers.finish(body);
            self.overhear(event);
        }
        let Some(link) = self.link.as_deref().filter(|link| link.wants(kind.name())) else {
            return;
        };
        let mut headers = Headers::new(link.json);
        headers.watch(link.filters.iter().map(|(name, _)| &name[..]));
        self.fill(kind, before, after, &mut headers);
        if link.passes(&headers) {
            let event = headers.finish(body);
            let now = self.ms();
            if let Some(link) = &mut self.link {
                link.queue_event(&event, now);
            }
        }
    }

    fn fill(&self, kind: Kind, before: Extra<'_>, after: Extra<'_>, headers: &mut Headers) {
        self.common_headers(kind, headers);
        for (name, value) in before {
            headers.add("", name.as_bytes(), value);
        }
        if kind.carries_channel() {
            self.channel_headers(kind.carries_variables(), headers);
        }
        for (name, value) in after {
            headers.add("", name.as_bytes(), value);
        }
    }

    /// The reply to `connect`: values percent-encoded, the reply's own headers last.
    pub(super) fn connect_reply(&mut self) -> Vec<u8> {
        self.sequence += 1;
        let mut headers = Headers::new(false);
        self.common_headers(Kind::Data, &mut headers);
        self.own_profile("Channel-", &mut headers);
        self.channel_headers(true, &mut headers);
        let link = self.link.as_deref();
        let mode = if link.is_some_and(|link| link.is_async) { "async" } else { "static" };
        let control = if link.is_some_and(|link| link.full) { "full" } else { "single-channel" };
        for (name, value) in [
            ("Content-Type", "command/reply"),
            ("Reply-Text", "+OK\n"),
            ("Socket-Mode", mode),
            ("Control", control),
        ] {
            headers.add("", name.as_bytes(), value.as_bytes());
        }
        headers.finish(None)
    }

    /// The whole channel, as `uuid_dump` shows it.
    pub(super) fn dump(&mut self, json: bool) -> Vec<u8> {
        self.sequence += 1;
        let mut headers = Headers::new(json);
        self.common_headers(Kind::Data, &mut headers);
        self.channel_headers(true, &mut headers);
        headers.finish(None)
    }

    pub(super) fn common_headers(&self, kind: Kind, headers: &mut Headers) {
        let (name, file, function, line) = kind.origin();
        let micros = self.now.wall.as_microsecond();
        let date = |format: &str| self.now.wall.strftime(format).to_string();
        for (name, value) in [
            ("Event-Name", name),
            ("Core-UUID", CORE_UUID),
            ("FreeSWITCH-Hostname", "sim"),
            ("FreeSWITCH-Switchname", "sim"),
            ("FreeSWITCH-IPv4", "127.0.0.1"),
            ("FreeSWITCH-IPv6", "::1"),
            ("Event-Date-Local", &date("%Y-%m-%d %H:%M:%S")),
            ("Event-Date-GMT", &date("%a, %d %b %Y %H:%M:%S GMT")),
            ("Event-Date-Timestamp", &micros.to_string()),
            ("Event-Calling-File", file),
            ("Event-Calling-Function", function),
            ("Event-Calling-Line-Number", &line.to_string()),
            ("Event-Sequence", &self.sequence.to_string()),
        ] {
            headers.add("", name.as_bytes(), value.as_bytes());
        }
    }

    fn channel_headers(&self, with_variables: bool, headers: &mut Headers) {
        let (state, number) = self.state();
        let name = self.call.channel_name();
        let uuid = self.call.uuid.as_bytes();
        let cause = self.ended.as_ref().map(|ended| ended.cause.name().as_bytes());
        let answer = self.answer_state();
        for (name, value) in [
            ("Channel-State", Some(state.as_bytes())),
            ("Channel-Call-State", Some(self.call_state().as_bytes())),
            ("Channel-State-Number", Some(number.as_bytes())),
            ("Channel-Name", Some(&name[..])),
            ("Unique-ID", Some(uuid)),
            ("Call-Direction", Some(b"inbound")),
            ("Presence-Call-Direction", Some(b"inbound")),
            ("Channel-HIT-Dialplan", Some(b"true")),
            ("Channel-Call-UUID", Some(uuid)),
            ("Answer-State", Some(answer.as_bytes())),
            ("Hangup-Cause", cause),
        ] {
            if let Some(value) = value {
                headers.add("", name.as_bytes(), value);
            }
        }
        for (name, value) in CODEC {
            headers.add("", name.as_bytes(), value.as_bytes());
        }
        self.own_profile("Caller-", headers);
        self.peer_profile(headers);
        if with_variables {
            for (name, value) in self.vars.iter() {
                headers.add("variable_", name, value);
            }
        }
    }

    fn own_profile(&self, prefix: &str, headers: &mut Headers) {
        let name = self.call.channel_name();
        let leg = Leg {
            direction: "inbound",
            number: &self.call.caller_number,
            name: &self.call.caller_name,
            callee: &self.callee,
            network_addr: &self.call.network_addr,
            destination: &self.call.dialed,
            uuid: &self.call.uuid,
            context: &self.call.context,
            channel_name: &name,
            profile_index: &self.profile.to_string(),
        };
        profile_headers(&leg, &self.times, |name, value| {
            headers.add(prefix, name.as_bytes(), value);
        });
    }

    fn peer_profile(&self, headers: &mut Headers) {
        let Some(peer) = &self.peer else { return };
        headers.add("", b"Other-Type", b"originatee");
        let leg = Leg {
            direction: "outbound",
            number: &self.call.caller_number,
            name: &self.call.caller_name,
            callee: &peer.destination,
            network_addr: "127.0.0.1",
            destination: &peer.destination,
            uuid: &peer.uuid,
            context: &self.call.context,
            channel_name: &peer.channel_name,
            profile_index: "",
        };
        profile_headers(&leg, &peer.times, |name, value| {
            headers.add("Other-Leg-", name.as_bytes(), value);
        });
    }

    fn state(&self) -> (&'static str, &'static str) {
        match self.ended.as_ref().map(|ended| ended.state) {
            Some(State::Executing) => ("CS_EXECUTE", "10"),
            Some(State::HangingUp) => ("CS_HANGUP", "10"),
            Some(State::Reporting) => ("CS_REPORTING", "11"),
            None if self.is_routing() => ("CS_ROUTING", "3"),
            None => ("CS_EXECUTE", "4"),
        }
    }

    /// Tells that the call state is another than `before`.
    pub(super) fn fire_call_state(&mut self, before: &str) {
        const STATES: [&str; 9] = [
            "DOWN",
            "DIALING",
            "RINGING",
            "EARLY",
            "ACTIVE",
            "HELD",
            "RING_WAIT",
            "HANGUP",
            "UNHELD",
        ];
        let state = self.call_state();
        let number = STATES.iter().position(|s| *s == state).unwrap_or_default().to_string();
        let extra = [
            ("Original-Channel-Call-State", before.as_bytes()),
            ("Channel-Call-State-Number", number.as_bytes()),
        ];
        self.fire(Kind::CallState, &extra, &[]);
    }

    fn is_routing(&self) -> bool {
        self.divert.as_ref().is_some_and(|divert| divert.routing && divert.has_left)
    }

    /// `Channel-Call-State`: it follows the answer by one event, see `answer`.
    pub(super) fn call_state(&self) -> &'static str {
        if self.ended.as_ref().is_some_and(|ended| ended.state_is_down) {
            return "HANGUP";
        }
        match (self.progress, self.hold) {
            _ if self.is_routing() => "RINGING",
            (_, Hold::Held) => "HELD",
            (_, Hold::Ending) => "UNHELD",
            (Progress::Answered, _) if self.times.answered_is_told => "ACTIVE",
            (Progress::Early, _) => "EARLY",
            _ => "RINGING",
        }
    }

    fn answer_state(&self) -> &'static str {
        match self.progress {
            _ if self.ended.is_some() => "hangup",
            Progress::Answered => "answered",
            Progress::Early => "early",
            _ => "ringing",
        }
    }
}
