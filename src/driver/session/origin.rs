//! How a call began, kept apart from its state: enough to write it down if that state can't be
//! trusted.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::base::cause::{HangupCause, Party, Termination};
use crate::base::ids::{CallId, ChannelId, FlowName, TenantId};
use crate::base::masked::mask_number;
use crate::base::now::Now;
use crate::call::state::State;
use crate::model::admission::AsSent;
use crate::model::record::{CallRecord, CameBy};

/// Characters of a masked number that are shown.
const SHOWN: usize = 2;

/// How a call began: what a record needs if the call's own state can't be trusted any more.
#[derive(Debug)]
pub(super) struct Origin {
    pub(super) tenant: TenantId,
    flow: FlowName,
    version: u32,
    pub(super) channel: ChannelId,
    caller_name: String,
    caller_number: String,
    dialed: String,
    came_by: CameBy,
    hands: u32,
    started: Timestamp,
}

impl Origin {
    pub(super) fn of(state: &State, mask: bool) -> Self {
        let arrival = state.arrival();
        Self {
            tenant: state.tenant(),
            flow: state.main().clone(),
            version: state.versions().get(state.main()).copied().unwrap_or(0),
            came_by: arrival.via.came_by(),
            hands: state.term(),
            channel: arrival.channel.clone(),
            caller_name: arrival.caller_name.clone(),
            caller_number: match mask {
                true => mask_number(&arrival.caller_number, SHOWN),
                false => arrival.caller_number.clone(),
            },
            dialed: arrival.dialed.clone(),
            started: state.started(),
        }
    }

    pub(super) fn record(self, call: CallId, cause: HangupCause, now: Now) -> CallRecord {
        let reason = "a fault in Callwright ended the call".into();
        CallRecord {
            call,
            tenant: self.tenant,
            flow: self.flow,
            version: self.version,
            caller_name: self.caller_name,
            caller_number: self.caller_number,
            dialed: self.dialed,
            started: self.started,
            answered: None,
            ended: now.wall,
            legs: Vec::new(),
            path: Vec::new(),
            termination: Termination { party: Party::Us, cause, reason },
            versions: BTreeMap::new(),
            came_by: self.came_by,
            hands: self.hands,
            swept: false,
            recordings: Vec::new(),
            transfers: Vec::new(),
            turned_away: None,
            as_sent: AsSent::default(),
            variables: BTreeMap::new(),
        }
    }
}
