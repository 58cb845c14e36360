//! `message`: the caller leaves a message, and may hear it and record it again.

use serde::{Deserialize, Serialize};

use super::{Heard, Next, Running};
use crate::base::digits::{Digit, Digits};
use crate::base::ids::RecordingId;
use crate::base::millis::Millis;
use crate::call::input::Ending;
use crate::call::output::{Action, Media, Output, RecordOrder};
use crate::call::state::RECORDINGS_MAX;
use crate::call::timer::Timer;
use crate::call::{Call, describe};
use crate::flow::Outcome;
use crate::flow::kind::message::{Message, Review};
use crate::flow::prompt::TonePrompt;
use crate::model::record::RecordingNote;
use crate::model::recording::{RecordingKind, RecordingState};

/// The tone before a recording, in Hz and milliseconds.
const BEEP_HZ: u16 = 1_000;
const BEEP_MS: u64 = 300;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::call) struct ExpectMessage {
    expect: Expect,
    /// Recordings begun, this one included.
    attempts: u8,
    name: String,
    length_ms: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Expect {
    PromptEnd,
    RecordingEnd { began_ms: u64 },
    ReviewKey,
}

pub(in crate::call) fn enter(call: &mut Call, message: &Message) -> (Running, Next) {
    let mut state =
        ExpectMessage { expect: Expect::PromptEnd, attempts: 0, name: String::new(), length_ms: 0 };
    call.drop_keys_ahead();
    let next = state.prompt(call, message, true);
    (Running::Message(Box::new(state)), next)
}

/// A recording that ran when its process was lost has ended by now: the switch finishes it by
/// itself, and tells. Where it tells nothing it never began.
pub(in crate::call) fn resume(
    call: &mut Call,
    message: &Message,
    mut state: Box<ExpectMessage>,
    ended: Option<Ending>,
) -> (Running, Next) {
    let next = match state.expect {
        Expect::PromptEnd => state.prompt(call, message, state.attempts == 0),
        Expect::RecordingEnd { .. } => match ended {
            Some(ending) => state.recording_ended(call, message, ending),
            None => {
                state.attempts = state.attempts.saturating_sub(1);
                state.prompt(call, message, false)
            }
        },
        Expect::ReviewKey => state.review(call, message),
    };
    (Running::Message(state), next)
}

impl ExpectMessage {
    fn prompt(&mut self, call: &mut Call, message: &Message, whole: bool) -> Next {
        let prompts = if whole { &message.prompts[..] } else { &[] };
        let mut media = match call.media(prompts, None) {
            Ok(media) => media,
            Err(missing) => return Next::failed(missing),
        };
        if message.beep {
            let (on, off) = (Millis(BEEP_MS), Millis(0));
            media.push(Media::Tone(TonePrompt { tone: vec![BEEP_HZ], on, off, times: 1 }));
        }
        self.expect = Expect::PromptEnd;
        call.worth_writing();
        if call.play(media, message.terminators.clone()) {
            Next::Wait
        } else {
            self.record(call, message)
        }
    }

    fn record(&mut self, call: &mut Call, message: &Message) -> Next {
        self.attempts = self.attempts.saturating_add(1);
        call.state.counters.files += 1;
        let number = call.state.counters.files;
        self.name = RecordingId::nth(call.state.arrival.call, number).to_string();
        self.expect = Expect::RecordingEnd { began_ms: call.state.age_ms };
        let order = RecordOrder {
            path: self.path(call),
            max_length: message.max_length,
            silence: message.silence,
            terminators: message.terminators.clone(),
        };
        call.worth_writing();
        call.record(order);
        Next::Wait
    }

    /// What there is to tell of a message once it has ended; a file of which nothing is told is
    /// found later.
    fn note(&self, call: &Call, message: &Message) -> RecordingNote {
        RecordingNote {
            name: self.name.clone(),
            path: self.path(call),
            length_ms: self.length_ms,
            id: self.name.parse().ok(),
            kind: RecordingKind::Message,
            state: RecordingState::Pending,
            channels: 1,
            min_length_ms: message.min_length.ms(),
            ..RecordingNote::default()
        }
    }

    fn tell(&self, call: &mut Call, message: &Message) {
        let note = self.note(call, message);
        call.outputs.push_back(Output::Recording(Box::new(note)));
    }

    /// Nobody is to hear it, not even who takes recordings in.
    fn discard(&self, call: &mut Call, message: &Message) {
        let mut note = self.note(call, message);
        note.min_length_ms = u64::MAX;
        call.outputs.push_back(Output::Recording(Box::new(note)));
        call.order(Action::Discard { path: self.path(call), after: Millis(0) });
    }

    fn path(&self, call: &Call) -> String {
        call.recording_path(&self.name)
    }

    pub(in crate::call) fn hear(
        &mut self,
        call: &mut Call,
        message: &Message,
        heard: Heard,
    ) -> Next {
        match (heard, &self.expect) {
            (Heard::Key(key), Expect::PromptEnd) => {
                if !message.terminators.contains(key) {
                    return Next::Wait;
                }
                call.stop_prompt();
                self.record(call, message)
            }
            (Heard::Key(key), Expect::ReviewKey) => self.review_key(call, message, key),
            (Heard::Ended(ending), Expect::PromptEnd) => match describe::failure(&ending) {
                Some(why) => Next::failed(why),
                None => self.record(call, message),
            },
            (Heard::Ended(ending), Expect::RecordingEnd { .. }) => {
                self.recording_ended(call, message, ending)
            }
            (Heard::Ended(ending), Expect::ReviewKey) => {
                if let Some(why) = describe::failure(&ending) {
                    call.notice(format!("the message can't be played back: {why}"));
                }
                let timeout = message.review.as_ref().map_or(0, |review| review.timeout.ms());
                call.state.after(Timer::Pause, timeout);
                Next::Wait
            }
            (Heard::Due(Timer::Pause), Expect::ReviewKey) => self.keep(call, message),
            (Heard::Key(_), Expect::RecordingEnd { .. })
            | (Heard::Due(_) | Heard::Answer(_) | Heard::Bridged(_) | Heard::Room(_), _) => {
                Next::Wait
            }
        }
    }

    fn recording_ended(&mut self, call: &mut Call, message: &Message, ending: Ending) -> Next {
        match ending {
            Ending::Recorded { length_ms, .. } => self.recorded(call, message, Some(length_ms)),
            Ending::Finished => self.recorded(call, message, None),
            Ending::FileMissing { .. } | Ending::Dialed(_) | Ending::Failed { .. } => {
                Next::failed(describe::ending(&ending))
            }
        }
    }

    /// Without a length from the switch, the time since the recording began stands for it.
    fn length(&self, call: &Call, message: &Message) -> u64 {
        match self.expect {
            Expect::RecordingEnd { began_ms } => {
                let passed = call.state.age_ms.saturating_sub(began_ms);
                passed.min(message.max_length.ms())
            }
            Expect::PromptEnd | Expect::ReviewKey => self.length_ms,
        }
    }

    fn recorded(&mut self, call: &mut Call, message: &Message, length_ms: Option<u64>) -> Next {
        self.length_ms = length_ms.unwrap_or_else(|| self.length(call, message));
        if self.length_ms < message.min_length.ms() {
            self.discard(call, message);
            return Next::leave(Outcome::TooShort, format!("{} ms is too short", self.length_ms));
        }
        if message.review.is_some() { self.review(call, message) } else { self.keep(call, message) }
    }

    fn review(&mut self, call: &mut Call, message: &Message) -> Next {
        let Some(review) = &message.review else { return self.keep(call, message) };
        let (path, name) = (self.path(call), "the message".to_owned());
        let mut media = vec![Media::File { path, name }];
        match call.media(&review.prompts, None) {
            Ok(more) => media.extend(more),
            Err(missing) => call.notice(missing),
        }
        self.expect = Expect::ReviewKey;
        call.worth_writing();
        call.play(media, review_keys(review));
        Next::Wait
    }

    fn review_key(&mut self, call: &mut Call, message: &Message, key: Digit) -> Next {
        let Some(review) = &message.review else { return Next::Wait };
        let (keep, again) = (review.keep.contains(key), review.again.contains(key));
        if !keep && !again {
            return Next::Wait;
        }
        call.trace_key(key, false);
        call.stop_prompt();
        call.state.timers.clear(Timer::Pause);
        if keep {
            return self.keep(call, message);
        }
        if self.attempts >= review.attempts {
            call.notice("the message is kept: it can't be recorded again so often");
            return self.keep(call, message);
        }
        self.discard(call, message);
        self.prompt(call, message, false)
    }

    fn keep(&self, call: &mut Call, message: &Message) -> Next {
        self.keep_note(call, message);
        if let Some(name) = &message.into {
            call.set_text(name, &self.name, false);
        }
        Next::leave(Outcome::Done, format!("{} ms recorded", self.length_ms))
    }

    fn keep_note(&self, call: &mut Call, message: &Message) {
        self.tell(call, message);
        if call.state.recordings.len() < RECORDINGS_MAX {
            let note = self.note(call, message);
            call.state.recordings.push(note);
        }
    }

    /// A caller who hangs up while recording has left a message all the same, and one who hangs up
    /// while hearing it keeps it.
    pub(in crate::call) fn hung_up(mut self, call: &mut Call, message: &Message) {
        match self.expect {
            Expect::PromptEnd => {}
            Expect::RecordingEnd { .. } | Expect::ReviewKey => {
                self.length_ms = self.length(call, message);
                if self.length_ms >= message.min_length.ms() {
                    self.keep_note(call, message);
                } else {
                    self.tell(call, message);
                }
            }
        }
    }
}

fn review_keys(review: &Review) -> Digits {
    let mut keys = review.keep.clone();
    review.again.iter().for_each(|key| keys.push(key));
    keys
}
