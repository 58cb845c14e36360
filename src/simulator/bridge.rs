//! `bridge`: calls far ends as the dial string says and joins the caller to the first that answers
//! (switch_ivr_originate.c, switch_ivr_bridge.c).

use std::collections::VecDeque;

use super::channel::{Channel, Peer};
use super::dialstring::{Target, parse};
use super::events::Kind;
use super::execute::{Activity, End, Served, cause_of};
use super::observed::Observed;
use super::profile::Times;
use super::wire::atoi;
use super::world::{Answers, FarEnd};
use crate::base::cause::HangupCause;
use crate::base::digits::Digit;

/// Until a far end rings, answers or refuses, at the least.
const SETUP_MS: u64 = 40;
/// How long all is tried when nothing says otherwise (switch_ivr_originate.c).
const DEFAULT_TIMEOUT_MS: u64 = 60_000;
const DEFAULT_PRESS_MS: u64 = 1_000;

#[derive(Debug)]
pub(super) struct Bridge {
    groups: VecDeque<Vec<Target>>,
    legs: Vec<Leg>,
    gives_up_at: u64,
    last_cause: HangupCause,
    talking: Option<Talk>,
}

/// A conversation.
#[derive(Debug)]
struct Talk {
    leg: usize,
    ends: Option<(u64, HangupCause)>,
    /// The far end went elsewhere in the dialplan; it did not hang up.
    left: bool,
}

#[derive(Debug)]
struct Leg {
    target: Target,
    uuid: String,
    created: i64,
    state: LegState,
}

#[derive(Debug)]
enum LegState {
    Waiting { starts_at: u64 },
    Calling { far_end: FarEnd, since: u64, rings: bool, limit: Option<u64> },
    Confirming { answers: Answers, confirms_at: Option<u64> },
    Talking,
    Gone,
}

impl Leg {
    fn due(&self) -> Option<u64> {
        match &self.state {
            LegState::Waiting { starts_at } => Some(*starts_at),
            LegState::Calling { far_end, since, rings, limit } => {
                let outcome = outcome_at(far_end, *since);
                let ring = (!rings).then_some(since + SETUP_MS);
                [outcome, ring, *limit].into_iter().flatten().min()
            }
            LegState::Confirming { confirms_at, .. } => *confirms_at,
            LegState::Talking | LegState::Gone => None,
        }
    }

    const fn is_gone(&self) -> bool {
        matches!(self.state, LegState::Gone)
    }
}

/// When a far end answers or fails.
pub(super) fn outcome_at(far_end: &FarEnd, since: u64) -> Option<u64> {
    match far_end {
        FarEnd::Fails { after, .. } => Some(since + SETUP_MS + after.ms()),
        FarEnd::Answers(answers) => Some(since + SETUP_MS + answers.answer.ms()),
        FarEnd::Rings => None,
    }
}

impl Bridge {
    pub(super) fn deadline(&self) -> Option<u64> {
        match &self.talking {
            Some(talk) => talk.ends.map(|(at, _)| at),
            None => self.legs.iter().filter_map(Leg::due).chain([self.gives_up_at]).min(),
        }
    }
}

impl Channel {
    pub(super) fn begin_bridge(&mut self, text: &[u8]) -> Activity {
        let groups = parse(text);
        if text.is_empty() || groups.is_empty() {
            return Activity::Done;
        }
        self.vars.set(&b"originate_disposition"[..], &b"failure"[..]);
        self.vars.set(&b"DIALSTATUS"[..], &b"INVALIDARGS"[..]);
        for name in ["originate_failed_cause", "originated_legs", "originate_causes"] {
            self.vars.unset(name.as_bytes());
        }
        self.run_hooks(b"execute_on_pre_originate");
        let mut bridge = Bridge {
            groups: groups.into(),
            legs: Vec::new(),
            gives_up_at: 0,
            last_cause: HangupCause::DestinationOutOfOrder,
            talking: None,
        };
        self.start_group(&mut bridge);
        Activity::Bridge(Box::new(bridge))
    }

