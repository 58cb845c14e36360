//! Channel variables that we set on the caller's channel, and put back when the call leaves us.

use std::collections::BTreeMap;

use super::arrival::variable;
use crate::base::ids::ChannelId;
use crate::esl::argument::{Refused, VariableName, VariableValue};
use crate::esl::command::{Api, Command};
use crate::esl::event::Event;

/// What makes a channel fit for a call of ours: no key ends a sound unless it is told to, and a
/// dial's end leaves the caller with us (`mod_dptools.c` on_dtmf, `switch_channel.c`
/// switch_channel_handle_cause, `switch_ivr_bridge.c` switch_ivr_multi_threaded_bridge).
const OURS: [(&str, &str); 3] = [
    ("playback_terminators", "none"),
    ("continue_on_fail", "true"),
    ("hangup_after_bridge", "false"),
];

/// Where `say` takes its clock from (`mod_say_en.c` en_say_time). Times are handed to it as if in
/// UTC.
pub const TIMEZONE: &str = "timezone";

/// What some orders set besides.
const MORE: [&str; 5] =
    [TIMEZONE, "import", "ringback", "transfer_ringback", "origination_cancel_key"];

/// The values that the channel had before us.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Former(BTreeMap<&'static str, String>);

impl Former {
    pub fn of(event: &Event) -> Self {
        let names = OURS.iter().map(|(name, _)| *name).chain(MORE);
        Self(names.filter_map(|name| Some((name, variable(event, name)?))).collect())
    }

    /// Puts everything back, and lets the connection's end mean nothing any more: a late end of it
    /// would tear the call from where it has gone (`mod_event_socket.c` listener_run).
    pub fn put_back(&self, channel: &ChannelId) -> Command {
        let former = |name: &str| self.0.get(name).map_or("", String::as_str);
        let names = OURS.iter().map(|(name, _)| *name).chain(MORE);
        let mut variables: Vec<_> = names.map(|name| pair(name, former(name))).collect();
        variables.push(pair("socket_resume", ""));
        set(channel, variables)
    }
}

/// Takes the call over from the dialplan, whose timer would take it back and which counts its
/// offers in vain (`dialplan/callwright.xml`), and makes the channel fit for a call of ours.
pub fn prepare(channel: &ChannelId) -> [Command; 2] {
    let mut variables: Vec<_> = OURS.iter().map(|(name, value)| pair(name, value)).collect();
    variables.push(pair("callwright_tries", ""));
    [Command::Api(Api::SchedDel { channel: channel.clone() }), set(channel, variables)]
}

/// Says why a call goes back to the dialplan, and that it goes on there at once.
pub fn refuse(channel: &ChannelId, reason: &str) -> Command {
    set(channel, vec![pair("callwright_refused", reason), pair("socket_resume", "true")])
}

/// Makes `say` take times as they are given.
pub fn speak_utc(channel: &ChannelId) -> Command {
    set(channel, vec![pair(TIMEZONE, "UTC")])
}

/// What a flow asks to be set.
///
/// # Errors
/// A name or value that can't be carried safely.
pub fn chosen(
    channel: &ChannelId,
    variables: &BTreeMap<String, String>,
) -> Result<Command, Refused> {
    let pairs = variables
        .iter()
        .map(|(name, value)| Ok((VariableName::new(name)?, VariableValue::new(value)?)))
        .collect::<Result<Vec<_>, Refused>>()?;
    Ok(set(channel, pairs))
}

pub(super) fn set(channel: &ChannelId, variables: Vec<(VariableName, VariableValue)>) -> Command {
    Command::Api(Api::SetVariables { channel: channel.clone(), variables })
}

#[allow(clippy::unwrap_used, reason = "the names are constants of ours, and well-formed")]
pub(super) fn pair(name: &str, value: &str) -> (VariableName, VariableValue) {
    (VariableName::new(name).unwrap(), VariableValue::cleaned(value))
}
