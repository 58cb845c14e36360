//! What a step may do: order, ask, wait, stop.

use uuid::Uuid;

use super::Call;
use super::describe;
use super::input::Ending;
use super::output::{Action, ActionId, DialOrder, Media, Output, Query, QueryId, RecordOrder};
use super::state::Awaited;
use super::step::Heard;
use super::timer::Timer;
use crate::base::cause::HangupCause;
use crate::base::digits::{Digit, Digits};
use crate::base::ids::ChannelId;
use crate::model::timeline::{Sign, What};

/// How much longer than it should take an action may take, before it is given up: FreeSWITCH
/// reports an ending within a second, a busy one within a few.
pub(in crate::call) const GRACE_MS: u64 = 10_000;
/// A prompt whose length nobody knows is not longer than this.
const PROMPT_MAX_MS: u64 = 900_000;
/// The longest that speaking one value takes.
const SAY_MAX_MS: u64 = 60_000;
/// A slow voice, for each byte.
const SPEAK_BYTE_MS: u64 = 200;

impl Call {
    /// Orders and goes on: its ending is of no interest.
    pub(in crate::call) fn order(&mut self, action: Action) -> ActionId {
        self.state.counters.actions += 1;
        let id = ActionId(self.state.counters.actions);
        if let Some(action) = self.hold_back(id, action) {
            self.give(id, action);
        }
        id
    }

    /// Has the switch do it.
    pub(in crate::call) fn give(&mut self, id: ActionId, action: Action) {
        let order = describe::action(&action, |number| self.party(number));
        let called = describe::called(&action, |number| self.party(number));
        let sign = called.map(|to| Sign::Rings { to });
        self.note(What::Ordered { action: id.0, order, sign });
        self.outputs.push_back(Output::Action(id, action));
    }

    /// An identity that nothing else has: the call's own, counted on.
    pub(in crate::call) fn identity(&mut self) -> Uuid {
        self.state.counters.identities += 1;
        // Beyond the bits that tell the version and the variant (RFC 9562 section 5.7).
        let count = u128::from(self.state.counters.identities) << 16;
        Uuid::from_u128(self.state.call().0.as_u128() ^ count)
    }

    /// A name for a channel that is to be.
    #[allow(clippy::unwrap_used, reason = "a UUID is a channel's identity")]
    pub(in crate::call) fn new_channel(&mut self) -> ChannelId {
        self.identity().to_string().parse().unwrap()
    }

    /// Orders and waits, but not longer than `within_ms` and the grace.
    pub(in crate::call) fn expect(&mut self, action: Action, what: Awaited, within_ms: u64) {
        let id = self.order(action);
        self.state.waits.action = Some((id, what));
        self.state.after(Timer::ActionOverdue, within_ms.saturating_add(GRACE_MS));
    }

    /// Orders and waits for as long as it takes.
    pub(in crate::call) fn expect_for_long(&mut self, action: Action, what: Awaited) {
        let id = self.order(action);
        self.state.waits.action = Some((id, what));
    }

    /// Plays and waits. `false` where there is nothing to play.
    pub(in crate::call) fn play(&mut self, media: Vec<Media>, stop_on: Digits) -> bool {
        if media.is_empty() {
            return false;
        }
        let within_ms = media.iter().map(|medium| self.longest(medium)).sum();
        let several = media.len() > 1;
        self.expect(Action::Play { media, stop_on }, Awaited::Play { several }, within_ms);
        true
    }

    pub(in crate::call) fn longest(&self, medium: &Media) -> u64 {
        match medium {
            Media::File { path, .. } => {
                let known = self.program.prompts.values().find(|file| file.path == *path);
                let length = known.and_then(|file| file.length);
                length.map_or(PROMPT_MAX_MS, |length| length.ms())
            }
            Media::Tone(tone) => {
                tone.on.ms().saturating_add(tone.off.ms()).saturating_mul(tone.times.into())
            }
            Media::Silence(length) => length.ms(),
            Media::Say { .. } | Media::Words { .. } => SAY_MAX_MS,
            Media::Speak { text, .. } => {
                SAY_MAX_MS + SPEAK_BYTE_MS.saturating_mul(text.reveal().len() as u64)
            }
        }
    }

    pub(in crate::call) fn record(&mut self, order: RecordOrder) {
        let within_ms = order.max_length.ms();
        self.expect(Action::Record(order), Awaited::Record, within_ms);
    }