    fn start_group(&mut self, bridge: &mut Bridge) -> bool {
        let Some(targets) = bridge.groups.pop_front() else { return false };
        let channel_timeout = self.vars.get(b"call_timeout").map(atoi);
        let channel_timeout =
            channel_timeout.and_then(|s| u64::try_from(s).ok()).filter(|s| *s > 0);
        let own = targets
            .first()
            .and_then(|t| t.seconds("originate_timeout").or_else(|| t.seconds("call_timeout")));
        let timeout =
            own.or_else(|| channel_timeout.map(|s| s * 1_000)).unwrap_or(DEFAULT_TIMEOUT_MS);
        bridge.gives_up_at = self.ms() + timeout;
        bridge.legs.clear();
        for target in targets {
            let delay = target.seconds("leg_delay_start").unwrap_or(0);
            let uuid = match target.variable("origination_uuid") {
                Some(uuid) => String::from_utf8_lossy(uuid).into_owned(),
                None => self.identity(),
            };
            let state = LegState::Waiting { starts_at: self.ms() + delay };
            bridge.legs.push(Leg { target, uuid, created: 0, state });
        }
        true
    }

    pub(super) fn serve_bridge(&mut self, bridge: &mut Bridge) -> Served {
        if self.digit_is_due() && self.bridge_reads_digits(bridge) {
            let digit = self.read_digit();
            if bridge.talking.is_none() && digit.is_some() && digit == self.cancel_key() {
                self.cancel(bridge);
            }
            return Served::Again;
        }
        if let Some(talk) = &bridge.talking {
            return match talk.ends {
                Some((at, cause)) if at <= self.ms() => self.far_end_left(bridge, cause),
                _ => Served::Waits,
            };
        }
        let due = |leg: &Leg, now: u64| leg.due().is_some_and(|at| at <= now);
        if let Some(at) = bridge.legs.iter().position(|leg| due(leg, self.ms())) {
            self.serve_leg(bridge, at);
            return Served::Again;
        }
        if bridge.gives_up_at <= self.ms() {
            for at in 0..bridge.legs.len() {
                self.lose_leg(bridge, at, HangupCause::NoAnswer);
            }
        }
        if bridge.legs.iter().all(Leg::is_gone) {
            if self.start_group(bridge) {
                return Served::Again;
            }
            self.fail(bridge.last_cause);
            return Served::Ends(End::Normal);
        }
        Served::Waits
    }

    pub(super) fn bridge_reads_digits(&self, bridge: &Bridge) -> bool {
        bridge.talking.is_some() || self.cancel_key().is_some()
    }

    /// While it rings only this key is read, and others with it (switch_ivr_originate.c).
    fn cancel_key(&self) -> Option<Digit> {
        Digit::new(*self.vars.get(b"origination_cancel_key")?.first()?)
    }

    fn cancel(&mut self, bridge: &mut Bridge) {
        bridge.groups.clear();
        let several = bridge.legs.len() > 1;
        let cause = if several { HangupCause::LoseRace } else { HangupCause::NoAnswer };
        for at in 0..bridge.legs.len() {
            self.lose_leg(bridge, at, cause);
        }
        bridge.last_cause = cause;
    }

    fn serve_leg(&mut self, bridge: &mut Bridge, at: usize) {
        let now = self.ms();
        let Some(leg) = bridge.legs.get_mut(at) else { return };
        match &mut leg.state {
            LegState::Waiting { .. } => self.start_leg(bridge, at),
            LegState::Confirming { .. } => self.join(bridge, at),
            LegState::Calling { far_end, since, rings, limit } => {
                if limit.is_some_and(|limit| limit <= now) {
                    return self.lose_leg(bridge, at, HangupCause::AllottedTimeout);
                }
                if outcome_at(far_end, *since).is_none_or(|at| at > now) {
                    *rings = true;
                    return self.ring();
                }
                match far_end.clone() {
                    FarEnd::Fails { cause, .. } => self.lose_leg(bridge, at, cause),
                    FarEnd::Answers(answers) => self.leg_answers(bridge, at, answers),
                    FarEnd::Rings => {}
                }
            }
            LegState::Talking | LegState::Gone => {}
        }
    }

    fn start_leg(&mut self, bridge: &mut Bridge, at: usize) {
        let micros = self.now.wall.as_microsecond();
        let Some(leg) = bridge.legs.get_mut(at) else { return };
        let number = leg.target.number();
        let far_end = match self.reach(&leg.target) {
            Ok(far_end) => far_end,
            Err(cause) => {
                leg.state = LegState::Gone;
                bridge.last_cause = cause;
                self.note(Observed::Failed { target: number, cause });
                return;
            }
        };
        let limit = leg.target.seconds("leg_timeout").map(|ms| self.now.mono_ms + ms);
        let rings = matches!(&far_end, FarEnd::Answers(a) if a.answer.ms() == 0);
        let rings = rings || matches!(far_end, FarEnd::Fails { .. });
        leg.created = micros;
        leg.state = LegState::Calling { far_end, since: self.now.mono_ms, rings, limit };
        let line = format!("{};Outbound Call;{number}", leg.uuid);
        self.vars.push("originated_legs", line.as_bytes());
        self.note(Observed::Dialing { target: number });
    }

