//! What operators do with a call that is up. What can't be done is noted, and changes nothing.

use serde::{Deserialize, Serialize};

use super::input::Command;
use super::output::{Action, ActionId};
use super::state::RECORDINGS_MAX;
use super::timer::Timer;
use super::{Call, address, describe};
use crate::base::cause::{HangupCause, Party, Termination};
use crate::model::record::RecordingNote;

/// How long the switch may take to let go of a call that was transferred.
const DEPARTURE_MS: u64 = 5_000;

/// What an operator began and nothing has ended yet.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::call) struct Begun {
    /// The caller waits with music.
    #[serde(skip_serializing_if = "is_not")]
    held: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    recording: Option<Recording>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
const fn is_not(held: &bool) -> bool {
    !*held
}

/// A recording of the whole call that runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Recording {
    name: String,
    /// On the call's clock.
    began_ms: u64,
}

/// The call leaves us for where an operator sent it.
#[derive(Debug)]
pub(in crate::call) struct Departure {
    action: ActionId,
    termination: Termination,
}

impl Begun {
    pub(in crate::call) fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// The conversation is over, and with it the hold.
    pub(in crate::call) fn parted(&mut self) {
        self.held = false;
    }
}

impl Call {
    pub(in crate::call) fn command(&mut self, command: Command) {
        match command {
            Command::Hangup { cause } => self.hang_up_by_operator(cause),
            _ if self.state.closing.is_some() || self.is_leaving() => {
                self.notice("an operator's command is dropped: the call is about to end");
            }
            Command::Hold { on } => self.hold(on),
            Command::Transfer { extension, context } => {
                self.transfer_by_operator(&extension, context.as_deref());
            }
            Command::Record { on: true } => self.start_recording(),
            Command::Record { on: false } => {
                self.notice("an operator asks to stop the recording");
                if !self.stop_recording() {
                    self.notice("nothing is being recorded for an operator");
                }
            }
        }
    }

    /// FreeSWITCH lets the leg that is put on hold hear nothing, and the other one music.
    fn hold(&mut self, on: bool) {
        let what = if on { "put the caller on hold" } else { "take the caller back from hold" };
        self.notice(format!("an operator asks to {what}"));
        let Some(far) = self.state.bridged.clone() else {
            return self.notice("only a conversation can be held");
        };
        if self.state.begun.held == on {
            return self.notice(if on {
                "the caller is on hold already"
            } else {
                "the caller is not on hold"
            });
        }
        self.state.begun.held = on;
        self.order(Action::Hold { far, on });
        self.worth_writing();
    }

    fn start_recording(&mut self) {
        self.notice("an operator asks to record the call");
        let full = self.state.recordings.len() >= RECORDINGS_MAX;
        let why = match &self.state.begun.recording {
            Some(_) => "the call is being recorded already",
            None if self.state.answered_ms.is_none() => "a call that rings can't be recorded",
            None if full => "the call has too many recordings",
            None => "",
        };
        if !why.is_empty() {
            return self.notice(why);
        }
        self.state.counters.files += 1;
        let name = format!("{}-{}", self.state.arrival.call, self.state.counters.files);
        let path = self.recording_path(&name);
        self.state.begun.recording = Some(Recording { name, began_ms: self.state.age_ms });
        self.order(Action::RecordCall { path, on: true });
        self.worth_writing();
    }

    /// False where nothing is being recorded.
    pub(in crate::call) fn stop_recording(&mut self) -> bool {
        let Some(path) = self.keep_recording() else { return false };
        self.order(Action::RecordCall { path, on: false });
        self.worth_writing();
        true
    }

    /// Keeps what was recorded until now; the switch stops by itself at the channel's end.
    pub(in crate::call) fn keep_recording(&mut self) -> Option<String> {
        let Recording { name, began_ms } = self.state.begun.recording.take()?;
        let length_ms = self.state.age_ms.saturating_sub(began_ms);
        let path = self.recording_path(&name);
        if self.state.recordings.len() < RECORDINGS_MAX {
            self.state.recordings.push(RecordingNote { name, path: path.clone(), length_ms });
        }
        Some(path)
    }

    /// Where the recording of this name is.
    pub(in crate::call) fn recording_path(&self, name: &str) -> String {
        format!("{}/{name}.wav", self.program.settings.message_directory)
    }

    fn transfer_by_operator(&mut self, extension: &str, context: Option<&str>) {
        let shown = address::user(extension).map(|extension| self.party(&extension));
        let Some((extension, shown)) = address::user(extension).zip(shown) else {
            return self.notice("an operator asks to transfer the call to what is no extension");
        };
        self.notice(format!("an operator asks to transfer the call to {shown}"));
        let allowed = &self.program.settings.contexts;
        let found = match context {
            Some(context) => allowed.iter().find(|known| *known == context),
            None => allowed.first(),
        };
        let Some(context) = found.cloned() else {
            let context = describe::clean(context.unwrap_or("any context"));
            return self.notice(format!("the tenant may not transfer to {context}"));
        };
        // The switch would go on with it wherever the call goes.
        self.stop_recording();
        let to = format!("{shown} in {}", describe::clean(&context));
        let (party, cause) = (Party::Operator, HangupCause::BlindTransfer);
        let reason = format!("an operator transferred the call to {to}");
        let action = self.order(Action::Transfer { extension, context });
        let termination = Termination { party, cause, reason };
        self.live.departure = Some(Departure { action, termination });
        self.state.after(Timer::HangupOverdue, DEPARTURE_MS);
    }

    /// How the call ends where an operator sent it away.
    pub(in crate::call) fn sent_away(&self) -> Option<Termination> {
        self.live.departure.as_ref().map(|departure| departure.termination.clone())
    }

    pub(in crate::call) fn is_leaving(&self) -> bool {
        self.live.departure.is_some()
    }

    pub(in crate::call) fn departs_by(&self, id: ActionId) -> bool {
        self.live.departure.as_ref().is_some_and(|departure| departure.action == id)
    }

    /// Whether this was the order to leave, and the switch has the call.
    pub(in crate::call) fn left_by(&mut self, id: ActionId) -> bool {
        let departure = self.live.departure.take_if(|departure| departure.action == id);
        let Some(departure) = departure else { return false };
        self.last_words();
        self.finish(departure.termination);
        true
    }

    /// Whether this was the order to leave; the call stays then.
    pub(in crate::call) fn stays(&mut self, id: ActionId) -> bool {
        let departure = self.live.departure.take_if(|departure| departure.action == id);
        if departure.is_some() {
            self.state.timers.clear(Timer::HangupOverdue);
        }
        departure.is_some()
    }
}
