//! `dtmf`: keys are sent to the caller. FreeSWITCH takes them at once and sends them by itself, so
//! that a call which changes hands has them sent only once.

use serde::{Deserialize, Serialize};

use super::{Heard, Next, Running};
use crate::base::digits::Keying;
use crate::call::Call;
use crate::call::describe;
use crate::call::output::Action;
use crate::call::state::Awaited;
use crate::call::timer::Timer;
use crate::flow::kind::dtmf::Dtmf;

/// What the first key waits until it sounds, at most.
const LEAD_MS: u64 = 200;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::call) struct ExpectSent {
    /// On the call's clock.
    until_ms: u64,
}

pub(in crate::call) fn enter(call: &mut Call, dtmf: &Dtmf) -> (Running, Next) {
    // What is wrong is said without the text: it may be a secret.
    let keys = match call.render(&dtmf.digits).0.parse::<Keying>() {
        Ok(keys) => keys,
        Err(error) => return (Running::Nothing, Next::failed(error.to_string())),
    };
    let sends_ms = LEAD_MS + keys.length_ms(dtmf.length.ms());
    let channel = call.state.channel().clone();
    let action = Action::SendKeys { channel, keys, length: dtmf.length };
    call.expect(action, Awaited::Other, sends_ms);
    call.state.after(Timer::Pause, sends_ms);
    call.worth_writing();
    (Running::Dtmf(ExpectSent { until_ms: call.state.age_ms.saturating_add(sends_ms) }), Next::Wait)
}

/// FreeSWITCH has them.
pub(in crate::call) fn resume(call: &mut Call, left: ExpectSent) -> (Running, Next) {
    let rest_ms = left.until_ms.saturating_sub(call.state.age_ms);
    call.state.after(Timer::Pause, rest_ms);
    (Running::Dtmf(left), Next::Wait)
}

impl ExpectSent {
    pub(in crate::call) fn hear(&self, call: &mut Call, heard: Heard) -> Next {
        match heard {
            Heard::Key(key) => {
                call.keep_key(key);
                Next::Wait
            }
            Heard::Ended(ending) => match describe::failure(&ending) {
                Some(why) => Next::failed(why),
                None => Next::Wait,
            },
            Heard::Due(_) => Next::done(),
            Heard::Answer(_) | Heard::Bridged(_) | Heard::Room(_) => Next::Wait,
        }
    }
}