    fn leg_answers(&mut self, bridge: &mut Bridge, at: usize, answers: Answers) {
        let Some(leg) = bridge.legs.get_mut(at) else { return };
        let Some(key) = leg.target.variable("group_confirm_key") else {
            leg.state = LegState::Confirming { answers, confirms_at: None };
            return self.join(bridge, at);
        };
        let pressed = answers.press.as_ref().is_some_and(|keys| {
            keys.as_str().as_bytes().windows(key.len().max(1)).any(|w| w == key)
        });
        let wait = answers.press_after.map_or(DEFAULT_PRESS_MS, |ms| ms.ms());
        let confirms_at = pressed.then(|| self.now.mono_ms + wait);
        if leg.target.is_true("group_confirm_cancel_timeout") {
            bridge.gives_up_at = u64::MAX;
        }
        leg.state = LegState::Confirming { answers, confirms_at };
    }

    /// The first to answer gets the call; the others lose the race.
    fn join(&mut self, bridge: &mut Bridge, at: usize) {
        for other in (0..bridge.legs.len()).filter(|other| *other != at) {
            self.lose_leg(bridge, other, HangupCause::LoseRace);
        }
        let now = self.ms();
        let micros = self.now.wall.as_microsecond();
        let Some(leg) = bridge.legs.get_mut(at) else { return };
        let state = std::mem::replace(&mut leg.state, LegState::Talking);
        let LegState::Confirming { answers, .. } = state else { return };
        let cause = answers.cause.unwrap_or(HangupCause::NormalClearing);
        let talk = answers.talk.map(|ms| (now + ms.ms(), cause));
        let ends = [talk, call_limit(&leg.target, now)].into_iter().flatten().min_by_key(|e| e.0);
        let number = leg.target.number();
        let imported = imported(self.vars.get(b"import"), &leg.target);
        let times = Times { created: leg.created, answered: micros, ..Times::default() };
        let peer = Peer {
            uuid: leg.uuid.clone(),
            destination: number.clone().into_bytes(),
            channel_name: leg.target.text.clone(),
            times,
        };
        bridge.talking = Some(Talk { leg: at, ends, left: false });
        self.callee = peer.destination.clone();
        self.answer();
        self.vars.push("originate_causes", format!("{};NONE", peer.uuid).as_bytes());
        for name in ["signal_bond", "bridge_uuid", "last_bridge_to"] {
            self.vars.set(name.as_bytes(), peer.uuid.clone().into_bytes());
        }
        self.vars.set(&b"bridge_channel"[..], peer.channel_name.clone());
        for name in ["originate_disposition", "DIALSTATUS"] {
            self.vars.set(name.as_bytes(), &b"SUCCESS"[..]);
        }
        for (name, value) in imported {
            self.vars.set(name, value);
        }
        self.times.bridged = micros;
        self.peer = Some(peer);
        self.note(Observed::Bridged { target: number });
        self.fire_bridge(Kind::Bridge);
        self.fire(Kind::CallUpdate, &[("Direction", b"SEND")], &[]);
    }

    pub(super) fn fire_bridge(&mut self, kind: Kind) {
        let Some(other) = self.peer.as_ref().map(|peer| peer.uuid.clone()) else { return };
        let own = self.call.uuid.clone();
        let before =
            [("Bridge-A-Unique-ID", own.as_bytes()), ("Bridge-B-Unique-ID", other.as_bytes())];
        self.fire(kind, &before, &[]);
    }

    fn far_end_left(&mut self, bridge: &Bridge, cause: HangupCause) -> Served {
        let left = bridge.talking.as_ref().is_some_and(|talk| talk.left);
        if left {
            self.vars.unset(b"signal_bond");
        } else {
            for name in ["bridge_hangup_cause", "last_bridge_hangup_cause"] {
                self.vars.set(name.as_bytes(), cause.name().as_bytes());
            }
        }
        self.note(Observed::Unbridged { cause });
        if !left {
            self.tell_end(bridge, cause);
        }
        self.fire_bridge(Kind::Unbridge);
        self.run_hooks(b"execute_on_post_bridge");
        let hangs_up = self.vars.is_true("hangup_after_bridge");
        if hangs_up && !left {
            self.hang_up_from_inside(cause);
        }
        Served::Ends(End::Normal)
    }

