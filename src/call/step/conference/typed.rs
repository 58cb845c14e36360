//! Keys in a room: FreeSWITCH's own controls are off, and a code is bound only for a role that may
//! use it, so that to anybody else it is no code at all.

use serde::{Deserialize, Serialize};

use super::is_not;
use crate::base::digits::{Digit, Digits};
use crate::flow::room::{Role, RoomKey, RoomSettings};

/// How long the next key may take: of a code, and of a number.
const NEXT_KEY_MS: u64 = 2_000;
const NUMBER_KEY_MS: u64 = 6_000;
/// Most keys of a number.
const NUMBER_MAX: usize = 24;
/// Ends a number, and gives it up.
const END: char = '#';
const GIVE_UP: char = '*';

/// What a member types now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(in crate::call) struct Typing {
    /// Whom to invite, and not a code.
    #[serde(default, skip_serializing_if = "is_not")]
    invites: bool,
}

/// What came of a key, or of its absence.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::call) enum Typed {
    /// More keys are to come.
    Begun,
    Nothing,
    Code(RoomKey),
    /// Whom to invite.
    Number(Digits),
    /// Nobody is to be invited.
    GivenUp,
}

impl Typing {
    pub(in crate::call) const fn is_nothing(&self) -> bool {
        !self.invites
    }

    /// The next keys are a number.
    pub(in crate::call) const fn invite(&mut self) {
        self.invites = true;
    }

    /// How long the next key may take, in milliseconds.
    pub(in crate::call) const fn patience_ms(self) -> u64 {
        if self.invites { NUMBER_KEY_MS } else { NEXT_KEY_MS }
    }

    /// `typed` is what was typed before, and with it from now on.
    pub(in crate::call) fn take(
        &mut self,
        settings: &RoomSettings,
        role: Role,
        typed: &mut Digits,
        key: Digit,
    ) -> Typed {
        if self.invites {
            return match char::from(key) {
                END => self.overdue(typed),
                GIVE_UP => self.give_up(typed),
                _ if typed.len() >= NUMBER_MAX => self.give_up(typed),
                _ => {
                    typed.push(key);
                    Typed::Begun
                }
            };
        }
        let known = |typed: &str| {
            let mut codes = settings.keys_of(role);
            codes.find(|(code, _)| code.as_str().starts_with(typed))
        };
        typed.push(key);
        // What begins no code may end in the beginning of one.
        if known(typed.as_str()).is_none() {
            typed.clear();
            typed.push(key);
        }
        match known(typed.as_str()) {
            Some((code, what)) if code == typed => {
                typed.clear();
                Typed::Code(what)
            }
            Some(_) => Typed::Begun,
            None => {
                typed.clear();
                Typed::Nothing
            }
        }
    }

    /// No further key comes.
    pub(in crate::call) fn overdue(&mut self, typed: &mut Digits) -> Typed {
        let number = std::mem::take(typed);
        match std::mem::take(&mut self.invites) {
            true if number.is_empty() => Typed::GivenUp,
            true => Typed::Number(number),
            false => Typed::Nothing,
        }
    }

    fn give_up(&mut self, typed: &mut Digits) -> Typed {
        typed.clear();
        self.invites = false;
        Typed::GivenUp
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room() -> RoomSettings {
        serde_json::from_str(
            r##"{"keys": {"*1": "mute_self", "*7": "invite", "#": "leave"},
                "member": ["mute_self"], "moderator": ["invite"]}"##,
        )
        .unwrap()
    }

    /// What came of each key.
    fn types(role: Role, keys: &str) -> (Vec<Typed>, Typing, Digits) {
        let (mut typing, mut typed) = (Typing::default(), Digits::default());
        let room = room();
        let came = keys.bytes().filter_map(Digit::new).map(|key| {
            let came = typing.take(&room, role, &mut typed, key);
            if came == Typed::Code(RoomKey::Invite) {
                typing.invite();
            }
            came
        });
        (came.collect(), typing, typed)
    }

    fn last(role: Role, keys: &str) -> Typed {
        types(role, keys).0.pop().unwrap()
    }

    #[test]
    fn a_number_is_typed_after_its_key_by_who_may_invite_and_by_nobody_else() {
        let number = |text: &str| Typed::Number(text.parse().unwrap());
        assert_eq!(last(Role::Moderator, "*7300#"), number("300"));
        assert_eq!(last(Role::Moderator, "*731*"), Typed::GivenUp);
        assert_eq!(last(Role::Moderator, "*7#"), Typed::GivenUp);
        let long = format!("*7{}", "1".repeat(NUMBER_MAX + 1));
        assert_eq!(last(Role::Moderator, &long), Typed::GivenUp);
        assert_eq!(last(Role::Member, "*7"), Typed::Nothing);
        assert_eq!(last(Role::Member, "*7300#"), Typed::Code(RoomKey::Leave));
        let (_, mut typing, mut typed) = types(Role::Moderator, "*7300");
        assert_eq!(typing.overdue(&mut typed), number("300"), "the pause ends it too");
    }

    #[test]
    fn what_begins_no_code_may_end_in_the_beginning_of_one() {
        for keys in ["*1", "5*1", "**1", "*5*1"] {
            assert_eq!(last(Role::Member, keys), Typed::Code(RoomKey::MuteSelf), "{keys}");
        }
        let (_, mut typing, mut typed) = types(Role::Member, "*");
        assert_eq!(typing.overdue(&mut typed), Typed::Nothing);
        assert!(typed.is_empty());
    }
}
