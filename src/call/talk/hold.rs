//! Hold: one party waits with music.

use crate::base::ids::ChannelId;
use crate::call::Call;
use crate::call::operator::Obeyed;
use crate::call::output::Action;

impl Call {
    /// A phone's own hold: `far` is the other party's channel, none the caller's.
    pub(in crate::call) fn held_by_phone(&mut self, far: Option<&ChannelId>, on: bool) {
        if far.is_some_and(|far| self.state.bridged.as_ref() != Some(far)) {
            return;
        }
        if far.is_none() {
            self.recording_held(on);
        }
        let who = if far.is_some() { "the other party's" } else { "the caller's" };
        let what = if on { "put the call on hold" } else { "took the call back from hold" };
        self.notice(format!("{who} phone {what}"));
    }

    /// FreeSWITCH lets the leg that is put on hold hear nothing, and the other one music.
    pub(in crate::call) fn hold(&mut self, on: bool) -> Obeyed {
        let what = if on { "put the caller on hold" } else { "take the caller back from hold" };
        self.notice(format!("an operator asks to {what}"));
        let Some(far) = self.state.bridged.clone() else {
            return Err("only a conversation can be held".to_owned());
        };
        if self.state.talk.held == on {
            let why =
                if on { "the caller is on hold already" } else { "the caller is not on hold" };
            return Err(why.to_owned());
        }
        self.state.talk.held = on;
        self.order(Action::Hold { far, on });
        self.worth_writing();
        Ok(())
    }
}