    fn lose_leg(&mut self, bridge: &mut Bridge, at: usize, cause: HangupCause) {
        let Some(leg) = bridge.legs.get_mut(at).filter(|leg| !leg.is_gone()) else { return };
        let was_called = !matches!(leg.state, LegState::Waiting { .. });
        leg.state = LegState::Gone;
        if cause == HangupCause::LoseRace {
            return;
        }
        bridge.last_cause = cause;
        let target = leg.target.number();
        if was_called {
            let line = format!("{};{cause}", leg.uuid);
            self.vars.push("originate_causes", line.as_bytes());
            self.vars.set(&b"last_bridge_hangup_cause"[..], cause.name().as_bytes());
            if let Some(status) = sip_status(cause) {
                let name = &b"last_bridge_proto_specific_hangup_cause"[..];
                self.vars.set(name, status.as_bytes());
            }
        }
        self.note(Observed::Failed { target, cause });
    }

    fn tell_failure(&mut self, cause: HangupCause) {
        let name = cause.name().as_bytes();
        let status = match cause {
            HangupCause::UserBusy => "BUSY",
            HangupCause::NoAnswer => "NOANSWER",
            HangupCause::OriginatorCancel => "CANCEL",
            _ => cause.name(),
        };
        self.vars.set(&b"originate_disposition"[..], name);
        self.vars.set(&b"DIALSTATUS"[..], status.as_bytes());
        self.vars.set(&b"originate_failed_cause"[..], name);
    }

    /// A failed bridge hangs the caller up unless `continue_on_fail` says otherwise
    /// (switch_channel.c, `switch_channel_handle_cause`).
    fn fail(&mut self, cause: HangupCause) {
        self.tell_failure(cause);
        let goes_on = match self.vars.get(b"continue_on_fail") {
            Some(value) if super::variables::is_true(value) => true,
            Some(value) => value
                .split(|b| *b == b',')
                .any(|word| word.trim_ascii().eq_ignore_ascii_case(cause.name().as_bytes())),
            None => matches!(
                cause,
                HangupCause::NoAnswer | HangupCause::NoUserResponse | HangupCause::OriginatorCancel
            ),
        };
        if !goes_on {
            self.hang_up_from_inside(cause);
        }
    }

    /// The caller is gone, or was taken elsewhere.
    pub(super) fn abandon_bridge(&mut self, mut bridge: Bridge) {
        if bridge.talking.is_some() {
            let cause = self.ended.as_ref().map_or(HangupCause::NormalClearing, |e| e.cause);
            self.vars.set(&b"bridge_hangup_cause"[..], cause.name().as_bytes());
            self.note(Observed::Unbridged { cause });
            if bridge.talking.as_ref().is_none_or(|talk| !talk.left) {
                self.tell_end(&bridge, cause);
            }
            self.fire_bridge(Kind::Unbridge);
            self.run_hooks(b"execute_on_post_bridge");
        } else {
            for at in 0..bridge.legs.len() {
                self.lose_leg(&mut bridge, at, HangupCause::OriginatorCancel);
            }
            self.vars.unset(b"last_bridge_hangup_cause");
            self.tell_failure(HangupCause::OriginatorCancel);
        }
    }

    fn find_leg(&mut self, uuid: &[u8]) -> Option<(&mut Bridge, usize)> {
        self.stack.iter_mut().rev().find_map(|frame| match &mut frame.activity {
            Activity::Bridge(bridge) => {
                let is_it = |leg: &Leg| leg.uuid.as_bytes() == uuid && !leg.is_gone();
                let at = bridge.legs.iter().position(is_it)?;
                Some((&mut **bridge, at))
            }
            _ => None,
        })
    }

    pub(super) fn has_leg(&mut self, uuid: &[u8]) -> bool {
        self.has_other(uuid) || self.find_leg(uuid).is_some()
    }

    /// The far end of a conversation within `bridge`: its channel and its number.
    pub(super) fn bridged_leg(&self) -> Option<(&str, String)> {
        self.stack.iter().rev().find_map(|frame| match &frame.activity {
            Activity::Bridge(bridge) => {
                let leg = bridge.legs.get(bridge.talking.as_ref()?.leg)?;
                Some((leg.uuid.as_str(), leg.target.number()))
            }
            _ => None,
        })
    }

    pub(super) fn hang_up_leg(&mut self, uuid: &[u8], cause: HangupCause) {
        if !self.hang_up_other(uuid, cause) {
            self.end_leg(uuid, cause, false);
        }
    }

