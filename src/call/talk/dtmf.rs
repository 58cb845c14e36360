//! Keys that an operator has sent to one of the parties.

use crate::base::digits::Keying;
use crate::call::Call;
use crate::call::operator::Obeyed;
use crate::call::output::Action;
use crate::flow::kind::dtmf::key_length;
use crate::model::talk::Side;

impl Call {
    /// `side` hears them, and nobody else.
    pub(in crate::call) fn send_keys(&mut self, side: Side, keys: Keying) -> Obeyed {
        let channel = match side {
            Side::Caller => self.state.channel().clone(),
            Side::Far => self.state.bridged.clone().ok_or("the caller speaks with nobody")?,
        };
        self.notice(format!("{} sends keys to {side}: {}", self.operator(), keys.keys()));
        self.order(Action::SendKeys { channel, keys, length: key_length() });
        Ok(())
    }
}
