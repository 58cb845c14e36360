//! What is said on the control socket: one JSON object on a line, answered by one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::room::{By, RoomCommand};
use crate::base::ids::{CallId, RoomName, TenantId};
use crate::call::input::Command;
use crate::call::place::Placement;
use crate::driver::registry::{Scope, When};
use crate::model::room::RoomView;

/// Longest line of a request, in bytes.
pub const REQUEST_MAX: usize = 16 * 1_024;
/// Longest line of an answer, in bytes: a list of many thousand calls.
pub const ANSWER_MAX: usize = 16 * 1_024 * 1_024;

/// A question or an order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// How the process is.
    Status,
    /// The calls that are up in it.
    Calls,
    /// A command to one call; to a call of the tenant, where `scope` is one.
    Tell {
        #[serde(default = "operator")]
        scope: Scope,
        call: CallId,
        command: Command,
    },
    /// Call somebody for a tenant.
    Place { tenant: TenantId, placement: Box<Placement> },
    /// Something about a conference room of a tenant.
    Room {
        tenant: TenantId,
        room: RoomName,
        #[serde(default)]
        by: By,
        command: RoomCommand,
    },
    /// Take no more calls, let go of those that are up, end.
    Drain { when: When },
    /// The listening sockets; they come beside the answer (`SCM_RIGHTS`).
    Sockets,
    /// Whoever asks takes the calls from now on: as `drain`, and the sockets stay open.
    HandOver,
}

const fn operator() -> Scope {
    Scope::Operator
}

/// What comes back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Answer {
    Status(Box<Status>),
    Calls {
        calls: Vec<HeldCall>,
    },
    Room {
        room: RoomView,
    },
    /// The call that was placed.
    Placed {
        call: CallId,
    },
    /// It was ordered as asked.
    Done,
    /// As many sockets come beside this, in this order.
    Sockets {
        names: Vec<SocketName>,
    },
    Refused {
        reason: String,
    },
}

/// What a socket is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SocketName {
    Calls,
    Health,
    Api,
    XmlCurl,
}

/// A call that is up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldCall {
    pub call: CallId,
    /// Whether the caller speaks with somebody.
    pub talks: bool,
}

/// How a process is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    pub version: String,
    pub pid: u32,
    /// Since it was ready, in milliseconds.
    pub up_ms: u64,
    /// Where FreeSWITCH finds it.
    pub address: String,
    /// Where its health is told over HTTP.
    pub health: Option<String>,
    /// Where the HTTP API is.
    #[serde(default)]
    pub api: Option<String>,
    /// Where mod_xml_curl is answered.
    #[serde(default)]
    pub xml_curl: Option<String>,
    /// Whether the next call would be taken.
    pub ready: bool,
    pub calls: usize,
    /// Of these, conversations.
    pub talking: usize,
    pub begun: u64,
    /// Calls that ended by a fault of ours.
    pub faults: u64,
    pub refused: Refused,
    /// Calls that tenants' rules did not let in, by the rule.
    #[serde(default)]
    pub turned_away: BTreeMap<String, u64>,
    /// How late the event loop is, in microseconds.
    pub delay_us: u64,
    /// Bytes of memory that the process takes.
    pub memory: u64,
    /// The limit for which the next call would be refused.
    pub shedding: Option<String>,
    /// For how long it has been letting go of its calls, in milliseconds.
    pub draining_ms: Option<u64>,
}

/// Calls that went back to the dialplan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Refused {
    /// For whatever reason.
    pub all: u64,
    pub busy: u64,
    pub rate: u64,
    pub memory: u64,
    pub slow: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_reads_as_a_person_would_write_it() {
        let call = "0190a8c4-0000-7000-8000-000000000001";
        let command = r#"{"hangup":{"cause":"NORMAL_CLEARING"}}"#;
        let text = format!(r#"{{"do":"tell","call":"{call}","command":{command}}}"#);
        let request: Request = serde_json::from_str(&text).unwrap();
        assert!(matches!(request, Request::Tell { .. }), "{request:?}");
        let drain: Request = serde_json::from_str(r#"{"do":"drain","when":"now"}"#).unwrap();
        assert_eq!(drain, Request::Drain { when: When::Now });
    }

    #[test]
    fn what_nobody_knows_is_refused_by_name() {
        let error = serde_json::from_str::<Request>(r#"{"do":"dance"}"#).unwrap_err();
        assert!(error.to_string().contains("dance"), "{error}");
    }
}