    /// The far end of a conversation is gone.
    fn tell_end(&mut self, bridge: &Bridge, cause: HangupCause) {
        let leg = bridge.talking.as_ref().and_then(|talk| bridge.legs.get(talk.leg));
        let Some((uuid, number)) = leg.map(|leg| (leg.uuid.clone(), leg.target.number())) else {
            return;
        };
        let extra = [("Hangup-Cause", cause.name().as_bytes())];
        self.tell_leg(&uuid, &number, Kind::Hangup, &extra);
        self.tell_leg(&uuid, &number, Kind::HangupComplete, &extra);
    }

    /// `hupall CAUSE NAME VALUE`: every dialled channel whose variable has this value.
    pub(super) fn hang_up_marked(&mut self, words: &[Vec<u8>]) -> Vec<u8> {
        let [cause, name, value] = words else { return b"-ERR not simulated\n".to_vec() };
        let name = String::from_utf8_lossy(name);
        let marked = |leg: &&Leg| leg.target.variable(&name) == Some(value) && !leg.is_gone();
        let legs = self.stack.iter().flat_map(|frame| match &frame.activity {
            Activity::Bridge(bridge) => &bridge.legs[..],
            _ => &[],
        });
        let marked: Vec<_> = legs.filter(marked).map(|leg| leg.uuid.clone()).collect();
        for uuid in marked {
            self.hang_up_leg(uuid.as_bytes(), cause_of(cause));
        }
        b"+OK hangup all channels matching\n".to_vec()
    }

    /// The far end of the conversation is sent to another place of the dialplan; when it would have
    /// hung up.
    pub(super) fn transfer_far_end(&mut self) -> Option<Option<(u64, HangupCause)>> {
        let uuid = self.bridged_leg()?.0.to_owned();
        let ends = self.find_leg(uuid.as_bytes())?.0.talking.as_ref()?.ends;
        self.end_leg(uuid.as_bytes(), HangupCause::NormalClearing, true);
        Some(ends)
    }

    fn end_leg(&mut self, uuid: &[u8], cause: HangupCause, left: bool) {
        let soon = self.next_frame();
        let Some((bridge, at)) = self.find_leg(uuid) else { return };
        match &mut bridge.talking {
            Some(talk) if talk.leg == at => {
                talk.ends = Some((soon, cause));
                talk.left = left;
            }
            _ => {
                let Some(leg) = bridge.legs.get_mut(at) else { return };
                let fails = FarEnd::Fails { cause, after: Default::default() };
                let since = soon.saturating_sub(SETUP_MS);
                leg.state = LegState::Calling { far_end: fails, since, rings: true, limit: None };
            }
        }
    }
}

/// Variables that the caller takes over (switch_ivr_originate.c, `switch_process_import`).
fn imported(names: Option<&[u8]>, target: &Target) -> Vec<(Vec<u8>, Vec<u8>)> {
    let names = names.unwrap_or_default().split(|b| *b == b',');
    let found = names.filter_map(|name| {
        let value = target.variable(std::str::from_utf8(name).ok()?)?;
        Some((name.to_vec(), value.to_vec()))
    });
    found.collect()
}

/// `execute_on_answer=sched_hangup +SECONDS [cause]` limits a conversation; a `:` may stand for the
/// space behind the application (`switch_channel.c` switch_channel_execute_on_value).
fn call_limit(target: &Target, now: u64) -> Option<(u64, HangupCause)> {
    let text = target.variable("execute_on_answer").or_else(|| target.variable("api_on_answer"))?;
    let text = String::from_utf8_lossy(text);
    let mut words = text.split(|c: char| c.is_whitespace() || c == ':');
    words.next().filter(|word| *word == "sched_hangup")?;
    let seconds = words.next()?.trim_start_matches('+').parse::<u64>().ok()?;
    let cause = words.next_back().map_or(HangupCause::AllottedTimeout, |w| cause_of(w.as_bytes()));
    Some((now + seconds.saturating_mul(1_000), cause))
}

/// The SIP status that mod_sofia tells for a refusal.
const fn sip_status(cause: HangupCause) -> Option<&'static str> {
    match cause {
        HangupCause::UserBusy => Some("sip:486"),
        HangupCause::CallRejected => Some("sip:603"),
        HangupCause::UnallocatedNumber => Some("sip:404"),
        HangupCause::NormalTemporaryFailure => Some("sip:503"),
        _ => None,
    }
}
