//! What operators do with a call that is up. What can't be done is noted, and changes nothing.

use super::input::{Command, OPERATOR, Ordered};
use super::output::{Action, ActionId, Output};
use super::talk::record::Wish;
use super::timer::Timer;
use super::{Call, address, describe};
use crate::base::cause::{HangupCause, Party, Termination};
use crate::model::talk::Side;

/// How long the switch may take to let go of a call that was transferred.
const DEPARTURE_MS: u64 = 5_000;

/// Whether something was done, or why not, in words.
pub(in crate::call) type Obeyed = Result<(), String>;

/// The call leaves us for where an operator sent it.
#[derive(Debug)]
pub(in crate::call) struct Departure {
    action: ActionId,
    termination: Termination,
}

impl Call {
    /// Whoever asked hears whether it is done, or why not.
    pub(in crate::call) fn command(&mut self, ordered: Ordered) {
        let by = describe::clean(&ordered.by);
        self.live.operator = Some(by.clone());
        let obeyed = self.obey(&by, ordered.command);
        if let Err(why) = &obeyed {
            self.notice(format!("what {by} asked for is not done: {why}"));
        }
        self.live.operator = None;
        self.outputs.push_back(Output::Answered(obeyed));
    }

    /// Who gives the command that is being carried out.
    pub(in crate::call) fn operator(&self) -> String {
        self.live.operator.clone().unwrap_or_else(|| OPERATOR.to_owned())
    }

    pub(in crate::call) fn obey(&mut self, by: &str, command: Command) -> Obeyed {
        match command {
            Command::Hangup { cause } => {
                self.hang_up_by_operator(by, cause);
                Ok(())
            }
            _ if self.state.closing.is_some() || self.is_leaving() => {
                Err("the call is about to end".to_owned())
            }
            _ if self.is_placing() => Err("nobody has answered yet".to_owned()),
            Command::Hold { on, side } => self.hold(by, side, on),
            Command::Send { side, to } => self.send(by, side, &to),
            Command::SendBoth { to } => self.send_both(by, &to),
            Command::Move { step } => self.move_to_step(by, &step),
            Command::Consult { side, to } => self.consult(by, side, &to),
            Command::Toggle => self.toggle(),
            Command::Complete => self.complete(),
            Command::Merge => self.merge(),
            Command::Cancel => self.cancel(),
            Command::Transfer { extension, context } => {
                self.transfer_by_operator(by, &extension, context.as_deref())
            }
            Command::Answer => self.answer_for_flow(),
            Command::Play { prompt, to } => self.play_to(&prompt, to),
            Command::Say { text, kind, language, to } => self.say_to(&text, kind, language, to),
            Command::Dtmf { side, digits } => self.send_keys(side, digits),
            Command::Park { side, slot } => self.park(by, side, slot),
            Command::Retrieve { to } => self.retrieve_for(&to),
            Command::Monitor(order) => self.monitor(order),
            Command::Room(op) => self.in_room(Side::Caller, op),
            Command::FarInRoom(op) => self.in_room(Side::Far, op),
            Command::Record { action } => {
                self.notice(format!("{by} asks for the recording: {}", action.name()));
                self.change_recording(action, Wish::CALL)
            }
        }
    }

    fn transfer_by_operator(&mut self, by: &str, extension: &str, context: Option<&str>) -> Obeyed {
        let shown = address::user(extension).map(|extension| self.party(&extension));
        let Some((extension, shown)) = address::user(extension).zip(shown) else {
            return Err("that is no extension".to_owned());
        };
        self.notice(format!("{by} asks to transfer the call to {shown}"));
        let allowed = &self.program.settings.contexts;
        let found = match context {
            Some(context) => allowed.iter().find(|known| *known == context),
            None => allowed.first(),
        };
        let Some(context) = found.cloned() else {
            let context = describe::clean(context.unwrap_or("any context"));
            return Err(format!("the tenant may not transfer to {context}"));
        };
        self.unpark();
        // The switch would go on with it wherever the call goes.
        self.stop_recording();
        let to = format!("{shown} in {}", describe::clean(&context));
        let (party, cause) = (Party::Operator, HangupCause::BlindTransfer);
        let reason = format!("{by} transferred the call to {to}");
        let action = self.order(Action::Transfer { extension, context });
        let termination = Termination { party, cause, reason };
        self.live.departure = Some(Departure { action, termination });
        self.state.after(Timer::HangupOverdue, DEPARTURE_MS);
        Ok(())
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
