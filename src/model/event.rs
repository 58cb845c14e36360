//! What happens to a tenant's calls, gateways, recordings and flows, as those are told who follow
//! it live; and how things stand, which follows from what was told.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use jiff::Timestamp;
use memchr::memmem::Finder;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::admission::{Rule, TurnedAway};
use super::monitor::Manner;
use super::recording::RecordingState;
use super::registration::Registration;
use super::room::{Presence, Who};
use super::talk::Side;
use super::timeline::{Entry, Sign, What};
use crate::base::cause::{HangupCause, Party};
use crate::base::ids::{
    CallId, FlowName, GatewayName, QueueName, RecordingId, RoomName, StepName, WebhookName,
};
use crate::base::slot::Slot;
use crate::model::record::CallRecord;

/// Raised when what is told changes its meaning; new types and fields don't raise it.
pub const SCHEMA: u32 = 1;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Event {
    /// 1, 2, 3 … without gaps for each tenant.
    pub sequence: u64,
    #[serde(flatten)]
    pub what: Happened,
}

/// What happened, and when.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Happened {
    #[schemars(with = "String")]
    pub at: Timestamp,
    #[serde(flatten)]
    pub kind: Kind,
}

/// What kind of thing happened. Texts hold no secrets: secret digits come as `•`, parties as the
/// tenant has them shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type")]
pub enum Kind {
    #[serde(rename = "call.created")]
    CallCreated {
        call: CallId,
        caller_name: String,
        caller_number: String,
        dialed: String,
        flow: FlowName,
        version: u32,
    },
    /// Another process took it over and goes on from the step.
    #[serde(rename = "call.recovered")]
    CallRecovered { call: CallId, step: StepName },
    #[serde(rename = "call.step_entered")]
    CallStepEntered { call: CallId, flow: FlowName, step: StepName, kind: String },
    /// The caller pressed a key.
    #[serde(rename = "call.digit")]
    CallDigit { call: CallId, digit: String },
    /// Somebody is being called for it.
    #[serde(rename = "call.ringing")]
    CallRinging { call: CallId, to: String },
    #[serde(rename = "call.answered")]
    CallAnswered { call: CallId },
    /// The caller speaks with somebody.
    #[serde(rename = "call.bridged")]
    CallBridged { call: CallId, party: String },
    #[serde(rename = "call.unbridged")]
    CallUnbridged { call: CallId, cause: Option<HangupCause> },
    /// One side is on hold, or not any more.
    #[serde(rename = "call.held")]
    CallHeld { call: CallId, side: Side, on: bool },
    /// A party was sent elsewhere.
    #[serde(rename = "call.transferred")]
    CallTransferred { call: CallId, to: String },
    #[serde(rename = "call.parked")]
    CallParked { call: CallId, slot: Slot },
    /// It waits in a queue, behind so many.
    #[serde(rename = "call.queued")]
    CallQueued { call: CallId, queue: QueueName, ahead: u32 },
    /// A rule did not let it in.
    #[serde(rename = "call.turned_away")]
    CallTurnedAway { call: CallId, rule: Rule, reason: String },
    #[serde(rename = "call.ended")]
    CallEnded { call: CallId, party: Party, cause: HangupCause, reason: String },
    /// Somebody is in a conference room, where `member` is its number. Those who were invited are
    /// told of as long as the call that invited them is up.
    // As it was kept before it told more.
    #[serde(rename = "room.entered", alias = "call.in_room")]
    RoomEntered {
        call: CallId,
        room: RoomName,
        member: u32,
        #[serde(flatten)]
        presence: Presence,
    },
    /// A member is muted or deaf, or not any more.
    #[serde(rename = "room.changed")]
    RoomChanged { call: CallId, room: RoomName, member: u32, who: Who, muted: bool, deaf: bool },
    #[serde(rename = "room.left")]
    RoomLeft { call: CallId, room: RoomName, member: u32, who: Who },
    /// A supervisor listens in on a call, or in another manner than before; `now` is null when that
    /// is over.
    #[serde(rename = "monitor.changed")]
    MonitorChanged { call: CallId, by: String, now: Option<Manner> },
    /// A recording has begun, ended, been kept, failed or been deleted.
    #[serde(rename = "recording.changed")]
    RecordingChanged {
        #[schemars(with = "String")]
        recording: RecordingId,
        call: Option<CallId>,
        state: RecordingState,
    },
    /// How a FreeSWITCH stands with a gateway.
    #[serde(rename = "gateway.changed")]
    GatewayChanged { gateway: GatewayName, now: Registration },
    #[serde(rename = "gateway.removed")]
    GatewayRemoved { gateway: GatewayName },
    /// Nobody of the tenant calls numbers outside any more, and why.
    #[serde(rename = "outbound.locked")]
    OutboundLocked { why: String },
    #[serde(rename = "outbound.unlocked")]
    OutboundUnlocked,
    /// Calls get another version from now on.
    #[serde(rename = "flow.published")]
    FlowPublished { flow: FlowName, version: u32 },
    /// Callwright sends a webhook nothing more until it is enabled again.
    #[serde(rename = "webhook.disabled")]
    WebhookDisabled { webhook: WebhookName, reason: String },
}

