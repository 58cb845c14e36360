//! The name that a caller says before joining a room, for the others to hear then and when the
//! caller goes. It is a file of its own, kept as long as the caller is in the room.

use super::{Expect, ExpectRoom, Next};
use crate::base::digits::{Digit, Digits};
use crate::base::millis::Millis;
use crate::call::input::Ending;
use crate::call::output::{Action, Media, RecordOrder};
use crate::call::room::{RoomOrder, RoomSound};
use crate::call::{Call, describe};
use crate::flow::kind::conference::Conference;
use crate::flow::prompt::TonePrompt;
use crate::model::recording;

/// How long a name may be, after how much silence it is over, and what is none, in ms.
const NAME_MS: u64 = 5_000;
const SILENCE_MS: u64 = 2_000;
const NAME_MIN_MS: u64 = 300;
/// The tone after which it is said: Hz and ms.
const BEEP: (u16, u64) = (1_000, 300);
/// The file is thrown away so much later than it is ordered to be played: until then FreeSWITCH
/// has opened it.
const FORGET_MS: u64 = 5_000;

impl ExpectRoom {
    pub(super) fn ask_name(&mut self, call: &mut Call, step: &Conference) -> Next {
        let mut media = match call.media(&step.name_prompts, None) {
            Ok(media) => media,
            Err(missing) => return Next::failed(missing),
        };
        let (on, off) = (Millis(BEEP.1), Millis(0));
        media.push(Media::Tone(TonePrompt { tone: vec![BEEP.0], on, off, times: 1 }));
        self.expect = Expect::NamePrompt;
        call.worth_writing();
        call.play(media, Digits::default());
        Next::Wait
    }

    pub(super) fn name_prompted(&mut self, call: &mut Call, ending: &Ending) -> Next {
        if let Some(why) = describe::failure(ending) {
            return Next::failed(why);
        }
        self.expect = Expect::Name;
        call.worth_writing();
        call.record(RecordOrder {
            path: path(call),
            max_length: Millis(NAME_MS),
            silence: Millis(SILENCE_MS),
            terminators: any_key(),
        });
        Next::Wait
    }

    /// Whoever says nothing joins without a name.
    pub(super) fn name_said(&mut self, call: &mut Call, ending: &Ending) -> Next {
        let length_ms = match ending {
            Ending::Recorded { length_ms, .. } => *length_ms,
            _ => 0,
        };
        self.named = Some(length_ms >= NAME_MIN_MS);
        if self.named == Some(false) {
            call.notice("the caller said no name");
            call.order(Action::Discard { path: path(call), after: Millis(0) });
        }
        // The room may have been made, locked or filled meanwhile.
        self.ask_place(call, false)
    }

    pub(super) fn play_name(&self, call: &mut Call) {
        if self.named == Some(true) {
            let path = path(call);
            self.order(call, RoomOrder::Play(RoomSound::File { path }));
        }
    }

    pub(super) fn forget_name(&mut self, call: &mut Call) {
        let begun = matches!(self.expect, Expect::Name) || self.named == Some(true);
        if begun {
            self.named = None;
            call.order(Action::Discard { path: path(call), after: Millis(FORGET_MS) });
        }
    }
}

fn any_key() -> Digits {
    let mut keys = Digits::default();
    b"0123456789*#".iter().filter_map(|key| Digit::new(*key)).for_each(|key| keys.push(key));
    keys
}

fn path(call: &Call) -> String {
    call.recording_path(&recording::name_of(call.state.arrival.call))
}
