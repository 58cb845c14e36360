//! `gather`: the caller types digits, and confirms them where asked.

use serde::{Deserialize, Serialize};

use super::{Heard, Next, Running};
use crate::base::digits::Digits;
use crate::call::Call;
use crate::call::listen::{Ears, Lapse, Listening, Typed};
use crate::flow::keys::Verdict;
use crate::flow::kind::gather::{Confirm, Gather, Keys};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::call) struct ExpectInput {
    listening: Listening,
    /// How often the input was asked again because the caller did not confirm it.
    asked: u8,
    confirming: Option<Listening>,
}

pub(in crate::call) fn enter(call: &mut Call, gather: &Gather) -> (Running, Next) {
    let listening = Listening::default();
    let mut state = ExpectInput { listening, asked: 0, confirming: None };
    let typed = state.ask(call, gather);
    let next = state.after(call, gather, typed);
    (Running::Gather(state), next)
}

/// The confirmation again, what was typed, or else the prompt again.
pub(in crate::call) fn resume(
    call: &mut Call,
    gather: &Gather,
    mut state: ExpectInput,
) -> (Running, Next) {
    let typed = if state.confirming.take().is_some() && !call.live.input.is_empty() {
        call.live.typed = std::mem::take(&mut call.live.input);
        Typed::Complete
    } else {
        state.with_ears(call, gather, |listening, call, ears| listening.resume(call, ears))
    };
    let next = state.after(call, gather, typed);
    (Running::Gather(state), next)
}

/// What the step's `accept` comes to in this call.
fn accepted(call: &Call, gather: &Gather) -> Vec<String> {
    gather.accept.iter().map(|template| call.render(template).0).collect()
}

/// One key says yes or no.
fn judge_confirmation(_: &Digits) -> Verdict<()> {
    Verdict::Match { way: (), longer: false }
}

fn confirmation_keys(gather: &Gather) -> Keys {
    Keys { terminators: Digits::default(), ..gather.keys.clone() }
}

fn confirmation_ears<'a>(
    confirm: &'a Confirm,
    keys: &'a Keys,
    input: &'a Digits,
    secret: bool,
) -> Ears<'a> {
    Ears {
        keys,
        prompts: &confirm.prompts,
        repeat_prompts: &[],
        input: Some(input),
        secret,
        most: 1,
        judge: &judge_confirmation,
    }
}

impl ExpectInput {
    pub(in crate::call) fn takes_keys(&self, gather: &Gather) -> bool {
        let listening = self.confirming.as_ref().unwrap_or(&self.listening);
        listening.takes_keys(&gather.keys)
    }

    fn ask(&mut self, call: &mut Call, gather: &Gather) -> Typed {
        self.with_ears(call, gather, |listening, call, ears| listening.start(call, ears))
    }

