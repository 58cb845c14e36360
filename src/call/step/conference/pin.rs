//! The PIN before a room.

use super::{Expect, ExpectRoom, Heard, Next};
use crate::base::digits::Digits;
use crate::call::Call;
use crate::call::listen::{Ears, Lapse, Listening, Typed};
use crate::flow::Outcome;
use crate::flow::keys::Verdict;
use crate::flow::kind::conference::Conference;
use crate::flow::room::{Pin, Role, RoomSettings};

impl ExpectRoom {
    pub(super) fn ask_pin(
        &mut self,
        call: &mut Call,
        step: &Conference,
        settings: &RoomSettings,
    ) -> Next {
        let mut listening = Listening::default();
        let typed = with_ears(step, settings, |ears| listening.start(call, ears));
        self.expect = Expect::Pin(listening);
        self.after(call, step, settings, typed)
    }

    pub(super) fn resume_pin(
        &mut self,
        call: &mut Call,
        step: &Conference,
        settings: &RoomSettings,
    ) -> Next {
        let Expect::Pin(listening) = &mut self.expect else { return Next::Wait };
        let typed = with_ears(step, settings, |ears| listening.resume(call, ears));
        self.after(call, step, settings, typed)
    }

    pub(super) fn hear_pin(
        &mut self,
        call: &mut Call,
        step: &Conference,
        settings: &RoomSettings,
        heard: Heard,
    ) -> Next {
        let Expect::Pin(listening) = &mut self.expect else { return Next::Wait };
        let typed = with_ears(step, settings, |ears| listening.hear(call, ears, heard));
        self.after(call, step, settings, typed)
    }

    /// Each round asks again, so there are no more rounds than failures are allowed.
    fn after(
        &mut self,
        call: &mut Call,
        step: &Conference,
        settings: &RoomSettings,
        mut typed: Typed,
    ) -> Next {
        loop {
            let lapse = match typed {
                Typed::Waiting => return Next::Wait,
                Typed::Failed(why) => return Next::failed(why),
                Typed::Nothing | Typed::Wrong | Typed::Complete => {
                    let given = std::mem::take(&mut call.live.typed);
                    match role(settings, &given) {
                        Some(role) => {
                            self.seat.role = role;
                            call.notice(format!("let in as {role}"));
                            return self.ask_place(call, false);
                        }
                        None if typed == Typed::Nothing => Lapse::NoInput,
                        None => Lapse::Invalid,
                    }
                }
            };
            let Expect::Pin(listening) = &mut self.expect else { return Next::Wait };
            if listening.lapse(call, &step.keys, lapse).is_some() {
                return Next::leave(Outcome::Denied, listening.tally());
            }
            typed = with_ears(step, settings, |ears| listening.start(call, ears));
        }
    }
}

fn with_ears<T>(step: &Conference, settings: &RoomSettings, act: impl FnOnce(&Ears<'_>) -> T) -> T {
    let longest = longest(settings);
    let judge = |typed: &Digits| judge(typed, longest);
    act(&Ears {
        keys: &step.keys,
        prompts: &step.prompts,
        repeat_prompts: &[],
        input: None,
        secret: true,
        most: longest,
        judge: &judge,
    })
}

fn longest(settings: &RoomSettings) -> usize {
    let length = |pin: &Option<Pin>| pin.as_ref().map_or(0, |pin| pin.reveal().len());
    length(&settings.member_pin).max(length(&settings.moderator_pin))
}

/// Nothing is said of whether it is right before all of it has been typed.
fn judge(typed: &Digits, longest: usize) -> Verdict<()> {
    let digits = typed.as_str().bytes().all(|byte| byte.is_ascii_digit());
    match typed.len() {
        _ if !digits => Verdict::Dead,
        length if length < longest => Verdict::Prefix,
        length if length == longest => Verdict::Match { way: (), longer: false },
        _ => Verdict::Dead,
    }
}

/// What a PIN makes of who typed it; where members need none, typing nothing makes a member.
fn role(settings: &RoomSettings, typed: &Digits) -> Option<Role> {
    let moderator = settings.moderator_pin.as_ref().is_some_and(|pin| same(pin, typed));
    let member = match &settings.member_pin {
        Some(pin) => same(pin, typed),
        None => typed.is_empty(),
    };
    match (moderator, member) {
        (true, _) => Some(Role::Moderator),
        (false, true) => Some(Role::Member),
        (false, false) => None,
    }
}

/// Compared in full, so that the time taken tells nothing but a length.
fn same(pin: &Pin, typed: &Digits) -> bool {
    let (pin, typed) = (pin.reveal().as_str().as_bytes(), typed.as_str().as_bytes());
    let differences = pin.iter().zip(typed).fold(0, |all, (a, b)| all | (a ^ b));
    std::hint::black_box(differences) == 0 && pin.len() == typed.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(json: &str) -> RoomSettings {
        serde_json::from_str(json).unwrap()
    }

    fn typed(text: &str) -> Digits {
        text.parse().unwrap()
    }

    #[test]
    fn the_pin_decides_the_role() {
        let both = room(r#"{"member_pin": "1111", "moderator_pin": "222222"}"#);
        assert_eq!(role(&both, &typed("1111")), Some(Role::Member));
        assert_eq!(role(&both, &typed("222222")), Some(Role::Moderator));
        for wrong in ["", "111", "11111", "2222", "111122"] {
            assert_eq!(role(&both, &typed(wrong)), None, "{wrong}");
        }
        let open = room(r#"{"moderator_pin": "222222"}"#);
        assert_eq!(role(&open, &typed("")), Some(Role::Member));
        assert_eq!(role(&open, &typed("1")), None);
    }

    #[test]
    fn a_shorter_pin_is_waited_for_like_the_longer_one() {
        assert_eq!(judge(&typed("1"), 4), Verdict::Prefix);
        assert_eq!(judge(&typed("1234"), 4), Verdict::Match { way: (), longer: false });
        assert_eq!(judge(&typed("12#"), 4), Verdict::Dead);
    }
}
