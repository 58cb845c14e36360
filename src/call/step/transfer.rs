//! `transfer`: the call leaves us for the dialplan.

use serde::{Deserialize, Serialize};

use super::{Heard, Next, Running};
use crate::base::cause::{HangupCause, Party, Termination};
use crate::call::output::Action;
use crate::call::state::Awaited;
use crate::call::{Call, address, describe};
use crate::flow::kind::transfer::Transfer;

/// Where the call goes, for the record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::call) struct ExpectDeparture {
    to: String,
}

pub(in crate::call) fn enter(call: &mut Call, transfer: &Transfer) -> (Running, Next) {
    let state = |to: String| Running::Transfer(ExpectDeparture { to });
    let (text, secret) = call.render(&transfer.extension);
    let Some(extension) = address::user(&text) else {
        let source = describe::clean(transfer.extension.source());
        return (state(String::new()), Next::failed(format!("`{source}` is not an extension")));
    };
    let allowed = &call.program.settings.contexts;
    let context = match &transfer.context {
        Some(context) => allowed.iter().find(|known| *known == context),
        None => allowed.first(),
    };
    let Some(context) = context.cloned() else {
        let why = "no context to transfer to is allowed";
        return (state(String::new()), Next::failed(why));
    };
    let shown = if secret { "•••".to_owned() } else { call.party(&extension) };
    let to = format!("{shown} in {}", describe::clean(&context));
    // The switch would go on with it wherever the call goes.
    call.stop_recording();
    call.expect(Action::Transfer { extension, context }, Awaited::Other, 0);
    (state(to), Next::Wait)
}

impl ExpectDeparture {
    pub(in crate::call) fn hear(&self, call: &mut Call, heard: Heard) -> Next {
        match heard {
            Heard::Ended(ending) => match describe::failure(&ending) {
                Some(why) => Next::failed(why),
                None => Next::Gone(self.termination()),
            },
            Heard::Key(_) => {
                call.notice("a key is dropped: the call is being transferred");
                Next::Wait
            }
            Heard::Due(_) | Heard::Answer(_) | Heard::Bridged(_) | Heard::Room(_) => Next::Wait,
        }
    }

    /// How the call ends for us when it has gone.
    pub(in crate::call) fn termination(&self) -> Termination {
        Termination {
            party: Party::Flow,
            cause: HangupCause::BlindTransfer,
            reason: format!("the flow transferred the call to {}", self.to),
        }
    }
}
