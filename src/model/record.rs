//! The call record: one for each call, written when it ends.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::admission::{AsSent, Rule, TurnedAway};
use super::recording::{RecordingKind, RecordingState, Span};
use crate::base::cause::{HangupCause, Party, Termination};
use crate::base::ids::{
    CallId, ChannelId, FlowName, GatewayName, QueueName, RecordingId, RoomName, StepName, TenantId,
};

/// One call, from its first leg to its last hang-up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CallRecord {
    #[schemars(with = "String")]
    pub call: CallId,
    #[schemars(with = "String")]
    pub tenant: TenantId,
    pub flow: FlowName,
    pub version: u32,
    pub caller_name: String,
    /// Masked where the tenant asks for it.
    pub caller_number: String,
    pub dialed: String,
    #[schemars(with = "String")]
    pub started: Timestamp,
    #[schemars(with = "Option<String>")]
    pub answered: Option<Timestamp>,
    #[schemars(with = "String")]
    pub ended: Timestamp,
    /// The first is the caller's.
    pub legs: Vec<LegRecord>,
    /// The steps that the call went through.
    pub path: Vec<Visit>,
    pub termination: Termination,
    /// The versions of the other flows on its path.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub versions: BTreeMap<FlowName, u32>,
    /// By what it came, or that it was placed.
    #[serde(default, skip_serializing_if = "CameBy::is_nothing")]
    pub came_by: CameBy,
    /// How often the call went from one process to another.
    #[serde(default)]
    pub hands: u32,
    /// Closed by what was known, since the call ended while nobody held it.
    #[serde(default)]
    pub swept: bool,
    /// Messages and other recordings made in the call.
    #[serde(default)]
    pub recordings: Vec<RecordingNote>,
    /// Who was moved where.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub transfers: Vec<TransferRecord>,
    /// Why it did not get the flow of its number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turned_away: Option<TurnedAway>,
    /// Its numbers as they came, where the tenant's plan reads them otherwise.
    #[serde(default, skip_serializing_if = "AsSent::is_nothing")]
    pub as_sent: AsSent,
    /// The flow's variables at the end; secret ones are left out.
    #[serde(default)]
    pub variables: BTreeMap<String, serde_json::Value>,
}

impl CallRecord {
    /// Visits kept of a call's path; a call that makes more is a loop, and its beginning tells it.
    pub const PATH_MAX: usize = 250;

    /// Whether it may have gone through more steps than its path has.
    pub fn path_is_cut(&self) -> bool {
        self.path.len() >= Self::PATH_MAX
    }
}

/// By what a call came to its tenant. Records of earlier releases don't say.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct CameBy {
    /// The number, as the number map has it, that led it to its flow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    /// The tenant's name for the gateway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<GatewayName>,
    /// It did not come: we called, and its caller is whom we called.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub placed: bool,
}

impl CameBy {
    pub const fn is_nothing(&self) -> bool {
        self.number.is_none() && self.gateway.is_none() && !self.placed
    }
}

/// One party's part in a call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LegRecord {
    pub channel: Option<ChannelId>,
    pub role: LegRole,
    /// The number or address of the party, masked where the tenant asks for it.
    pub party: String,
    #[schemars(with = "String")]
    pub started: Timestamp,
    #[schemars(with = "Option<String>")]
    pub answered: Option<Timestamp>,
    #[schemars(with = "Option<String>")]
    pub ended: Option<Timestamp>,
    pub cause: Option<HangupCause>,
    /// How long the party was kept waiting on hold, in all.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub held_ms: u64,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
const fn is_zero(ms: &u64) -> bool {
    *ms == 0
}

/// A party that was moved from one conversation to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TransferRecord {
    #[schemars(with = "String")]
    pub at: Timestamp,
    pub kind: TransferKind,
    /// Who wanted it: an operator, or a party by number.
    pub by: String,
    pub moved: String,
    pub to: String,
    /// What came of it; empty where the call ended before.
    pub outcome: String,
    /// The call that the party was in, where that one is over: its caller sent it here.
    #[schemars(with = "Option<String>")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<CallId>,
}

/// In which way a party was moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TransferKind {
    /// Nobody spoke with the target before.
    Blind,
    /// The target was consulted first.
    Attended,
    /// To a step of the flow.
    Step,
    /// Into a slot.
    Park,
    /// Out of a slot.
    Retrieve,
}

/// Which part a leg has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LegRole {
    Caller,
    Dialed,
}

/// One visit of one step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Visit {
    pub flow: FlowName,
    pub step: StepName,
    #[schemars(with = "String")]
    pub entered: Timestamp,
    pub took_ms: u64,
    /// The outcome's name, a menu choice, or empty where the call ended in the step.
    pub outcome: String,
    /// Keys pressed in the step; secret ones as `•`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub keys: String,
    /// How often the caller pressed nothing in time.
    #[serde(default, skip_serializing_if = "is_no_lapse")]
    pub no_input: u8,
    /// How often what the caller pressed matched nothing.
    #[serde(default, skip_serializing_if = "is_no_lapse")]
    pub invalid: u8,
    /// The waiting line, where it is a `queue` step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub queue: Option<QueueName>,
    /// After how long in the step somebody whom it called was joined to the caller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answered_ms: Option<u64>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
const fn is_no_lapse(count: &u8) -> bool {
    *count == 0
}

/// What a call knows of a file that FreeSWITCH records for it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct RecordingNote {
    pub name: String,
    /// Where FreeSWITCH writes it; the file does not stay there.
    pub path: String,
    /// As the call saw it.
    pub length_ms: u64,
    /// None in records of earlier releases, whose files are left where they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub id: Option<RecordingId>,
    #[serde(default)]
    pub kind: RecordingKind,
    /// The room's name, where it is a room's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room: Option<String>,
    /// `Running`, or `Pending` once it has ended: what becomes of it is not in the call's record.
    #[serde(default)]
    pub state: RecordingState,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub began: Option<Timestamp>,
    /// 2 where each party has a channel of its own; 0 where it is not known.
    #[serde(default)]
    pub channels: u16,
    /// Where there is silence instead of what was said.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub masked: Vec<Span>,
    /// When nothing was written, in milliseconds from when it began: it was paused, or the caller's
    /// own leg was on hold. The file is shorter by that time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paused: Vec<Span>,
    /// What is shorter is not kept.
    #[serde(default)]
    pub min_length_ms: u64,
}

impl RecordingNote {
    /// A recording of a room that begins now.
    pub fn room(id: RecordingId, room: &RoomName, path: String, began: Timestamp) -> Self {
        Self {
            name: id.to_string(),
            path,
            id: Some(id),
            kind: RecordingKind::Room,
            room: Some(room.to_string()),
            state: RecordingState::Running,
            began: Some(began),
            ..Self::default()
        }
    }
}

/// A line in a list of calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CallHead {
    pub call: CallId,
    pub flow: FlowName,
    pub version: u32,
    /// Masked where the tenant asks for it.
    pub caller_number: String,
    pub dialed: String,
    pub started: Timestamp,
    pub ended: Timestamp,
    pub party: Party,
    pub cause: HangupCause,
    /// The rule that did not let it in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turned_away: Option<Rule>,
}
