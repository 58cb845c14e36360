//! `menu`: the caller chooses.

use serde::{Deserialize, Serialize};

use super::{Heard, Next, Running, Way};
use crate::base::digits::Digits;
use crate::call::Call;
use crate::call::listen::{Ears, Lapse, Listening, Typed};
use crate::flow::keys::{Chosen, MenuKeys, Verdict};
use crate::flow::kind::menu::Menu;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::call) struct ExpectChoice {
    listening: Listening,
}

pub(in crate::call) fn enter(call: &mut Call, menu: &Menu) -> (Running, Next) {
    begin(call, menu, ExpectChoice { listening: Listening::default() }, ExpectChoice::start)
}

/// What was typed, or else the prompt again; what was counted stays.
pub(in crate::call) fn resume(
    call: &mut Call,
    menu: &Menu,
    state: ExpectChoice,
) -> (Running, Next) {
    begin(call, menu, state, |state, call, menu, keys| {
        let judge = |typed: &Digits| judge(keys, typed);
        state.listening.resume(call, &ears(menu, &judge))
    })
}

fn begin(
    call: &mut Call,
    menu: &Menu,
    mut state: ExpectChoice,
    begin: impl FnOnce(&mut ExpectChoice, &mut Call, &Menu, &MenuKeys) -> Typed,
) -> (Running, Next) {
    let next = state.with_keys(call, menu, |state, call, keys| {
        let typed = begin(state, call, menu, keys);
        state.after(call, menu, keys, typed)
    });
    (Running::Menu(state), next)
}

fn judge(keys: &MenuKeys, typed: &Digits) -> Verdict<()> {
    match keys.verdict(typed) {
        Verdict::Match { longer, .. } => Verdict::Match { way: (), longer },
        Verdict::Prefix => Verdict::Prefix,
        Verdict::Dead => Verdict::Dead,
    }
}

fn ears<'a>(menu: &'a Menu, judge: &'a dyn Fn(&Digits) -> Verdict<()>) -> Ears<'a> {
    Ears {
        keys: &menu.keys,
        prompts: &menu.prompts,
        repeat_prompts: &menu.repeat_prompts,
        input: None,
        secret: false,
        most: 1,
        judge,
    }
}

impl ExpectChoice {
    pub(in crate::call) fn takes_keys(&self, menu: &Menu) -> bool {
        self.listening.takes_keys(&menu.keys)
    }

    fn with_keys(
        &mut self,
        call: &mut Call,
        menu: &Menu,
        act: impl FnOnce(&mut Self, &mut Call, &MenuKeys) -> Next,
    ) -> Next {
        match menu.prepared() {
            Some(keys) => act(self, call, keys),
            None => Next::failed("the choices can't be used"),
        }
    }

    fn start(&mut self, call: &mut Call, menu: &Menu, keys: &MenuKeys) -> Typed {
        self.listening.start(call, &ears(menu, &|typed: &Digits| judge(keys, typed)))
    }

    pub(in crate::call) fn hear(&mut self, call: &mut Call, menu: &Menu, heard: Heard) -> Next {
        self.with_keys(call, menu, |state, call, keys| {
            let judge = |typed: &Digits| judge(keys, typed);
            let typed = state.listening.hear(call, &ears(menu, &judge), heard);
            state.after(call, menu, keys, typed)
        })
    }

    /// Each round plays the prompt again, so there are no more rounds than failures are allowed.
    fn after(&mut self, call: &mut Call, menu: &Menu, keys: &MenuKeys, mut typed: Typed) -> Next {
        loop {
            let lapse = match typed {
                Typed::Waiting => return Next::Wait,
                Typed::Failed(why) => return Next::failed(why),
                Typed::Nothing => Lapse::NoInput,
                Typed::Wrong => Lapse::Invalid,
                Typed::Complete => match keys.verdict(&call.live.typed) {
                    Verdict::Match { way, .. } => return leave(call, menu, way),
                    Verdict::Prefix | Verdict::Dead => Lapse::Invalid,
                },
            };
            if let Some(outcome) = self.listening.lapse(call, &menu.keys, lapse) {
                return Next::leave(outcome, self.listening.tally());
            }
            typed = self.start(call, menu, keys);
        }
    }
}

/// Goes where the keys say.
fn leave(call: &mut Call, menu: &Menu, chosen: Chosen<'_>) -> Next {
    let typed = std::mem::take(&mut call.live.typed);
    let (label, to) = match (chosen, &menu.direct_dial) {
        (Chosen::Choice(choice), _) => (choice, menu.choices.get(choice)),
        (Chosen::DirectDial, Some(direct)) => {
            call.set_text(&direct.into, typed.as_str(), false);
            ("direct_dial", Some(&direct.next))
        }
        (Chosen::DirectDial, None) => ("direct_dial", None),
    };
    let Some(to) = to.cloned() else { return Next::failed("the choice leads nowhere") };
    if let Some(name) = &menu.into {
        call.set_text(name, typed.as_str(), false);
    }
    let why = format!("the caller pressed {}", typed.as_str());
    Next::Leave { way: Way::Choice { label: label.to_owned(), to }, why }
}