impl Kind {
    /// The call that it is about.
    pub const fn call(&self) -> Option<CallId> {
        match self {
            Self::CallCreated { call, .. }
            | Self::CallRecovered { call, .. }
            | Self::CallStepEntered { call, .. }
            | Self::CallDigit { call, .. }
            | Self::CallRinging { call, .. }
            | Self::CallAnswered { call }
            | Self::CallBridged { call, .. }
            | Self::CallUnbridged { call, .. }
            | Self::CallHeld { call, .. }
            | Self::CallTransferred { call, .. }
            | Self::CallParked { call, .. }
            | Self::CallQueued { call, .. }
            | Self::RoomEntered { call, .. }
            | Self::RoomChanged { call, .. }
            | Self::RoomLeft { call, .. }
            | Self::MonitorChanged { call, .. }
            | Self::CallTurnedAway { call, .. }
            | Self::CallEnded { call, .. } => Some(*call),
            Self::RecordingChanged { call, .. } => *call,
            Self::GatewayChanged { .. }
            | Self::GatewayRemoved { .. }
            | Self::OutboundLocked { .. }
            | Self::OutboundUnlocked
            | Self::FlowPublished { .. }
            | Self::WebhookDisabled { .. } => None,
        }
    }

    /// What it happened to: a call, or else a thing by its name. What happens to one has an order
    /// that counts.
    pub fn thing(&self) -> String {
        match self {
            Self::RecordingChanged { recording, call: None, .. } => {
                format!("recording {recording}")
            }
            Self::GatewayChanged { gateway, .. } | Self::GatewayRemoved { gateway } => {
                format!("gateway {gateway}")
            }
            Self::OutboundLocked { .. } | Self::OutboundUnlocked => "outbound".to_owned(),
            Self::FlowPublished { flow, .. } => format!("flow {flow}"),
            Self::WebhookDisabled { webhook, .. } => format!("webhook {webhook}"),
            other => other.call().map_or_else(String::new, |call| format!("call {call}")),
        }
    }
}

/// The type of an event in JSON, as it is kept: nothing that others wrote stands before it.
pub fn type_of(event: &str) -> &str {
    const MARK: &str = "\"type\":\"";
    static SEARCH: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new(MARK));
    let start = SEARCH.find(event.as_bytes()).map_or(event.len(), |at| at + MARK.len());
    let rest = &event[start..];
    rest.split_once('"').map_or("", |(name, _)| name)
}

/// Types that are asked for by name, at most.
const TYPES_MAX: usize = 32;

/// The types of events that are wanted: `call.ended`, or `call.*` for all of a kind; all of them
/// where it is empty.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>")]
pub struct Types(Vec<String>);

impl JsonSchema for Types {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Types".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "array",
            "maxItems": TYPES_MAX,
            "items": { "type": "string", "pattern": r"^[a-z_][a-z._]*(\.\*)?$" },
        })
    }
}

impl TryFrom<Vec<String>> for Types {
    type Error = String;
    fn try_from(types: Vec<String>) -> Result<Self, String> {
        let plain = |word: &String| {
            let name = word.strip_suffix(".*").unwrap_or(word);
            let first = name.bytes().next().is_some_and(|b| b.is_ascii_lowercase() || b == b'_');
            first && name.bytes().all(|b| b.is_ascii_lowercase() || b"._".contains(&b))
        };
        if types.len() > TYPES_MAX || !types.iter().all(plain) {
            return Err(format!(
                "expected up to {TYPES_MAX} types, such as `call.ended` and `gateway.*`"
            ));
        }
        Ok(Self(types))
    }
}

impl Types {
    pub fn want(&self, name: &str) -> bool {
        self.0.is_empty()
            || self.0.iter().any(|wanted| match wanted.strip_suffix('*') {
                Some(start) => name.starts_with(start),
                None => name == wanted,
            })
    }
}

