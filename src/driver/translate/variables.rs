//! Channel variables that we set on the caller's channel, and put back when the call leaves us.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::arrival::variable;
use crate::base::ids::ChannelId;
use crate::esl::argument::{Refused, VariableName, VariableValue, Word};
use crate::esl::command::{Api, Command};
use crate::esl::event::Event;
use crate::model::sip::{ENCRYPTION_IN, MediaEncryption};

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

/// A stroke for each offer to a process of ours in vain (`dialplan/callwright.xml`).
const TRIES: &str = "callwright_tries";
/// The dialplan's timer that takes the call back from a process that keeps silent.
const TIMER: &str = "callwright_timer";
/// Where a call's state is kept, sealed.
pub const STATE: &str = "callwright_state";

/// Where our dialplan brings a call back to us: no variable of the channel's.
const BACK: &str = "context";
/// Where our dialplan takes a channel that somebody's phone sends elsewhere.
const TRANSFERS: &str = "callwright_transfers";
/// That it came from there.
const REFERRED: &str = "callwright_referred";
/// What the far party's channel carries of its call, sealed.
pub const TIE: &str = "callwright_tie";
/// Where mod_sofia has a channel go that it transfers (`switch_ivr.c` switch_ivr_session_transfer).
const FORCED: [&str; 2] = ["force_transfer_dialplan", "force_transfer_context"];

/// What some orders set besides.
const MORE: [&str; 10] = [
    TIMEZONE,
    "import",
    "ringback",
    "transfer_ringback",
    "origination_cancel_key",
    "conference_controls",
    "hangup_after_conference",
    "conference_enforce_security",
    "conference_max_members",
    "conference_moh_sound",
];

/// The values that the channel had before us.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Former(BTreeMap<String, String>);

impl Former {
    pub fn of(event: &Event) -> Self {
        let names = OURS.iter().map(|(name, _)| *name).chain(MORE).chain(FORCED);
        let mut former: BTreeMap<_, _> =
            names.filter_map(|name| Some((name.to_owned(), variable(event, name)?))).collect();
        let ours = event.variable("callwright_offered").is_some_and(|value| value == "true");
        let context = event.text("Caller-Context").map(|context| context.into_owned());
        if let Some(context) = context.filter(|context| ours && Word::new(BACK, context).is_ok()) {
            former.insert(BACK.to_owned(), context);
        }
        let transfers = variable(event, TRANSFERS).filter(|_| ours);
        if let Some(transfers) = transfers.filter(|name| Word::new(TRANSFERS, name).is_ok()) {
            former.insert(TRANSFERS.to_owned(), transfers);
        }
        Self(former)
    }

    /// The context of the dialplan that brings the call back when it has left our connection.
    pub fn way_back(&self) -> Option<&str> {
        self.0.get(BACK).map(String::as_str)
    }

    /// The context of the dialplan that brings a channel back which somebody's phone sends
    /// elsewhere.
    pub fn transfers(&self) -> Option<Word> {
        Word::new(TRANSFERS, self.0.get(TRANSFERS)?).ok()
    }

    /// What has a phone's transfer bring the channel back.
    pub fn forced(&self) -> Vec<(VariableName, VariableValue)> {
        let context = self.0.get(TRANSFERS);
        let values = context.map(|context| FORCED.iter().zip(["XML", context.as_str()]));
        values.into_iter().flatten().map(|(name, value)| pair(name, value)).collect()
    }

    /// Puts everything back, and lets the connection's end mean nothing any more: a late end of it
    /// would tear the call from where it has gone (`mod_event_socket.c` listener_run).
    pub fn put_back(&self, channel: &ChannelId) -> Command {
        let former = |name: &str| self.0.get(name).map_or("", String::as_str);
        let names = OURS.iter().map(|(name, _)| *name).chain(MORE).chain(FORCED);
        let mut variables: Vec<_> = names.map(|name| pair(name, former(name))).collect();
        variables.extend([pair("socket_resume", ""), pair(STATE, "")]);
        set(channel, variables)
    }
}

