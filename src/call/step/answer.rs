//! `answer`: the call is answered, then a pause.

use serde::{Deserialize, Serialize};

use super::{Heard, Next, Running};
use crate::call::Call;
use crate::call::describe;
use crate::call::output::Action;
use crate::call::state::Awaited;
use crate::call::timer::Timer;
use crate::flow::kind::answer::Answer;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::call) enum ExpectAnswer {
    Answered,
    PauseEnd,
}

pub(in crate::call) fn enter(call: &mut Call, answer: &Answer) -> (Running, Next) {
    let mut state = ExpectAnswer::Answered;
    let next = if call.state.answered_ms.is_some() {
        state.pause(call, answer)
    } else {
        call.expect(Action::Answer, Awaited::Other, 0);
        Next::Wait
    };
    (Running::Answer(state), next)
}

impl ExpectAnswer {
    fn pause(&mut self, call: &mut Call, answer: &Answer) -> Next {
        if answer.pause.ms() == 0 {
            return Next::done();
        }
        *self = Self::PauseEnd;
        call.state.after(Timer::Pause, answer.pause.ms());
        Next::Wait
    }

    pub(in crate::call) fn hear(&mut self, call: &mut Call, answer: &Answer, heard: Heard) -> Next {
        match heard {
            Heard::Key(key) => {
                call.keep_key(key);
                Next::Wait
            }
            Heard::Ended(ending) => match describe::failure(&ending) {
                Some(why) => Next::failed(why),
                None => {
                    call.answered();
                    self.pause(call, answer)
                }
            },
            Heard::Due(_) => Next::done(),
            Heard::Answer(_) | Heard::Bridged(_) | Heard::Room(_) => Next::Wait,
        }
    }
}
