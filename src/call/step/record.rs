//! `record`: the recording of the call is begun, ended or changed.

use serde::{Deserialize, Serialize};

use super::{Heard, Next, Running};
use crate::base::digits::Digits;
use crate::call::Call;
use crate::call::describe;
use crate::call::talk::record::Wish;
use crate::flow::Outcome;
use crate::flow::kind::record::{Record, RecordAction};

/// The end of what is played before the recording begins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::call) struct ExpectPrompts {}

pub(in crate::call) fn enter(call: &mut Call, record: &Record) -> (Running, Next) {
    let next = if record.action == RecordAction::Start && !call.is_recorded() {
        announce(call, record)
    } else {
        change(call, record)
    };
    (Running::Record(ExpectPrompts {}), next)
}

fn announce(call: &mut Call, record: &Record) -> Next {
    match call.media(&record.prompts, None) {
        Ok(media) => {
            if call.play(media, Digits::default()) {
                Next::Wait
            } else {
                change(call, record)
            }
        }
        Err(missing) => Next::failed(missing),
    }
}

/// What is asked for twice is there already.
fn change(call: &mut Call, record: &Record) -> Next {
    match call.change_recording(record.action, Wish::of(record)) {
        Ok(()) => Next::done(),
        Err(why) if call.is_recorded() || record.action == RecordAction::Stop => {
            Next::leave(Outcome::Done, why)
        }
        Err(why) => Next::failed(why),
    }
}

impl ExpectPrompts {
    pub(in crate::call) fn hear(&self, call: &mut Call, record: &Record, heard: Heard) -> Next {
        match heard {
            Heard::Key(key) => {
                call.keep_key(key);
                Next::Wait
            }
            Heard::Ended(ending) => match describe::failure(&ending) {
                Some(why) => Next::failed(why),
                None => change(call, record),
            },
            Heard::Due(_) | Heard::Answer(_) | Heard::Bridged(_) | Heard::Room(_) => Next::Wait,
        }
    }
}
