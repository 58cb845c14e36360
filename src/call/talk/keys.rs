//! Key codes during a conversation, for those who are the tenant's own.
//!
//! We read the keys ourselves. `bind_digit_action` would have FreeSWITCH keep the codes in each
//! leg, where they are lost with a transfer, stay behind when the rights change, and show the keys
//! of an extension in its logs; it knows no prompt for the next key either. Keys go to the other
//! party in any case: FreeSWITCH passes them on before it tells of them.

use crate::base::digits::{Digit, Digits};
use crate::base::ids::ChannelId;
use crate::call::Call;
use crate::call::input::Command;
use crate::call::operator::Obeyed;
use crate::call::output::Action;
use crate::call::timer::Timer;
use crate::flow::Step;
use crate::flow::kind::dial::{Address, Inside};
use crate::flow::kind::record::RecordAction;
use crate::flow::talk::TalkKey;
use crate::model::talk::{Goal, Side};

/// Most keys of an extension.
const TARGET_MAX: usize = 24;
/// Ends what is typed, and gives it up.
const END: char = '#';
const GIVE_UP: char = '*';

/// What one side has typed. It is kept in no state: who types when a process goes begins anew.
#[derive(Debug, Default)]
pub(in crate::call) struct Typing {
    side: Side,
    typed: Digits,
    /// A code that needs an extension.
    wants: Option<TalkKey>,
}

impl Call {
    /// Whether this side may use key codes now.
    pub(super) fn may_type(&self, side: Side) -> bool {
        if self.program.settings.talk.keys.is_off() || self.state.closing.is_some() {
            return false;
        }
        // A consultation is led by who consults.
        let leads = self.consulting_side().is_none_or(|consults| consults == side);
        leads && !self.is_loose() && !self.is_fetched() && self.is_inside(side)
    }

    /// Whether the step that dialed holds this side for the tenant's own.
    pub(super) fn names_inside(&self, side: Inside) -> bool {
        let Some(running) = self.state.running.dialing() else { return false };
        let Some((published, name)) = self.here() else { return false };
        let dial = published.flow.steps.get(&name).and_then(Step::dial);
        let Some(dial) = dial else { return false };
        if let Some(inside) = &dial.inside {
            return inside.contains(&side);
        }
        let target = running.answered_place().and_then(|place| dial.targets.get(place));
        let own = target.is_some_and(|target| matches!(target.to, Address::Extension { .. }));
        side == Inside::Target && own
    }

    /// Whether the step dialed this channel.
    pub(super) fn was_dialed(&self, channel: &ChannelId) -> bool {
        self.state.running.dialing().is_some_and(|running| running.place_of(channel).is_some())
    }

    /// The far party's keys are listened to only where they can mean something.
    pub(in crate::call) fn listen_to_keys(&mut self) {
        let Some(channel) = self.state.bridged.clone() else { return };
        if self.may_type(Side::Far) {
            self.order(Action::Follow { channel, on: true });
        }
    }

    pub(in crate::call) fn far_key(&mut self, channel: &ChannelId, key: Digit) {
        if self.channel_of(Side::Far).as_ref() == Some(channel) {
            self.talk_key(Side::Far, key);
        }
    }

    /// A key in a conversation.
    pub(in crate::call) fn talk_key(&mut self, side: Side, key: Digit) {
        if !self.may_type(side) {
            return;
        }
        if self.live.typing.side != side {
            self.live.typing = Typing { side, ..Typing::default() };
        }
        if self.live.typing.wants.is_some() {
            return self.target_key(key);
        }
        self.live.typing.typed.push(key);
        match self.match_code() {
            Match::Code(code) => self.fire(code),
            Match::Begun => self.await_key(),
            Match::Nothing => {
                // It may be the first of another.
                self.live.typing.typed = Digits::default();
                self.live.typing.typed.push(key);
                match self.match_code() {
                    Match::Code(code) => self.fire(code),
                    Match::Begun => self.await_key(),
                    Match::Nothing => self.forget_keys(),
                }
            }
        }
    }

    fn match_code(&self) -> Match {
        let typed = self.live.typing.typed.as_str();
        let mut codes = self.program.settings.talk.keys.codes.iter();
        let longer = codes
            .clone()
            .any(|(_, keys)| keys.len() > typed.len() && keys.as_str().starts_with(typed));
        match codes.find(|(_, keys)| keys.as_str() == typed) {
            Some((code, _)) if !longer => Match::Code(*code),
            Some(_) => Match::Begun,
            None if longer => Match::Begun,
            None => Match::Nothing,
        }
    }

