//! `hold`: the caller waits with music, until its time is over, a key, or an operator's word.

use serde::{Deserialize, Serialize};

use super::{Heard, Next, Running};
use crate::base::digits::Digits;
use crate::call::input::Ending;
use crate::call::output::Media;
use crate::call::timer::Timer;
use crate::call::{Call, describe};
use crate::flow::Outcome;
use crate::flow::kind::hold::Hold;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::call) struct ExpectRelease {
    /// On the call's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until_ms: Option<u64>,
}

pub(in crate::call) fn enter(call: &mut Call, hold: &Hold) -> (Running, Next) {
    call.drop_keys_ahead();
    let until_ms = hold.duration.map(|length| call.state.age_ms.saturating_add(length.ms()));
    resume(call, hold, ExpectRelease { until_ms })
}

/// What is left of the time stays.
pub(in crate::call) fn resume(
    call: &mut Call,
    hold: &Hold,
    left: ExpectRelease,
) -> (Running, Next) {
    if let Some(until_ms) = left.until_ms {
        let rest_ms = until_ms.saturating_sub(call.state.age_ms);
        call.state.after(Timer::Pause, rest_ms);
    }
    wait(call, hold);
    (Running::Hold(left), Next::Wait)
}

pub(in crate::call) fn hear(call: &mut Call, hold: &Hold, heard: Heard) -> Next {
    match heard {
        Heard::Key(key) => {
            if hold.cancel_key.as_ref().is_some_and(|keys| keys.contains(key)) {
                call.trace_key(key, false);
                return Next::leave(Outcome::Cancelled, "the caller pressed a key that ends it");
            }
            Next::Wait
        }
        Heard::Ended(ending) => over(call, hold, &ending),
        Heard::Due(_) => Next::leave(Outcome::Done, "the caller has waited long enough"),
        Heard::Answer(_) | Heard::Bridged(_) | Heard::Room(_) => Next::Wait,
    }
}

/// Music that can't be played gives way to the tone, and is tried no more.
fn over(call: &mut Call, hold: &Hold, ending: &Ending) -> Next {
    let failure = describe::failure(ending);
    if let Some(why) = failure.filter(|_| call.is_tuneless()) {
        return Next::failed(why);
    }
    if describe::failure(ending).is_some() {
        call.lose_music();
    }
    wait(call, hold);
    Next::Wait
}

fn wait(call: &mut Call, hold: &Hold) {
    let own = hold.music.as_ref().filter(|_| !call.is_tuneless()).map(|name| call.file(name));
    let music: Media = match own {
        Some(Ok(file)) => file,
        Some(Err(_)) | None => call.music(),
    };
    call.play(vec![music], Digits::default());
}
