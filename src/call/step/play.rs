//! `play`: the caller hears something, once or more often.

use serde::{Deserialize, Serialize};

use super::{Heard, Next, Running};
use crate::base::digits::Digits;
use crate::call::Call;
use crate::call::describe;
use crate::call::listen::every_key;
use crate::flow::kind::play::Play;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::call) struct ExpectEnd {
    /// How often the whole list has been played.
    pub(in crate::call) round: u8,
}

pub(in crate::call) fn enter(call: &mut Call, play: &Play, round: u8) -> (Running, Next) {
    let state = ExpectEnd { round };
    let next = if play.barge_in && !call.state.ahead.is_empty() {
        Next::leave(crate::flow::Outcome::Done, "passed over: a key was pressed ahead")
    } else {
        state.play(call, play)
    };
    (Running::Play(state), next)
}

impl ExpectEnd {
    fn play(&self, call: &mut Call, play: &Play) -> Next {
        let media = match call.media(&play.prompts, None) {
            Ok(media) => media,
            Err(missing) => return Next::failed(missing),
        };
        let stop_on = if play.barge_in { every_key() } else { Digits::default() };
        if call.play(media, stop_on) { Next::Wait } else { Next::done() }
    }

    pub(in crate::call) fn hear(&mut self, call: &mut Call, play: &Play, heard: Heard) -> Next {
        match heard {
            Heard::Key(key) => {
                call.keep_key(key);
                if play.barge_in {
                    call.stopped_by_key();
                    return Next::leave(crate::flow::Outcome::Done, "a key was pressed");
                }
                Next::Wait
            }
            Heard::Ended(ending) => {
                if let Some(why) = describe::failure(&ending) {
                    return Next::failed(why);
                }
                self.round = self.round.saturating_add(1);
                if self.round >= play.times { Next::done() } else { self.play(call, play) }
            }
            Heard::Due(_) | Heard::Answer(_) | Heard::Bridged(_) | Heard::Room(_) => Next::Wait,
        }
    }
}