    fn await_key(&mut self) {
        let next_ms = self.program.settings.talk.keys.next_key.ms();
        self.state.after(Timer::TalkKeys, next_ms);
    }

    fn forget_keys(&mut self) {
        self.live.typing = Typing::default();
        self.state.timers.clear(Timer::TalkKeys);
    }

    fn target_key(&mut self, key: Digit) {
        match char::from(key) {
            END => self.target_typed(),
            GIVE_UP => {
                self.beep();
                self.forget_keys();
            }
            _ if self.live.typing.typed.len() >= TARGET_MAX => self.forget_keys(),
            _ => {
                self.live.typing.typed.push(key);
                self.await_key();
            }
        }
    }

    /// No further key came in time.
    pub(in crate::call) fn talk_keys_overdue(&mut self) {
        if self.live.typing.wants.is_some() {
            return self.target_typed();
        }
        let typed = self.live.typing.typed.as_str();
        let codes = &self.program.settings.talk.keys.codes;
        let code = codes.iter().find(|(_, keys)| keys.as_str() == typed).map(|(code, _)| *code);
        match code {
            Some(code) => self.fire(code),
            None => self.forget_keys(),
        }
    }

    fn fire(&mut self, code: TalkKey) {
        if matches!(code, TalkKey::Transfer | TalkKey::Consult) {
            self.live.typing.typed = Digits::default();
            self.live.typing.wants = Some(code);
            self.beep();
            return self.await_key();
        }
        let (side, by) = (self.live.typing.side, self.name_of_typing());
        let other = side.other();
        let obeyed = match code {
            TalkKey::Complete => self.complete(),
            TalkKey::Cancel => self.cancel(),
            TalkKey::Toggle => self.toggle(),
            TalkKey::Merge => self.merge(),
            TalkKey::Hold => self.hold(&by, other, !self.is_on_hold(other)),
            TalkKey::Record => {
                let runs = self.state.talk.recording.is_some();
                let action = if runs { RecordAction::Stop } else { RecordAction::Start };
                self.obey(&by, Command::Record { action })
            }
            TalkKey::Mask => {
                let action =
                    if self.is_masked() { RecordAction::Unmask } else { RecordAction::Mask };
                self.obey(&by, Command::Record { action })
            }
            TalkKey::Park => self.park(&by, other, None),
            TalkKey::Transfer | TalkKey::Consult => Ok(()),
        };
        self.typed_came_to(obeyed);
    }

    fn target_typed(&mut self) {
        let typing = std::mem::take(&mut self.live.typing);
        self.state.timers.clear(Timer::TalkKeys);
        let Some(code) = typing.wants.filter(|_| !typing.typed.is_empty()) else { return };
        self.live.typing.side = typing.side;
        let by = self.name_of_typing();
        let to = Goal::Extension(typing.typed.as_str().to_owned());
        let obeyed = match (code, typing.side) {
            (TalkKey::Consult, side) => self.consult(&by, side, &to),
            _ => self.send(&by, typing.side.other(), &to),
        };
        self.typed_came_to(obeyed);
    }

    fn typed_came_to(&mut self, obeyed: Obeyed) {
        if let Err(why) = obeyed {
            self.notice(format!("what keys asked for is not done: {why}"));
            self.beep();
        }
        self.forget_keys();
    }

    /// A short tone for who types.
    fn beep(&mut self) {
        if let Some(channel) = self.channel_of(self.live.typing.side) {
            self.order(Action::Beep { channel });
        }
    }

    fn channel_of(&self, side: Side) -> Option<ChannelId> {
        match side {
            Side::Caller => Some(self.state.channel().clone()),
            Side::Far => self.far_channel().or_else(|| self.state.bridged.clone()),
        }
    }

    fn name_of_typing(&mut self) -> String {
        let channel = self.channel_of(self.live.typing.side);
        let own = self.state.channel().clone();
        let leg = match channel {
            Some(channel) if channel != own => self.leg_mut(&channel).map(|leg| leg.party.clone()),
            _ => self.state.legs.first().map(|leg| leg.party.clone()),
        };
        leg.map(|party| self.party(&party)).unwrap_or_default()
    }
}

/// What the keys typed so far are.
enum Match {
    Code(TalkKey),
    Begun,
    Nothing,
}