    fn with_ears(
        &mut self,
        call: &mut Call,
        gather: &Gather,
        act: impl FnOnce(&mut Listening, &mut Call, &Ears<'_>) -> Typed,
    ) -> Typed {
        let accept = accepted(call, gather);
        let keys = gather.prepared();
        let judge =
            |typed: &Digits| keys.map_or(Verdict::Dead, |keys| keys.verdict(typed, &accept));
        let ears = Ears {
            keys: &gather.keys,
            prompts: &gather.prompts,
            repeat_prompts: &gather.repeat_prompts,
            input: None,
            secret: gather.secret,
            most: usize::from(gather.max),
            judge: &judge,
        };
        act(&mut self.listening, call, &ears)
    }

    pub(in crate::call) fn hear(&mut self, call: &mut Call, gather: &Gather, heard: Heard) -> Next {
        let Some(mut confirming) = self.confirming.take() else {
            let typed = self
                .with_ears(call, gather, |listening, call, ears| listening.hear(call, ears, heard));
            return self.after(call, gather, typed);
        };
        let Some(confirm) = &gather.confirm else { return Next::Wait };
        let (keys, input) = (confirmation_keys(gather), call.live.input.clone());
        let ears = confirmation_ears(confirm, &keys, &input, gather.secret);
        let typed = confirming.hear(call, &ears, heard);
        if typed == Typed::Waiting {
            self.confirming = Some(confirming);
            return Next::Wait;
        }
        match self.confirmed(call, gather, confirm, typed) {
            Ok(next) => next,
            Err(typed) => self.after(call, gather, typed),
        }
    }

    /// Each round asks again, so there are no more rounds than failures are allowed.
    fn after(&mut self, call: &mut Call, gather: &Gather, mut typed: Typed) -> Next {
        loop {
            let lapse = match typed {
                Typed::Waiting => return Next::Wait,
                Typed::Failed(why) => return Next::failed(why),
                Typed::Nothing => Lapse::NoInput,
                Typed::Wrong => Lapse::Invalid,
                Typed::Complete if !is_valid(call, gather) => Lapse::Invalid,
                Typed::Complete => match self.confirm(call, gather) {
                    Ok(next) => return next,
                    Err(again) => {
                        typed = again;
                        continue;
                    }
                },
            };
            if let Some(outcome) = self.listening.lapse(call, &gather.keys, lapse) {
                return Next::leave(outcome, self.listening.tally());
            }
            typed = self.ask(call, gather);
        }
    }

    /// Asks for confirmation, where the author wants it. `Err` is how the input goes on after a no.
    fn confirm(&mut self, call: &mut Call, gather: &Gather) -> Result<Next, Typed> {
        call.live.input = std::mem::take(&mut call.live.typed);
        call.worth_writing();
        let Some(confirm) = &gather.confirm else { return Ok(accept(call, gather)) };
        let (keys, input) = (confirmation_keys(gather), call.live.input.clone());
        let mut confirming = Listening::default();
        let ears = confirmation_ears(confirm, &keys, &input, gather.secret);
        match confirming.start(call, &ears) {
            Typed::Waiting => {
                self.confirming = Some(confirming);
                Ok(Next::Wait)
            }
            typed => self.confirmed(call, gather, confirm, typed),
        }
    }

    fn confirmed(
        &mut self,
        call: &mut Call,
        gather: &Gather,
        confirm: &Confirm,
        typed: Typed,
    ) -> Result<Next, Typed> {
        if let Typed::Failed(why) = typed {
            return Ok(Next::failed(why));
        }
        if typed == Typed::Complete && call.live.typed == confirm.accept {
            return Ok(accept(call, gather));
        }
        call.live.input.clear();
        self.asked = self.asked.saturating_add(1);
        if self.asked > confirm.attempts {
            self.asked = 0;
            return Err(Typed::Wrong);
        }
        match self.listening.lapse(call, &gather.keys, Lapse::Denied) {
            Some(outcome) => Ok(Next::leave(outcome, self.listening.tally())),
            None => Err(self.ask(call, gather)),
        }
    }
}

/// The input is what the step is for: keep it, and go on.
fn accept(call: &mut Call, gather: &Gather) -> Next {
    let input = std::mem::take(&mut call.live.input);
    call.set_text(&gather.into, input.as_str(), gather.secret);
    Next::done()
}

fn is_valid(call: &Call, gather: &Gather) -> bool {
    let typed = &call.live.typed;
    let keys = gather.prepared();
    let fits = keys.is_some_and(|keys| matches!(keys.verdict(typed, &[]), Verdict::Match { .. }));
    fits && (gather.accept.is_empty() || is_accepted(call, gather, typed))
}

/// All candidates are compared in full, so that the time taken tells nothing of a PIN but its
/// length.
fn is_accepted(call: &Call, gather: &Gather, typed: &Digits) -> bool {
    let typed = typed.as_str().as_bytes();
    let candidates = accepted(call, gather);
    candidates.iter().fold(false, |found, candidate| found | same(candidate.as_bytes(), typed))
}

fn same(left: &[u8], right: &[u8]) -> bool {
    let differences = left.iter().zip(right).fold(0, |all, (a, b)| all | (a ^ b));
    std::hint::black_box(differences) == 0 && left.len() == right.len() && !left.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_is_the_same_only_in_full() {
        assert!(same(b"4711", b"4711"));
        for (left, right) in [("4711", "4712"), ("4711", "471"), ("471", "4711"), ("", "")] {
            assert!(!same(left.as_bytes(), right.as_bytes()), "{left} {right}");
        }
    }
}