/// What an entry of a call's timeline has to tell those who follow; most tell nothing.
pub fn of_entry(call: CallId, entry: &Entry) -> Option<Happened> {
    let kind = match &entry.what {
        What::Arrived { caller_name, caller_number, dialed, flow, version } => Kind::CallCreated {
            call,
            caller_name: caller_name.clone(),
            caller_number: caller_number.clone(),
            dialed: dialed.clone(),
            flow: flow.clone(),
            version: *version,
        },
        What::Resumed { step } => Kind::CallRecovered { call, step: step.clone() },
        What::StepEntered { flow, step, kind } => Kind::CallStepEntered {
            call,
            flow: flow.clone(),
            step: step.clone(),
            kind: kind.clone(),
        },
        What::Key { key } => Kind::CallDigit { call, digit: key.clone() },
        What::Answered => Kind::CallAnswered { call },
        What::Bridged { party } => Kind::CallBridged { call, party: party.clone() },
        What::Unbridged { cause } => Kind::CallUnbridged { call, cause: *cause },
        What::Noticed { sign: Some(sign), .. } | What::Ordered { sign: Some(sign), .. } => {
            of_sign(call, sign)
        }
        // A record tells of the end, also where no process saw it.
        What::Ended { .. }
        | What::Noticed { sign: None, .. }
        | What::StepLeft { .. }
        | What::Ordered { sign: None, .. }
        | What::Done { .. }
        | What::Asked { .. }
        | What::Heard { .. }
        | What::Set { .. }
        | What::Recording { .. }
        | What::Guard { .. } => return None,
    };
    Some(Happened { at: entry.at, kind })
}

fn of_sign(call: CallId, sign: &Sign) -> Kind {
    match sign.clone() {
        Sign::Rings { to } => Kind::CallRinging { call, to },
        Sign::Held { side, on } => Kind::CallHeld { call, side, on },
        Sign::Moved { to } => Kind::CallTransferred { call, to },
        Sign::Parked { slot } => Kind::CallParked { call, slot },
        Sign::Queued { queue, ahead } => Kind::CallQueued { call, queue, ahead },
        Sign::InRoom { room, member, presence } => {
            Kind::RoomEntered { call, room, member, presence }
        }
        Sign::RoomChanged { room, member, who, muted, deaf } => {
            Kind::RoomChanged { call, room, member, who, muted, deaf }
        }
        Sign::LeftRoom { room, member, who } => Kind::RoomLeft { call, room, member, who },
        Sign::Monitored { by, now } => Kind::MonitorChanged { call, by, now },
    }
}

/// Why a call did not get the flow of its number, where it did not.
pub fn of_rule(record: &CallRecord) -> Option<Happened> {
    let TurnedAway { rule, reason, .. } = record.turned_away.as_ref()?;
    let kind = Kind::CallTurnedAway { call: record.call, rule: *rule, reason: reason.clone() };
    Some(Happened { at: record.ended, kind })
}

/// The end of a call.
pub fn of_record(record: &CallRecord) -> Happened {
    let end = &record.termination;
    let (party, cause, reason) = (end.party, end.cause, end.reason.clone());
    Happened { at: record.ended, kind: Kind::CallEnded { call: record.call, party, cause, reason } }
}

/// A call that is up, as far as it was told.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CallView {
    pub call: CallId,
    #[schemars(with = "String")]
    pub started: Timestamp,
    pub caller_name: String,
    pub caller_number: String,
    pub dialed: String,
    pub flow: FlowName,
    pub version: u32,
    /// Where the caller is in its flow.
    pub step: Option<StepName>,
    #[schemars(with = "Option<String>")]
    pub answered: Option<Timestamp>,
    /// Who is being called for it.
    pub ringing: Option<String>,
    /// With whom the caller speaks.
    pub with: Option<String>,
    pub held: Vec<Side>,
    pub slot: Option<Slot>,
    pub queue: Option<QueueName>,
    pub room: Option<RoomName>,
}

/// How FreeSWITCHes stand with a gateway.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct GatewayView {
    pub gateway: GatewayName,
    /// By the FreeSWITCH's name.
    pub now: Vec<Registration>,
}

/// Somebody who is in a room.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct InRoom {
    /// The room's number of it.
    pub member: u32,
    /// The call that brought it there.
    pub call: CallId,
    #[schemars(with = "String")]
    pub since: Timestamp,
    #[serde(flatten)]
    pub presence: Presence,
}

