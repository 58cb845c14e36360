//! `hangup`: the call ends.

use super::{Next, Running};
use crate::base::cause::{Party, Termination};
use crate::flow::kind::hangup::Hangup;

pub(in crate::call) fn enter(hangup: &Hangup) -> (Running, Next) {
    let termination =
        Termination { party: Party::Flow, cause: hangup.cause, reason: "the flow hung up".into() };
    (Running::Nothing, Next::Close(termination))
}