    pub(in crate::call) fn dial(&mut self, order: DialOrder, within_ms: u64) {
        self.expect(Action::Dial(Box::new(order)), Awaited::Dial, within_ms);
    }

    /// The awaited playing was ended by a key: the switch stops what plays by itself, but not what
    /// would play after it.
    pub(in crate::call) fn stopped_by_key(&mut self) {
        if let Some((_, Awaited::Play { several: true })) = self.waits().action {
            self.order(Action::Silence);
        }
        self.forget_action();
    }

    /// Stops the awaited playing, all of it.
    pub(in crate::call) fn stop_prompt(&mut self) {
        if self.waits().action.is_some() {
            self.stopped_by_key();
        }
    }

    /// Stops whatever the awaited action does, and waits for it no more.
    pub(in crate::call) fn stop_action(&mut self) {
        if let Some((_, awaited)) = self.waits().action {
            match awaited {
                Awaited::Play { .. } | Awaited::Record => {
                    self.order(Action::Silence);
                }
                Awaited::Dial => {
                    self.order(Action::CancelDial);
                }
                Awaited::Conference | Awaited::Other => {}
            }
        }
        self.forget_action();
    }

    pub(in crate::call) fn forget_action(&mut self) {
        self.state.waits.action = None;
        self.state.timers.clear(Timer::ActionOverdue);
    }

    pub(in crate::call) fn ask(&mut self, query: Query, question: String, within_ms: u64) {
        let number = self.state.counters.queries + 1;
        self.note(What::Asked { query: number, question });
        self.poll(query, within_ms);
    }

    /// Asks what is asked again and again: nothing is noted of it.
    pub(in crate::call) fn poll(&mut self, query: Query, within_ms: u64) {
        let id = self.tell(query);
        self.state.waits.query = Some(id);
        self.state.after(Timer::AnswerOverdue, within_ms.saturating_add(GRACE_MS));
    }

    /// Tells something to the outside; nobody waits for an answer.
    pub(in crate::call) fn tell(&mut self, query: Query) -> QueryId {
        self.state.counters.queries += 1;
        let id = QueryId(self.state.counters.queries);
        self.outputs.push_back(Output::Query(id, query));
        id
    }

    /// Keeps a key for a step that asks for keys.
    pub(in crate::call) fn keep_key(&mut self, key: Digit) {
        if !self.state.ahead.push(key) {
            self.notice("a key is dropped: too many were pressed ahead");
        }
    }

    pub(in crate::call) fn drop_keys_ahead(&mut self) {
        let count = self.state.ahead.clear();
        if count > 0 {
            self.notice(format!("keys pressed ahead are dropped: {count}"));
        }
    }

    pub(in crate::call) fn ended(&mut self, id: ActionId, ending: Ending) {
        if self.left_by(id) || self.dial_goes_on(id, &ending) {
            return;
        }
        if self.state.waits.action.is_some_and(|(awaited, _)| awaited == id) {
            self.forget_action();
            if !self.talk_ended(&ending) {
                self.hear(Heard::Ended(ending));
            }
        }
    }

    pub(in crate::call) fn refused(&mut self, id: ActionId, reason: String) {
        if self.recording_refused(id, &reason)
            || self.parking_refused(id, &reason)
            || self.placing_refused(id, &reason)
        {
            return;
        }
        if self.state.closing.is_some() {
            return self.hangup_refused();
        }
        if self.stays(id) {
            return;
        }
        self.ended(id, Ending::Failed { detail: format!("refused: {reason}") });
    }

    pub(in crate::call) fn action_overdue(&mut self) {
        if self.waits().action.is_none() {
            return;
        }
        if self.state.bridged.is_some() {
            self.note_guard("the conversation went on past its limit");
            let why = "the conversation went on past its limit";
            return self.close(super::end::by_us(HangupCause::AllottedTimeout, why));
        }
        self.note_guard("an order was not reported done in time");
        self.stop_action();
        let ending = Ending::Failed { detail: "it did not end in time".into() };
        if !self.talk_ended(&ending) {
            self.hear(Heard::Ended(ending));
        }
    }

    pub(in crate::call) fn answer_overdue(&mut self) {
        if self.state.waits.query.take().is_some() {
            self.note_guard("a query was not answered in time");
            if self.admitted(None) || self.far_slot_found(None) || self.far_room_found(None) {
                return;
            }
            let failure = super::input::HttpFailure::TimedOut;
            let answer = super::input::Answer::Http(Err(failure));
            if !self.parking_answered(&answer) {
                self.hear(Heard::Answer(answer));
            }
        }
    }
}
