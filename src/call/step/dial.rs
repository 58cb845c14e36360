//! `dial`: another party is called and joined to the caller.
//!
//! `all` is one order; `in_turn` and `rollover` are one order for each target, so that each
//! target's outcome decides what is dialed next. Where several targets failed in different ways,
//! the step's outcome is the one that tells most: `no_answer`, then `rejected`, `busy`,
//! `unreachable`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Heard, Next, Running};
use crate::base::cause::HangupCause;
use crate::base::ids::ChannelId;
use crate::base::millis::Millis;
use crate::call::input::{Dialed, Ending};
use crate::call::orders::GRACE_MS;
use crate::call::output::{
    AcceptOrder, Action, DialAddress, DialOrder, DialTarget, Media, RingTone,
};
use crate::call::talk::record::Wish;
use crate::call::timer::Timer;
use crate::call::variables::Known;
use crate::call::{Call, address, describe, talk};
use crate::flow::kind::dial::{Address, Dial, Ringback, Strategy, Target};
use crate::flow::{Outcome, Value};
use crate::model::record::{LegRecord, LegRole};

/// Targets of one step; the rest is left out.
pub(super) const TARGETS_MAX: usize = 20;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::call) struct ExpectOutcome {
    /// The target, from 0, that is to be dialed next; all are dialed where it is past the last.
    next: usize,
    /// What is being dialed: each target's place in the step and its leg's in the record.
    dialing: Vec<(usize, usize)>,
    /// When the caller was joined, and to which channel.
    joined: Option<(Timestamp, ChannelId)>,
    cancelled: bool,
    /// The place of the target that answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    with: Option<usize>,
    worst: Option<Outcome>,
    /// No other target is dialed.
    #[serde(default, skip_serializing_if = "is_not")]
    alone: bool,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
const fn is_not(so: &bool) -> bool {
    !*so
}

/// A target that can be dialed.
struct Ready {
    place: usize,
    target: DialTarget,
    party: String,
}

pub(in crate::call) fn enter(call: &mut Call, dial: &Dial) -> (Running, Next) {
    let mut state = ExpectOutcome::from(0, false);
    call.drop_keys_ahead();
    let next = state.dial_next(call, dial);
    (Running::Dial(Box::new(state)), next)
}

/// Dials the target at this place, and no other.
pub(super) fn one(call: &mut Call, dial: &Dial, place: usize) -> (ExpectOutcome, Next) {
    let mut state = ExpectOutcome::from(place, true);
    let next = state.dial_next(call, dial);
    (state, next)
}

/// What the switch went on with by itself has ended by now: as it tells, or else a conversation
/// that began is over, and what only rang is dialed again.
pub(in crate::call) fn resume(
    call: &mut Call,
    dial: &Dial,
    mut state: Box<ExpectOutcome>,
    ended: Option<Dialed>,
) -> (Running, Next) {
    if let Some(dialed) = state.over(ended) {
        call.state.bridged = None;
        let next = state.ended(call, dial, Ending::Dialed(dialed));
        return (Running::Dial(state), next);
    }
    // What is dialed again counts once.
    state.forget_legs(call);
    let again = u32::try_from(state.dialing.len()).unwrap_or(0);
    call.state.counters.legs = call.state.counters.legs.saturating_sub(again);
    state.next = state.dialing.first().map_or(state.next, |(place, _)| *place);
    state.dialing.clear();
    let next = state.dial_next(call, dial);
    (Running::Dial(state), next)
}

impl ExpectOutcome {
    const fn from(next: usize, alone: bool) -> Self {
        Self {
            next,
            dialing: Vec::new(),
            joined: None,
            cancelled: false,
            with: None,
            worst: None,
            alone,
        }
    }

    /// What the switch went on with by itself has ended: as it tells, or else a conversation that
    /// began is over. None where only somebody rang.
    pub(super) fn over(&self, told: Option<Dialed>) -> Option<Dialed> {
        let cause = HangupCause::NormalClearing;
        let spoke = self.joined.is_some();
        let told = told.filter(|dialed| dialed.answered || !spoke);
        let over = Dialed::talked(cause);
        told.or_else(|| spoke.then_some(over))
    }

    /// The record does not tell of those who were dialed last.
    pub(super) fn forget_legs(&self, call: &mut Call) {
        if let Some((_, first)) = self.dialing.first() {
            call.state.legs.truncate((*first).max(1));
        }
    }

    /// The leg of the target that answered, in the record.
    pub(super) fn answered_leg(&self) -> Option<usize> {
        self.joined.as_ref()?;
        self.answering(None).map(|(_, leg)| leg)
    }

    /// Dials the targets whose turn it is.
    fn dial_next(&mut self, call: &mut Call, dial: &Dial) -> Next {
        let mut ready = Vec::new();
        for (place, target) in dial.targets.iter().enumerate().take(TARGETS_MAX).skip(self.next) {
            self.next = place + 1;
            match prepare(call, dial, place, target) {
                Ok(target) => ready.push(target),
                Err(why) => {
                    call.notice(format!("target {} can't be dialed: {why}", place + 1));
                    self.failed(Outcome::Unreachable);
                }
            }
            if dial.strategy != Strategy::All && !ready.is_empty() {
                break;
            }
        }
        if ready.is_empty() {
            let outcome = self.worst.unwrap_or(Outcome::Unreachable);
            return Next::leave(outcome, "no target is left");
        }
        if let Some(limit) = call.legs_exceeded(ready.len()) {
            return Next::failed(limit);
        }
        self.order(call, dial, ready)
    }

    fn order(&mut self, call: &mut Call, dial: &Dial, ready: Vec<Ready>) -> Next {
        let accept = match accept(call, dial) {
            Ok(accept) => accept,
            Err(missing) => return Next::failed(missing),
        };
        let thinking_ms = accept.as_ref().map_or(0, |accept| accept.timeout.ms() * 2);
        let rings = ready
            .iter()
            .map(|ready| ready.target.delay.ms().saturating_add(ready.target.timeout.ms()));
        let within_ms = rings.max().unwrap_or(0).saturating_add(thinking_ms);
        self.dialing =
            ready.iter().map(|ready| (ready.place, call.add_leg(&ready.party))).collect();
        let (caller_name, caller_number) = caller_id(call, dial);
        let order = DialOrder {
            targets: (0..)
                .zip(ready)
                .map(|(position, ready)| DialTarget { position, ..ready.target })
                .collect(),
            strategy: dial.strategy,
            caller_name,
            caller_number,
            ringback: ringback(call, dial),
            time_limit: dial.time_limit,
            accept,
            cancel_key: dial.cancel_key.clone(),
        };
        call.worth_writing();
        call.dial(order, within_ms);
        Next::Wait
    }

    pub(in crate::call) fn hear(&mut self, call: &mut Call, dial: &Dial, heard: Heard) -> Next {
        match heard {
            Heard::Key(key) => {
                let cancels = dial.cancel_key.as_ref().is_some_and(|keys| keys.contains(key));
                if cancels && self.joined.is_none() && !self.cancelled {
                    call.trace_key(key, false);
                    self.cancelled = true;
                    call.order(Action::CancelDial);
                    call.state.after(Timer::ActionOverdue, GRACE_MS);
                }
                Next::Wait
            }
            Heard::Bridged(target) => {
                self.joined(call, dial, target);
                Next::Wait
            }
            Heard::Ended(ending) => self.ended(call, dial, ending),
            Heard::Due(_) | Heard::Answer(_) | Heard::Room(_) => Next::Wait,
        }
    }

    /// The place of the target that answered.
    pub(in crate::call) fn answered_place(&self) -> Option<usize> {
        self.joined.as_ref()?;
        self.with.or_else(|| self.answering(None).map(|(place, _)| place))
    }

    /// The place of the target whose channel this is.
    pub(in crate::call) fn place_of(&self, channel: &ChannelId) -> Option<usize> {
        let (_, other) = self.joined.as_ref()?;
        if other == channel { self.answered_place() } else { None }
    }

    fn joined(&mut self, call: &mut Call, dial: &Dial, target: Option<usize>) {
        let now = call.live.now.wall;
        if self.joined.is_some() {
            return;
        }
        self.joined = call.state.bridged.clone().map(|other| (now, other));
        call.mark_answered();
        if let Some((place, leg)) = self.answering(target) {
            self.with = Some(place);
            self.answer_leg(call, leg);
        }
        self.record(call, dial, target);
        // From here on the conversation's own limit counts, and the call's where it has none.
        call.state.timers.clear(Timer::ActionOverdue);
        if let Some(limit) = dial.time_limit {
            call.state.after(Timer::ActionOverdue, limit.ms().saturating_add(GRACE_MS));
        }
        call.worth_writing();
    }

    /// The conversation had begun before anybody could write it down.
    pub(in crate::call) fn found_joined(&mut self, call: &mut Call, dialed: &Dialed) {
        let now = call.live.now.wall;
        if self.joined.is_some() || !dialed.answered {
            return;
        }
        self.joined = dialed.other.clone().map(|other| (now, other));
        call.mark_answered();
        if let Some((place, leg)) = self.answering(dialed.target) {
            self.with = Some(place);
            self.answer_leg(call, leg);
        }
        call.state.bridged = dialed.other.clone();
    }

    /// A conversation is recorded from the moment in which it begins: FreeSWITCH loses up to 0.3 s
    /// of what it records from before.
    fn record(&self, call: &mut Call, dial: &Dial, target: Option<usize>) {
        let far = self.answering(target).and_then(|(place, _)| dial.targets.get(place));
        let far = match far.map(|target| &target.to) {
            Some(Address::Extension { extension }) => Some(call.render(extension).0),
            Some(Address::Number { .. } | Address::Sip { .. }) | None => None,
        };
        if dial.record.unwrap_or_else(|| call.wants_recording(far.as_deref()))
            && !call.is_recorded()
            && let Err(why) = call.begin_recording(Wish::CONVERSATION)
        {
            call.notice(format!("the conversation is not recorded: {why}"));
        }
    }

    /// Who of those dialed at once answered: the only one, where the switch does not say.
    fn answering(&self, target: Option<usize>) -> Option<(usize, usize)> {
        let known = target.and_then(|target| self.dialing.get(target)).copied();
        known.or(if let [only] = self.dialing[..] { Some(only) } else { None })
    }

    fn answer_leg(&self, call: &mut Call, leg: usize) {
        let now = call.live.now.wall;
        if let Some(leg) = call.state.legs.get_mut(leg) {
            let (at, channel) = self.joined.clone().unzip();
            leg.answered.get_or_insert_with(|| at.unwrap_or(now));
            leg.channel = leg.channel.take().or(channel);
        }
    }

    fn ended(&mut self, call: &mut Call, dial: &Dial, ending: Ending) -> Next {
        let dialed = match ending {
            Ending::Dialed(dialed) => dialed,
            Ending::Finished
            | Ending::FileMissing { .. }
            | Ending::Recorded { .. }
            | Ending::Failed { .. } => {
                self.end_legs(call, HangupCause::NormalUnspecified, None);
                return self.unanswered(call, dial, Outcome::Failed, &describe::ending(&ending));
            }
        };
        if dialed.answered {
            return self.conversation_over(call, dial, &dialed);
        }
        self.end_legs(call, dialed.cause, None);
        self.unanswered(call, dial, outcome_of(dialed.cause), dialed.cause.name())
    }

    fn conversation_over(&mut self, call: &mut Call, dial: &Dial, dialed: &Dialed) -> Next {
        let answered = self.answering(dialed.target);
        call.mark_answered();
        if let Some((place, leg)) = answered {
            if self.joined.is_none()
                && let Some(other) = &dialed.other
            {
                self.joined = Some((call.live.now.wall, other.clone()));
            }
            self.answer_leg(call, leg);
            if let Some(name) = &dial.answered_by {
                let number = u32::try_from(place + 1).unwrap_or(u32::MAX);
                call.set(name, Known { value: Value::Number(number.into()), secret: false });
            }
        }
        self.end_legs(call, dialed.cause, answered.map(|(_, leg)| leg));
        Next::leave(Outcome::Done, format!("the conversation ended: {}", dialed.cause))
    }

    fn unanswered(&mut self, call: &mut Call, dial: &Dial, outcome: Outcome, why: &str) -> Next {
        if self.cancelled {
            return Next::leave(Outcome::Cancelled, "the caller pressed the cancel key");
        }
        self.failed(outcome);
        self.dialing.clear();
        let goes_on = match dial.strategy {
            Strategy::All => false,
            Strategy::InTurn => !self.alone,
            Strategy::Rollover => !matches!(outcome, Outcome::NoAnswer | Outcome::Rejected),
        };
        if goes_on && self.next < dial.targets.len().min(TARGETS_MAX) {
            return self.dial_next(call, dial);
        }
        let outcome = match dial.strategy {
            Strategy::Rollover if !goes_on => outcome,
            Strategy::All | Strategy::InTurn | Strategy::Rollover => self.worst.unwrap_or(outcome),
        };
        Next::leave(outcome, why)
    }

    fn failed(&mut self, outcome: Outcome) {
        let weight = |outcome: Outcome| match outcome {
            Outcome::NoAnswer => 5,
            Outcome::Rejected => 4,
            Outcome::Busy => 3,
            Outcome::Unreachable => 2,
            Outcome::Failed => 1,
            Outcome::Done
            | Outcome::NoInput
            | Outcome::Invalid
            | Outcome::TooMany
            | Outcome::Closed
            | Outcome::Holiday
            | Outcome::Cancelled
            | Outcome::TooShort
            | Outcome::Kicked
            | Outcome::Ended
            | Outcome::Full
            | Outcome::Locked
            | Outcome::Denied
            | Outcome::TooLong
            | Outcome::Nobody
            | Outcome::NoRoom
            | Outcome::TimedOut
            | Outcome::Empty
            | Outcome::Elsewhere => 0,
        };
        if self.worst.is_none_or(|worst| weight(worst) < weight(outcome)) {
            self.worst = Some(outcome);
        }
    }

    fn end_legs(&self, call: &mut Call, cause: HangupCause, answered: Option<usize>) {
        let now = call.live.now.wall;
        for (_, index) in &self.dialing {
            if let Some(leg) = call.state.legs.get_mut(*index)
                && leg.ended.is_none()
            {
                leg.ended = Some(now);
                let lost = answered.is_some_and(|answered| answered != *index);
                leg.cause = Some(if lost { HangupCause::LoseRace } else { cause });
            }
        }
    }
}

/// Where a target is, so that it can be dialed once more.
pub(in crate::call) fn address_of(call: &Call, target: &Target) -> Option<talk::Address> {
    let template = target.template();
    let (text, _) = call.render(template);
    let at = address::dialable(&target.to, &text, &call.program.settings).ok()?;
    let party = party(&at);
    Some(talk::Address { at, party })
}

fn prepare(call: &Call, dial: &Dial, place: usize, target: &Target) -> Result<Ready, String> {
    let template = target.template();
    let (text, secret) = call.render(template);
    let address = address::dialable(&target.to, &text, &call.program.settings)
        .map_err(|why| format!("{why}: `{}`", describe::clean(template.source())))?;
    let party = if secret { "•••".to_owned() } else { party(&address) };
    let delay = if dial.strategy == Strategy::All { target.delay } else { Millis(0) };
    let timeout = target.timeout.unwrap_or(dial.timeout);
    Ok(Ready { place, target: DialTarget { position: 0, address, delay, timeout }, party })
}

fn party(address: &DialAddress) -> String {
    match address {
        DialAddress::Extension { extension, .. } => extension.clone(),
        DialAddress::Number { number, .. } | DialAddress::Outside { number, .. } => number.clone(),
        DialAddress::Sip { user, host } => format!("{user}@{host}"),
    }
}

fn accept(call: &Call, dial: &Dial) -> Result<Option<AcceptOrder>, String> {
    let Some(accept) = &dial.accept else { return Ok(None) };
    let name = &accept.prompt;
    let prompt = call.program.prompts.get(name);
    let file = prompt.ok_or_else(|| format!("there is no prompt `{name}`"))?.path.clone();
    Ok(Some(AcceptOrder { file, key: accept.key.clone(), timeout: accept.timeout }))
}

fn caller_id(call: &Call, dial: &Dial) -> (Option<String>, Option<String>) {
    let own = || call.state.arrival.shown_name();
    let Some(caller_id) = &dial.caller_id else { return (own(), None) };
    let name = caller_id.name.as_ref().and_then(|name| address::display_name(&call.render(name).0));
    let number = caller_id.number.as_ref();
    (name.or_else(own), number.and_then(|number| address::user(&call.render(number).0)))
}

fn ringback(call: &mut Call, dial: &Dial) -> RingTone {
    match &dial.ringback {
        Ringback::Tone => RingTone::Tone,
        Ringback::EarlyMedia => RingTone::EarlyMedia,
        Ringback::Music => match call.music() {
            Media::File { path, .. } => RingTone::File { path },
            _ => RingTone::Tone,
        },
        Ringback::Prompt(name) => match call.program.prompts.get(name) {
            Some(file) => RingTone::File { path: file.path.clone() },
            None => {
                call.notice(format!("a ringing tone instead: there is no prompt `{name}`"));
                RingTone::Tone
            }
        },
    }
}

/// What a failed dial comes to, by the cause that FreeSWITCH gives it (sofia.c, sip_to_cause: 480
/// is NO_USER_RESPONSE, 408 RECOVERY_ON_TIMER_EXPIRE, 603 CALL_REJECTED).
pub(in crate::call) const fn outcome_of(cause: HangupCause) -> Outcome {
    match cause {
        HangupCause::UserBusy => Outcome::Busy,
        HangupCause::NoAnswer
        | HangupCause::NoUserResponse
        | HangupCause::AllottedTimeout
        | HangupCause::ProgressTimeout
        | HangupCause::OriginatorCancel
        | HangupCause::LoseRace
        | HangupCause::PickedOff => Outcome::NoAnswer,
        HangupCause::CallRejected
        | HangupCause::FacilityRejected
        | HangupCause::IncomingCallBarred
        | HangupCause::OutgoingCallBarred => Outcome::Rejected,
        HangupCause::AttendedTransfer
        | HangupCause::BearercapabilityNotavail
        | HangupCause::BlindTransfer
        | HangupCause::ChanNotImplemented
        | HangupCause::DestinationOutOfOrder
        | HangupCause::ExchangeRoutingError
        | HangupCause::GatewayDown
        | HangupCause::IncompatibleDestination
        | HangupCause::InvalidGateway
        | HangupCause::InvalidNumberFormat
        | HangupCause::InvalidProfile
        | HangupCause::InvalidUrl
        | HangupCause::ManagerRequest
        | HangupCause::MandatoryIeMissing
        | HangupCause::MediaTimeout
        | HangupCause::NetworkOutOfOrder
        | HangupCause::NoRouteDestination
        | HangupCause::NormalCircuitCongestion
        | HangupCause::NormalClearing
        | HangupCause::NormalTemporaryFailure
        | HangupCause::NormalUnspecified
        | HangupCause::NumberChanged
        | HangupCause::ProtocolError
        | HangupCause::RecoveryOnTimerExpire
        | HangupCause::SubscriberAbsent
        | HangupCause::SystemShutdown
        | HangupCause::UnallocatedNumber
        | HangupCause::UserNotRegistered
        | HangupCause::WrongMessage
        | HangupCause::Other => Outcome::Unreachable,
    }
}

impl Call {
    pub(in crate::call) fn add_leg(&mut self, party: &str) -> usize {
        self.state.counters.legs += 1;
        self.state.legs.push(LegRecord {
            channel: None,
            role: LegRole::Dialed,
            party: party.to_owned(),
            started: self.live.now.wall,
            answered: None,
            ended: None,
            cause: None,
            held_ms: 0,
        });
        self.state.legs.len() - 1
    }
}
