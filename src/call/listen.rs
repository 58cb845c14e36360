//! Listening to keys, as `menu` and `gather` do it: prompt, barge-in, type-ahead, first and further
//! keys, terminators, and the counting of failures.
//!
//! Failures are counted from a step's entry until it is left; a good input leaves it, so they need
//! not be consecutive. Of two maxima met at once the special one wins over `too_many`.

use serde::{Deserialize, Serialize};

use super::Call;
use super::describe;
use super::step::Heard;
use super::timer::Timer;
use crate::base::digits::{Digit, Digits};
use crate::flow::Outcome;
use crate::flow::keys::Verdict;
use crate::flow::kind::gather::Keys;
use crate::flow::prompt::Prompt;

/// All keys of a telephone: any of them interrupts a prompt.
const EVERY_KEY: &str = "0123456789*#ABCD";

pub(in crate::call) fn every_key() -> Digits {
    EVERY_KEY.parse().unwrap_or_default()
}

/// What is listened to, and how.
pub(in crate::call) struct Ears<'a> {
    pub(in crate::call) keys: &'a Keys,
    pub(in crate::call) prompts: &'a [Prompt],
    /// Played instead of `prompts` after a lapse; where empty, `prompts` again.
    pub(in crate::call) repeat_prompts: &'a [Prompt],
    /// What `{input}` is in the prompts.
    pub(in crate::call) input: Option<&'a Digits>,
    pub(in crate::call) secret: bool,
    /// Most keys of an input. Where a caller knows it to have several, what is still typed when it
    /// has been judged belongs to it.
    pub(in crate::call) most: usize,
    pub(in crate::call) judge: &'a dyn Fn(&Digits) -> Verdict<()>,
}

/// How one step's listening stands.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(in crate::call) struct Listening {
    expect: Expect,
    no_input: u8,
    invalid: u8,
    last: Option<Lapse>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Expect {
    #[default]
    PromptEnd,
    FirstKey,
    NextKey,
}

/// Why the prompt is played again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::call) enum Lapse {
    NoInput,
    Invalid,
    /// The caller did not confirm what was typed.
    Denied,
}

/// A key that follows the last one within this time, in ms, is typed in one go with it.
const IN_ONE_GO_MS: u64 = 1_500;

/// What may still come of an input that was judged before its last key.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::call) struct Rest {
    until_ms: u64,
    terminators: Digits,
    /// Any key, not only a terminator.
    any: bool,
}

impl Call {
    /// Whether the key only ends, or goes on with, an input that has been judged.
    pub(in crate::call) fn is_rest(&mut self, key: Digit) -> bool {
        let now_ms = self.state.age_ms;
        let Some(mut rest) = self.live.rest.take().filter(|rest| now_ms <= rest.until_ms) else {
            return false;
        };
        if rest.terminators.contains(key) {
            return true;
        }
        let any = rest.any;
        if any {
            rest.until_ms = now_ms.saturating_add(IN_ONE_GO_MS);
            self.live.rest = Some(rest);
        }
        any
    }

    fn expect_rest(&mut self, ears: &Ears<'_>, any: bool) {
        if ears.most <= 1 {
            return;
        }
        let terminators = ears.keys.terminators.clone();
        if !any && self.state.ahead.first().is_some_and(|key| terminators.contains(key)) {
            self.state.ahead.take_first();
            return;
        }
        let until_ms = self.state.age_ms.saturating_add(IN_ONE_GO_MS);
        self.live.rest = Some(Rest { until_ms, terminators, any });
    }
}

/// What came of listening.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::call) enum Typed {
    Waiting,
    /// An input is complete; it is in `call.live.typed`.
    Complete,
    /// No key in time.
    Nothing,
    /// What was typed can't match.
    Wrong,
    /// The prompt can't be played.
    Failed(String),
}

impl Listening {
    /// Whether a key pressed now is for this step, and no other.
    pub(in crate::call) fn takes_keys(&self, keys: &Keys) -> bool {
        match self.expect {
            Expect::PromptEnd => keys.barge_in,
            Expect::FirstKey | Expect::NextKey => true,
        }
    }

    /// Plays the prompt, unless keys pressed ahead make it needless.
    pub(in crate::call) fn start(&mut self, call: &mut Call, ears: &Ears<'_>) -> Typed {
        call.live.typed.clear();
        call.trace_gap();
        self.expect = Expect::PromptEnd;
        if !ears.keys.type_ahead {
            call.drop_keys_ahead();
        }
        if ears.keys.barge_in && !call.state.ahead.is_empty() {
            return self.feed_ahead(call, ears);
        }
        let (lead, prompts): (&[Prompt], &[Prompt]) = match self.last {
            None => (&[], ears.prompts),
            Some(lapse) => {
                let repeated = ears.repeat_prompts;
                let prompts = if repeated.is_empty() { ears.prompts } else { repeated };
                match lapse {
                    Lapse::NoInput => (&ears.keys.no_input_prompts, prompts),
                    Lapse::Invalid => (&ears.keys.invalid_prompts, prompts),
                    Lapse::Denied => (&[], prompts),
                }
            }
        };
        let mut media = match call.media(lead, ears.input) {
            Ok(media) => media,
            Err(missing) => return Typed::Failed(missing),
        };
        match call.media(prompts, ears.input) {
            Ok(more) => media.extend(more),
            Err(missing) => return Typed::Failed(missing),
        }
        let stop_on = if ears.keys.barge_in { every_key() } else { Digits::default() };
        if call.play(media, stop_on) { Typed::Waiting } else { self.prompt_over(call, ears) }
    }

