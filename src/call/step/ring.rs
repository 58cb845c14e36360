//! `ring`: the caller's phone is told that it rings, for a while.

use serde::{Deserialize, Serialize};

use super::{Heard, Next, Running};
use crate::call::Call;
use crate::call::describe;
use crate::call::output::Action;
use crate::call::state::Awaited;
use crate::call::timer::Timer;
use crate::flow::kind::answer::Ring;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::call) enum ExpectRinging {
    Begin,
    End,
}

pub(in crate::call) fn enter(call: &mut Call, _: &Ring) -> (Running, Next) {
    call.expect(Action::Ring, Awaited::Other, 0);
    (Running::Ring(ExpectRinging::Begin), Next::Wait)
}

impl ExpectRinging {
    pub(in crate::call) fn hear(&mut self, call: &mut Call, ring: &Ring, heard: Heard) -> Next {
        match heard {
            Heard::Key(key) => {
                call.keep_key(key);
                Next::Wait
            }
            Heard::Ended(ending) => match describe::failure(&ending) {
                Some(why) => Next::failed(why),
                None if ring.duration.ms() == 0 => Next::done(),
                None => {
                    *self = Self::End;
                    call.state.after(Timer::Pause, ring.duration.ms());
                    Next::Wait
                }
            },
            Heard::Due(_) => Next::done(),
            Heard::Answer(_) | Heard::Bridged(_) | Heard::Room(_) => Next::Wait,
        }
    }
}
