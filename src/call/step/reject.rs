//! `reject`: the call is declined; an answered one is hung up.

use super::{Next, Running};
use crate::base::cause::{HangupCause, Party, Termination};
use crate::call::Call;
use crate::flow::kind::answer::Reject;

pub(in crate::call) fn enter(call: &Call, reject: &Reject) -> (Running, Next) {
    let next = if call.state.answered_ms.is_some() {
        let reason = "the flow hung up: it would have declined an unanswered call".into();
        let cause = HangupCause::NormalClearing;
        Next::Close(Termination { party: Party::Flow, cause, reason })
    } else {
        Next::Decline(reject.reason)
    };
    (Running::Nothing, next)
}