/// A call on which somebody listens in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Monitored {
    pub call: CallId,
    /// The supervisor's extension.
    pub by: String,
    pub now: Manner,
}

/// A room in which somebody is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Occupied {
    pub room: RoomName,
    /// By number.
    pub members: Vec<InRoom>,
}

/// How things stand after some event. Whoever has it, and tells it all that comes after, knows what
/// a later snapshot would say.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub struct Standing {
    /// That of the last event that is in it.
    pub sequence: u64,
    /// The oldest first.
    pub calls: Vec<CallView>,
    /// By name.
    #[serde(default)]
    pub rooms: Vec<Occupied>,
    /// On whom somebody listens in.
    #[serde(default)]
    pub monitored: Vec<Monitored>,
    /// By name; those of which something is known.
    pub gateways: Vec<GatewayView>,
}

/// How things stand, while it is told what happens.
#[derive(Debug, Default)]
pub struct Fold {
    calls: BTreeMap<CallId, CallView>,
    /// By name, and by the room's number.
    rooms: BTreeMap<RoomName, BTreeMap<u32, InRoom>>,
    monitored: BTreeMap<CallId, Monitored>,
    /// By name, and by the FreeSWITCH's.
    gateways: BTreeMap<GatewayName, BTreeMap<String, Registration>>,
}

impl Fold {
    pub fn tell(&mut self, event: &Happened) {
        match &event.kind {
            Kind::GatewayChanged { gateway, now } => self.gateway(gateway, now),
            Kind::GatewayRemoved { gateway } => drop(self.gateways.remove(gateway)),
            Kind::RoomEntered { .. } | Kind::RoomChanged { .. } | Kind::RoomLeft { .. } => {
                self.tell_rooms(event);
                self.tell_calls(event);
            }
            Kind::MonitorChanged { call, by, now: Some(now) } => {
                let (by, now) = (by.clone(), *now);
                self.monitored.insert(*call, Monitored { call: *call, by, now });
            }
            Kind::MonitorChanged { call, now: None, .. } => drop(self.monitored.remove(call)),
            Kind::CallEnded { call, .. } => {
                self.monitored.remove(call);
                self.rooms.values_mut().for_each(|all| all.retain(|_, one| one.call != *call));
                self.tell_calls(event);
            }
            _ => self.tell_calls(event),
        }
    }

    /// How a FreeSWITCH stands with a gateway now.
    pub fn gateway(&mut self, gateway: &GatewayName, now: &Registration) {
        let of_each = self.gateways.entry(gateway.clone()).or_default();
        of_each.insert(now.switch.clone(), now.clone());
    }

    fn tell_rooms(&mut self, event: &Happened) {
        match &event.kind {
            Kind::RoomEntered { call, room, member, presence } => {
                let all = self.rooms.entry(room.clone()).or_default();
                let known = all.get(member).filter(|known| known.call == *call);
                let since = known.map_or(event.at, |known| known.since);
                let presence = presence.clone();
                all.insert(*member, InRoom { member: *member, call: *call, since, presence });
            }
            Kind::RoomChanged { call, room, member, muted, deaf, .. } => {
                let all = self.rooms.get_mut(room).and_then(|all| all.get_mut(member));
                if let Some(known) = all.filter(|known| known.call == *call) {
                    (known.presence.muted, known.presence.deaf) = (*muted, *deaf);
                }
            }
            Kind::RoomLeft { call, room, member, .. } => {
                if let Some(all) = self.rooms.get_mut(room) {
                    all.retain(|number, one| number != member || one.call != *call);
                }
            }
            _ => {}
        }
    }

    fn tell_calls(&mut self, event: &Happened) {
        let Some(call) = event.kind.call() else { return };
        if let Kind::CallCreated { caller_name, caller_number, dialed, flow, version, .. } =
            &event.kind
        {
            let view = CallView {
                call,
                started: event.at,
                caller_name: caller_name.clone(),
                caller_number: caller_number.clone(),
                dialed: dialed.clone(),
                flow: flow.clone(),
                version: *version,
                step: None,
                answered: None,
                ringing: None,
                with: None,
                held: Vec::new(),
                slot: None,
                queue: None,
                room: None,
            };
            self.calls.insert(call, view);
        } else if let Kind::CallEnded { .. } = event.kind {
            self.calls.remove(&call);
        } else if let Some(view) = self.calls.get_mut(&call) {
            view.tell(event);
        }
    }

