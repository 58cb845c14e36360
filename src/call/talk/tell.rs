//! What an operator has the parties hear, and a call that an operator answers for its flow.

use crate::base::ids::{ChannelId, PromptName};
use crate::call::Call;
use crate::call::operator::Obeyed;
use crate::call::output::{Action, Media};
use crate::model::talk::Hearers;

impl Call {
    pub(in crate::call) fn answer_for_flow(&mut self) -> Obeyed {
        if self.state.answered_ms.is_some() {
            return Err("the call is answered already".to_owned());
        }
        self.notice(format!("{} answers the call", self.operator()));
        self.order(Action::PickUp);
        Ok(())
    }

    pub(in crate::call) fn play_to(&mut self, prompt: &PromptName, to: Hearers) -> Obeyed {
        let media = self.file(prompt)?;
        let to = self.hearers(to)?;
        self.notice(format!("{} has {to} hear {prompt}", self.operator()));
        self.let_hear(to, &media)
    }

    /// Who of those hears anything at all.
    pub(in crate::call) fn hearers(&self, to: Hearers) -> Result<Hearers, String> {
        if self.talking(to)?.is_some() {
            return Ok(to);
        }
        if self.state.answered_ms.is_none() {
            return Err("the call is not answered yet".to_owned());
        }
        Ok(Hearers::Caller)
    }

    /// In the place of the other party by who talks, and by a caller who does not beside whatever
    /// plays.
    pub(in crate::call) fn let_hear(&mut self, to: Hearers, media: &Media) -> Obeyed {
        if let Some(hearers) = self.talking(to)? {
            self.tell_each(hearers, media);
        } else {
            self.order(Action::Overlay { media: media.clone(), far: None });
        }
        Ok(())
    }

    /// Who of those talks; nobody where the caller speaks with nobody.
    fn talking(&self, to: Hearers) -> Result<Option<Vec<ChannelId>>, String> {
        let caller = self.state.channel().clone();
        match (to, self.state.bridged.clone()) {
            (Hearers::Far, None) => Err("the caller speaks with nobody".to_owned()),
            (_, None) => Ok(None),
            (Hearers::Caller, Some(_)) => Ok(Some(vec![caller])),
            (Hearers::Far, Some(far)) => Ok(Some(vec![far])),
            (Hearers::Both, Some(far)) => Ok(Some(vec![caller, far])),
        }
    }

    fn tell_each(&mut self, hearers: Vec<ChannelId>, media: &Media) {
        for channel in hearers {
            self.order(Action::Tell { channel, media: media.clone() });
        }
    }
}
