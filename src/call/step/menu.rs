//! `menu`: the caller chooses.

use serde::{Deserialize, Serialize};

use super::{Heard, Next, Running, Way};
use crate::base::digits::Digits;
use crate::base::ids::StepName;
use crate::call::Call;
use crate::call::listen::{Ears, Lapse, Listening, Typed, Verdict};
use crate::flow::kind::menu::Menu;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::call) struct ExpectChoice {
    listening: Listening,
}

pub(in crate::call) fn enter(call: &mut Call, menu: &Menu) -> (Running, Next) {
    resume(call, menu, ExpectChoice { listening: Listening::default() })
}

/// The prompt again; what was counted stays.
pub(in crate::call) fn resume(
    call: &mut Call,
    menu: &Menu,
    mut state: ExpectChoice,
) -> (Running, Next) {
    let choices = Choices::new(menu);
    let judge = |keys: &Digits| choices.judge(keys);
    let typed = state.listening.start(call, &ears(menu, &judge));
    let next = state.after(call, menu, &choices, typed);
    (Running::Menu(state), next)
}

fn ears<'a>(menu: &'a Menu, judge: &'a dyn Fn(&Digits) -> Verdict) -> Ears<'a> {
    Ears {
        keys: &menu.keys,
        prompts: &menu.prompts,
        repeat_prompts: &menu.repeat_prompts,
        input: None,
        secret: false,
        keys_before_terminators: true,
        judge,
    }
}

impl ExpectChoice {
    pub(in crate::call) fn takes_keys(&self, menu: &Menu) -> bool {
        self.listening.takes_keys(&menu.keys)
    }

    pub(in crate::call) fn hear(&mut self, call: &mut Call, menu: &Menu, heard: Heard) -> Next {
        let choices = Choices::new(menu);
        let judge = |keys: &Digits| choices.judge(keys);
        let typed = self.listening.hear(call, &ears(menu, &judge), heard);
        self.after(call, menu, &choices, typed)
    }

    /// Each round plays the prompt again, so there are no more rounds than failures are allowed.
    fn after(
        &mut self,
        call: &mut Call,
        menu: &Menu,
        choices: &Choices<'_>,
        mut typed: Typed,
    ) -> Next {
        loop {
            let lapse = match typed {
                Typed::Waiting => return Next::Wait,
                Typed::Failed(why) => return Next::failed(why),
                Typed::Nothing => Lapse::NoInput,
                Typed::Wrong => Lapse::Invalid,
                Typed::Complete => match choices.choose(&call.live.typed) {
                    Some(chosen) => return chosen.leave(call, menu),
                    None => Lapse::Invalid,
                },
            };
            if let Some(outcome) = self.listening.lapse(call, &menu.keys, lapse) {
                return Next::leave(outcome, "the last try failed");
            }
            let judge = |keys: &Digits| choices.judge(keys);
            typed = self.listening.start(call, &ears(menu, &judge));
        }
    }
}

/// What was chosen.
struct Chosen {
    label: String,
    to: StepName,
    direct: bool,
}

impl Chosen {
    fn leave(self, call: &mut Call, menu: &Menu) -> Next {
        let typed = std::mem::take(&mut call.live.typed);
        if let Some(name) = &menu.into {
            call.set_text(name, typed.as_str(), false);
        }
        if self.direct
            && let Some(direct) = &menu.direct_dial
        {
            call.set_text(&direct.into, typed.as_str(), false);
        }
        let why = format!("the caller pressed {}", typed.as_str());
        Next::Leave { way: Way::Choice { label: self.label, to: self.to }, why }
    }
}

/// A menu's choices, told apart key by key.
struct Choices<'a>(&'a Menu);

impl<'a> Choices<'a> {
    fn new(menu: &'a Menu) -> Self {
        Self(menu)
    }
    fn judge(&self, keys: &Digits) -> Verdict {
        let keys = keys.as_str();
        let hit = self.0.choices.contains_key(keys);
        let longer = self.0.choices.keys().any(|k| k.len() > keys.len() && k.starts_with(keys));
        let (direct, direct_longer) = self.0.direct_dial.as_ref().map_or((false, false), |d| {
            let digits = keys.bytes().all(|b| b.is_ascii_digit());
            let len = keys.len();
            (digits && len >= d.min.into() && len <= d.max.into(), digits && len < d.max.into())
        });
        match (hit || direct, longer || direct_longer) {
            (true, false) => Verdict::Final,
            (true, true) => Verdict::Match,
            (false, true) => Verdict::Prefix,
            (false, false) => Verdict::Dead,
        }
    }
    fn choose(&self, keys: &Digits) -> Option<Chosen> {
        let key = keys.as_str();
        if let Some(to) = self.0.choices.get(key) {
            return Some(Chosen { label: key.to_owned(), to: to.clone(), direct: false });
        }
        let d = self.0.direct_dial.as_ref()?;
        let ok = key.len() >= d.min.into() && key.len() <= d.max.into();
        ok.then(|| Chosen { label: "direct_dial".into(), to: d.next.clone(), direct: true })
    }
}