    pub fn standing(self, sequence: u64) -> Standing {
        let mut calls: Vec<_> = self.calls.into_values().collect();
        calls.sort_by_key(|view| (view.started, view.call));
        let gateways = self.gateways.into_iter().map(|(gateway, of_each)| GatewayView {
            gateway,
            now: of_each.into_values().collect(),
        });
        let rooms = self.rooms.into_iter().filter(|(_, members)| !members.is_empty());
        let rooms = rooms
            .map(|(room, members)| Occupied { room, members: members.into_values().collect() });
        Standing {
            sequence,
            calls,
            rooms: rooms.collect(),
            monitored: self.monitored.into_values().collect(),
            gateways: gateways.collect(),
        }
    }
}

impl CallView {
    fn tell(&mut self, event: &Happened) {
        match &event.kind {
            Kind::CallRecovered { step, .. } => self.step = Some(step.clone()),
            Kind::CallStepEntered { flow, step, .. } => {
                (self.flow, self.step) = (flow.clone(), Some(step.clone()));
                (self.slot, self.queue, self.room, self.ringing) = (None, None, None, None);
            }
            Kind::CallRinging { to, .. } => self.ringing = Some(to.clone()),
            Kind::CallAnswered { .. } => self.answered = self.answered.or(Some(event.at)),
            Kind::CallBridged { party, .. } => {
                (self.with, self.ringing) = (Some(party.clone()), None);
                self.held.clear();
            }
            Kind::CallUnbridged { .. } => {
                self.with = None;
                self.held.clear();
            }
            Kind::CallHeld { side, on, .. } => {
                self.held.retain(|held| held != side);
                self.held.extend(on.then_some(*side));
            }
            Kind::CallParked { slot, .. } => self.slot = Some(*slot),
            Kind::CallQueued { queue, .. } => self.queue = Some(queue.clone()),
            Kind::RoomEntered { room, presence, .. } if presence.who == Who::Caller => {
                self.room = Some(room.clone());
            }
            Kind::RoomLeft { who: Who::Caller, .. } => self.room = None,
            Kind::CallDigit { .. }
            | Kind::CallTransferred { .. }
            | Kind::CallCreated { .. }
            | Kind::CallEnded { .. }
            | Kind::CallTurnedAway { .. }
            | Kind::RoomEntered { .. }
            | Kind::RoomChanged { .. }
            | Kind::RoomLeft { .. }
            | Kind::MonitorChanged { .. }
            | Kind::RecordingChanged { .. }
            | Kind::GatewayChanged { .. }
            | Kind::GatewayRemoved { .. }
            | Kind::OutboundLocked { .. }
            | Kind::OutboundUnlocked
            | Kind::FlowPublished { .. }
            | Kind::WebhookDisabled { .. } => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_events_type_is_its_own_and_not_what_somebody_wrote_in_it() {
        let event = r#"{"sequence":1,"at":"2026-01-01T00:00:00Z","type":"call.created",
            "caller_name":"\"type\":\"call.ended\""}"#;
        assert_eq!(type_of(event), "call.created");
        assert_eq!(type_of("{}"), "");
    }

    #[test]
    fn what_an_earlier_release_kept_of_a_room_is_read() {
        let kept = r#"{"at":"2026-01-01T00:00:00Z","type":"call.in_room",
            "call":"00000000-0000-0000-0000-000000000001","room":"den","member":3}"#;
        let mut fold = Fold::default();
        fold.tell(&serde_json::from_str(kept).unwrap());
        let standing = fold.standing(1);
        let [room] = &standing.rooms[..] else { panic!("{standing:?}") };
        assert_eq!((room.room.as_str(), room.members[0].member), ("den", 3));
        assert_eq!(room.members[0].presence.who, Who::Caller);
    }

    #[test]
    fn types_are_wanted_by_name_or_by_kind_and_all_where_none_is_named() {
        let types = |text: &str| -> Result<Types, _> {
            text.split(',').map(str::to_owned).collect::<Vec<_>>().try_into()
        };
        let some = types("call.ended,gateway.*").unwrap();
        for (name, wanted) in
            [("call.ended", true), ("call.digit", false), ("gateway.changed", true), ("", false)]
        {
            assert_eq!(some.want(name), wanted, "{name}");
        }
        assert!(Types::default().want("call.ended"));
        for bad in ["", "call.ended,", "*", "call ended", "Call.*", ".*", ".call"] {
            assert!(types(bad).is_err(), "{bad}");
        }
        assert!(types(&"a,".repeat(40)).is_err());
    }
}