/// What makes the channel fit for a call of ours, and says in the dialplan that we have it.
pub fn ours() -> Vec<(VariableName, VariableValue)> {
    let said = [("callwright_refused", ""), (TRIES, ""), (REFERRED, ""), (TIE, "")];
    OURS.iter().chain(&said).map(|(name, value)| pair(name, value)).collect()
}

/// The name of [`STATE`].
pub fn state_name() -> VariableName {
    named(STATE)
}

/// The name of [`TIE`].
pub fn tie_name() -> VariableName {
    named(TIE)
}

/// The name of the variable with the context that brings a far party to us.
pub fn transfers_name() -> VariableName {
    named(FORCED[1])
}

/// Keeps the sound of the channel encrypted: an offer without keys is declined from now on, be it
/// the first one that FreeSWITCH reads or a later one.
pub fn stay_encrypted(channel: &ChannelId) -> Command {
    let word = MediaEncryption::Required.word().unwrap_or_default();
    set(channel, vec![pair(ENCRYPTION_IN, word)])
}

/// Has a broken connection cut what plays, and the dialplan go on at once.
pub fn cut(channel: &ChannelId) -> Command {
    set(channel, vec![pair("socket_resume", "true")])
}

/// Takes back the dialplan's timer, or whatever is scheduled for the channel where it has another
/// dialplan.
pub fn cancel_timer(channel: &ChannelId, facts: &Event) -> Command {
    let task = facts.variable(TIMER).and_then(|task| task.number());
    Command::Api(match task {
        Some(task) => Api::CancelTask { task },
        None => Api::SchedDel { channel: channel.clone() },
    })
}

/// Whether the dialplan's offer has been taken by somebody since it was made: a process that was
/// stopped finds such connections when it wakes up.
pub fn is_taken(facts: &Event) -> bool {
    let is_offer = facts.variable("callwright_offered").is_some_and(|value| value == "true");
    is_offer && facts.variable(TRIES).is_none_or(|tries| tries.text().is_empty())
}

/// A call's state, and what becomes of what runs when the connection breaks.
pub fn state(state: VariableValue, cut: bool) -> [(VariableName, VariableValue); 2] {
    [(named(STATE), state), pair("socket_resume", if cut { "true" } else { "false" })]
}

/// To which number somebody's phone sent the channel, so that it came here.
pub fn referred(facts: &Event) -> Option<String> {
    let is = facts.variable(REFERRED).is_some_and(|value| value == "true");
    is.then(|| facts.text("Caller-Destination-Number").unwrap_or_default().into_owned())
}

/// Ties a channel to the call with whose caller it speaks.
pub fn tie(channel: &ChannelId, tie: VariableValue) -> Command {
    set(channel, vec![(named(TIE), tie)])
}

/// Forgets how the last dial and the last recording ended.
pub fn no_result() -> [(VariableName, VariableValue); 2] {
    ["originate_disposition", "record_ms"].map(|name| pair(name, ""))
}

/// Says why a call goes back to the dialplan, and that it goes on there at once: its state stays
/// for another process.
pub fn pass_on(channel: &ChannelId, reason: &str) -> Command {
    set(channel, vec![pair("callwright_refused", reason), pair("socket_resume", "true")])
}

/// The same for a call that no process of ours is to have.
pub fn refuse(channel: &ChannelId, reason: &str) -> Command {
    let variables = [("callwright_refused", reason), ("socket_resume", "true"), (STATE, "")];
    set(channel, variables.iter().map(|(name, value)| pair(name, value)).collect())
}

/// Forgets what an earlier order left.
pub fn unset(channel: &ChannelId, name: &str) -> Command {
    set(channel, vec![pair(name, "")])
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

pub(in crate::driver) fn set(
    channel: &ChannelId,
    variables: Vec<(VariableName, VariableValue)>,
) -> Command {
    Command::Api(Api::SetVariables { channel: channel.clone(), variables })
}

pub(in crate::driver) fn pair(name: &str, value: &str) -> (VariableName, VariableValue) {
    (named(name), VariableValue::cleaned(value))
}

#[allow(clippy::unwrap_used, reason = "the names are constants of ours, and well-formed")]
fn named(name: &str) -> VariableName {
    VariableName::new(name).unwrap()
}