    /// Goes on in another process: with what was typed, or else with the prompt again.
    pub(in crate::call) fn resume(&mut self, call: &mut Call, ears: &Ears<'_>) -> Typed {
        if self.expect != Expect::NextKey || call.live.typed.is_empty() {
            return self.start(call, ears);
        }
        call.state.after(Timer::NextKey, ears.keys.next_key.ms());
        Typed::Waiting
    }

    pub(in crate::call) fn hear(
        &mut self,
        call: &mut Call,
        ears: &Ears<'_>,
        heard: Heard,
    ) -> Typed {
        match heard {
            Heard::Key(key) => self.key(call, ears, key),
            Heard::Ended(ending) => match (describe::failure(&ending), self.expect) {
                (Some(why), _) => Typed::Failed(why),
                (None, Expect::PromptEnd) => self.prompt_over(call, ears),
                (None, Expect::FirstKey | Expect::NextKey) => Typed::Waiting,
            },
            Heard::Due(Timer::FirstKey) => Typed::Nothing,
            Heard::Due(Timer::NextKey) => Typed::Complete,
            Heard::Due(_) | Heard::Answer(_) | Heard::Bridged(_) | Heard::Room(_) => Typed::Waiting,
        }
    }

    fn key(&mut self, call: &mut Call, ears: &Ears<'_>, key: Digit) -> Typed {
        match self.expect {
            Expect::PromptEnd if ears.keys.barge_in => {
                call.stopped_by_key();
                self.feed(call, ears, key)
            }
            Expect::PromptEnd => {
                if ears.keys.type_ahead {
                    call.keep_key(key);
                } else {
                    call.notice("a key is dropped: this prompt is not interrupted");
                }
                Typed::Waiting
            }
            Expect::FirstKey | Expect::NextKey => self.feed(call, ears, key),
        }
    }

    fn prompt_over(&mut self, call: &mut Call, ears: &Ears<'_>) -> Typed {
        if !call.state.ahead.is_empty() {
            return self.feed_ahead(call, ears);
        }
        self.expect = Expect::FirstKey;
        call.state.after(Timer::FirstKey, ears.keys.first_key.ms());
        Typed::Waiting
    }

    fn feed_ahead(&mut self, call: &mut Call, ears: &Ears<'_>) -> Typed {
        while let Some(key) = call.state.ahead.take_first() {
            let typed = self.feed(call, ears, key);
            if typed != Typed::Waiting {
                return typed;
            }
        }
        Typed::Waiting
    }

    /// One key of the input. It acts at once when nothing longer can match.
    fn feed(&mut self, call: &mut Call, ears: &Ears<'_>, key: Digit) -> Typed {
        call.state.timers.clear(Timer::FirstKey);
        call.state.timers.clear(Timer::NextKey);
        call.trace_key(key, ears.secret);
        self.expect = Expect::NextKey;
        let mut longer = call.live.typed.clone();
        longer.push(key);
        let verdict = (ears.judge)(&longer);
        // A terminator with which an input can go on is a key like others: `#` can be a choice.
        if verdict == Verdict::Dead && ears.keys.terminators.contains(key) {
            // Ending an input that was not begun is a wrong input, not a missing one.
            return if call.live.typed.is_empty() { Typed::Wrong } else { Typed::Complete };
        }
        call.live.typed = longer;
        match verdict {
            Verdict::Dead => {
                call.expect_rest(ears, call.live.typed.len() < ears.most);
                Typed::Wrong
            }
            Verdict::Match { longer: false, .. } => {
                call.expect_rest(ears, false);
                Typed::Complete
            }
            Verdict::Match { longer: true, .. } | Verdict::Prefix => {
                call.state.after(Timer::NextKey, ears.keys.next_key.ms());
                Typed::Waiting
            }
        }
    }

    /// What has been counted, in words.
    pub(in crate::call) fn tally(&self) -> String {
        format!("no input: {}, wrong input: {}", self.no_input, self.invalid)
    }

    /// Counts a failure; the outcome, where it was one too many.
    pub(in crate::call) fn lapse(
        &mut self,
        call: &mut Call,
        keys: &Keys,
        lapse: Lapse,
    ) -> Option<Outcome> {
        self.last = Some(lapse);
        call.mark_lapse(lapse);
        call.worth_writing();
        match lapse {
            Lapse::NoInput => {
                call.notice("no key was pressed in time");
                self.no_input = self.no_input.saturating_add(1);
            }
            Lapse::Invalid => {
                call.notice("what was pressed matches nothing");
                self.invalid = self.invalid.saturating_add(1);
                // The rest of a wrong input is not the beginning of the next.
                call.drop_keys_ahead();
            }
            Lapse::Denied => {
                call.notice("the caller did not confirm the input");
                call.drop_keys_ahead();
            }
        }
        if self.no_input >= keys.max_no_input.max(1) {
            Some(Outcome::NoInput)
        } else if self.invalid >= keys.max_invalid.max(1) {
            Some(Outcome::Invalid)
        } else if self.no_input.saturating_add(self.invalid) >= keys.max_failures.max(1) {
            Some(Outcome::TooMany)
        } else {
            None
        }
    }
}
