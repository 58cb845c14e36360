//! Somebody listens in on a conversation, speaks to one side or to both, takes the call over.
//!
//! The supervisor's leg listens at one of the two legs and speaks into what that leg hears, into
//! nothing else. So the voice is in no recording: those are made of what the caller's leg says and
//! hears, and FreeSWITCH takes what it hears before whatever came later is mixed in
//! (`switch_core_io.c` switch_core_session_write_frame). For both sides to hear the supervisor, a
//! second leg, the relay, listens at the supervisor's and speaks into what the far end hears.
//!
//! A session lasts as long as the same two parties talk: it never outlives their parting.

use serde::{Deserialize, Serialize};

use crate::base::cause::HangupCause;
use crate::base::ids::{AuditId, ChannelId};
use crate::base::millis::Millis;
use crate::call::input::{FarNews, MonitorOrder};
use crate::call::operator::Obeyed;
use crate::call::output::{Action, DialAddress, OriginateOrder, Output, Then};
use crate::call::timer::Timer;
use crate::call::{Call, address, describe};
use crate::flow::monitor::Power;
use crate::model::audit::{AuditEntry, Change};
use crate::model::monitor::{Manner, Mode};
use crate::model::talk::Side;
use crate::model::timeline::Sign;

/// How long a supervisor's phone rings.
const RING: Millis = Millis(30_000);
/// How much longer the switch may take to say that nobody answered.
const SPARE_MS: u64 = 10_000;
/// How long the switch may take to join the caller to who takes the call over.
const TAKE_MS: u64 = 4_000;
/// Changes of manner in one session: a person makes a few.
const CHANGES_MAX: usize = 50;
/// Characters of a reason.
const REASON_MAX: usize = 200;

/// One session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Monitoring {
    id: AuditId,
    /// The supervisor's extension, and its leg.
    by: String,
    channel: ChannelId,
    reason: String,
    whom: [String; 2],
    /// On the call's clock, as the other times.
    began_ms: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    answered_ms: Option<u64>,
    /// Never empty.
    changes: Vec<(u64, Manner)>,
    /// At whose leg the supervisor listens.
    ear: Side,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    relay: Option<ChannelId>,
    /// The caller is on the way to the supervisor.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    taking: bool,
    revision: u32,
}

impl Monitoring {
    fn manner(&self) -> Manner {
        let listens = Manner { mode: Mode::Listen, to: self.ear };
        self.changes.last().map_or(listens, |(_, manner)| *manner)
    }
}

/// What a mode takes.
const fn power(mode: Mode) -> Power {
    match mode {
        Mode::Listen => Power::Listen,
        Mode::Whisper => Power::Whisper,
        Mode::Barge => Power::Barge,
    }
}

/// At whose leg to listen for a manner; it needs no change for listening alone.
const fn ear(manner: Manner, now: Side) -> Side {
    match manner.mode {
        Mode::Listen => now,
        Mode::Whisper => manner.to,
        Mode::Barge => Side::Caller,
    }
}

impl Call {
    pub(in crate::call) fn monitor(&mut self, order: MonitorOrder) -> Obeyed {
        match order {
            MonitorOrder::Begin { by, manner, reason } => self.listen_in(&by, manner, &reason),
            MonitorOrder::Change { manner } => self.change_manner(manner),
            MonitorOrder::TakeOver => self.take_over(),
            MonitorOrder::End => {
                self.notice(format!("{} asks to end the listening in", self.operator()));
                self.monitoring()?;
                self.end_monitoring(&format!("{} ended it", self.operator()));
                Ok(())
            }
        }
    }

    fn listen_in(&mut self, by: &str, manner: Manner, reason: &str) -> Obeyed {
        let by = address::user(by).ok_or("the supervisor is no extension")?;
        self.notice(format!("{} asks for {by} to listen in ({manner})", self.operator()));
        if self.state.talk.monitoring.is_some() {
            return Err("somebody listens in already".to_owned());
        }
        let reason = reason.trim();
        if reason.is_empty() || reason.chars().count() > REASON_MAX {
            return Err(format!("a reason of at most {REASON_MAX} characters is needed"));
        }
        if self.state.bridged.is_none() {
            return Err("nobody talks in the call".to_owned());
        }
        self.permit(&by, power(manner.mode))?;
        let [caller, far] = self.talkers();
        let monitoring = Monitoring {
            id: AuditId(self.identity()),
            channel: self.new_channel(),
            reason: describe::clean(reason),
            whom: [self.party(&caller), self.party(&far)],
            began_ms: self.state.age_ms,
            answered_ms: None,
            changes: vec![(self.state.age_ms, manner)],
            ear: ear(manner, Side::Far),
            relay: None,
            taking: false,
            revision: 0,
            by,
        };
        self.call_supervisor(&monitoring, manner);
        self.state.talk.monitoring = Some(Box::new(monitoring));
        self.state.after(Timer::SupervisorOverdue, RING.ms() + SPARE_MS);
        self.tell_audit(None);
        self.worth_writing();
        Ok(())
    }

    fn call_supervisor(&mut self, monitoring: &Monitoring, manner: Manner) {
        let Some(target) = self.leg_of(monitoring.ear) else { return };
        let (extension, domain) = (monitoring.by.clone(), self.program.settings.domain.clone());
        let channel = monitoring.channel.clone();
        self.order(Action::Follow { channel: channel.clone(), on: true });
        self.order(Action::Originate(Box::new(OriginateOrder {
            channel,
            address: DialAddress::Extension { extension, domain },
            caller_name: Some(format!("{manner}: {}", monitoring.whom[1])),
            caller_number: address::number(&self.state.arrival.caller_number),
            timeout: RING,
            then: Then::Eavesdrop { target, speaks: manner.mode != Mode::Listen },
        })));
    }

    /// Whether a supervisor may do this with who talks here.
    fn permit(&self, by: &str, power: Power) -> Obeyed {
        let [caller, far] = self.talkers();
        let policy = &self.program.settings.talk.monitor;
        policy.judge(by, power, &[&caller, &far]).map_err(|denied| denied.to_string())
    }

    /// The caller and whom it speaks with, as they were dialed.
    fn talkers(&self) -> [String; 2] {
        let far = self.state.bridged.as_ref();
        let mut legs = self.state.legs.iter();
        let leg = legs.rfind(|leg| leg.channel.is_some() && leg.channel.as_ref() == far);
        let far = leg.map_or_else(
            || far.map(ToString::to_string).unwrap_or_default(),
            |leg| leg.party.clone(),
        );
        [self.state.arrival.caller_number.clone(), far]
    }

    fn leg_of(&self, side: Side) -> Option<ChannelId> {
        match side {
            Side::Caller => Some(self.state.channel().clone()),
            Side::Far => self.state.bridged.clone(),
        }
    }

    fn monitoring(&self) -> Result<&Monitoring, String> {
        let monitoring = self.state.talk.monitoring.as_deref();
        monitoring.ok_or_else(|| "nobody listens in".to_owned())
    }

    fn change_manner(&mut self, manner: Manner) -> Obeyed {
        self.notice(format!(
            "{} asks for another manner of listening in: {manner}",
            self.operator()
        ));
        let monitoring = self.monitoring()?;
        let by = monitoring.by.clone();
        if monitoring.taking {
            return Err("the call is being taken over".to_owned());
        }
        if monitoring.changes.len() >= CHANGES_MAX {
            return Err(format!("the manner was changed {CHANGES_MAX} times"));
        }
        self.permit(&by, power(manner.mode))?;
        self.set_manner(manner);
        Ok(())
    }

    fn set_manner(&mut self, manner: Manner) {
        let age_ms = self.state.age_ms;
        let Some(monitoring) = self.state.talk.monitoring.as_deref_mut() else { return };
        monitoring.ear = ear(manner, monitoring.ear);
        monitoring.changes.push((age_ms, manner));
        self.speak_as_wanted();
        self.tell_manner();
        self.tell_audit(None);
        self.worth_writing();
    }

    /// Has the supervisor's leg listen and speak as its manner says.
    fn speak_as_wanted(&mut self) {
        let Some(monitoring) = self.state.talk.monitoring.as_deref() else { return };
        if monitoring.answered_ms.is_none() {
            // Its phone still rings: the rest is done when it has answered.
            return;
        }
        let (manner, channel) = (monitoring.manner(), monitoring.channel.clone());
        let Some(target) = self.leg_of(monitoring.ear) else { return };
        let speaks = manner.mode != Mode::Listen;
        if manner.mode != Mode::Barge {
            self.drop_relay();
        }
        self.order(Action::Eavesdrop { channel, target, speaks });
        if manner.mode == Mode::Barge {
            self.begin_relay();
        }
    }

    fn begin_relay(&mut self) {
        let far = self.state.bridged.clone();
        let relay = self.new_channel();
        let Some(monitoring) = self.state.talk.monitoring.as_deref_mut() else { return };
        let Some(to) = far.filter(|_| monitoring.relay.is_none()) else { return };
        monitoring.relay = Some(relay.clone());
        let from = monitoring.channel.clone();
        self.order(Action::Follow { channel: relay.clone(), on: true });
        self.order(Action::Relay { channel: relay, from, to });
    }

    fn drop_relay(&mut self) {
        let monitoring = self.state.talk.monitoring.as_deref_mut();
        if let Some(relay) = monitoring.and_then(|monitoring| monitoring.relay.take()) {
            self.drop_leg(relay);
        }
    }

    /// Nobody has told this process of the legs of a session that another began.
    pub(in crate::call) fn follow_supervisor(&mut self) {
        let Ok(monitoring) = self.monitoring() else { return };
        let legs = [Some(monitoring.channel.clone()), monitoring.relay.clone()];
        for channel in legs.into_iter().flatten() {
            self.order(Action::Follow { channel, on: true });
        }
    }

    fn drop_leg(&mut self, channel: ChannelId) {
        self.order(Action::Follow { channel: channel.clone(), on: false });
        self.order(Action::Drop { channel, cause: HangupCause::NormalClearing });
    }

    /// A recording has begun: only what is mixed in after it stays out of it.
    pub(in crate::call) fn recorded_anew(&mut self) {
        let speaks = |monitoring: &Monitoring| {
            monitoring.ear == Side::Caller && monitoring.manner().mode != Mode::Listen
        };
        if self.state.talk.monitoring.as_deref().is_some_and(speaks) {
            self.speak_as_wanted();
        }
    }

    /// News of the supervisor's leg or of the relay; false where they are of another.
    pub(in crate::call) fn supervisor_news(&mut self, channel: &ChannelId, news: &FarNews) -> bool {
        let Some(monitoring) = self.state.talk.monitoring.as_deref() else { return false };
        let (own, relay) =
            (monitoring.channel == *channel, monitoring.relay.as_ref() == Some(channel));
        match news {
            FarNews::Answered if own => self.supervisor_answered(),
            FarNews::HungUp(cause) if own => {
                let why = match monitoring.answered_ms {
                    Some(_) => "the supervisor's leg ended".to_owned(),
                    None => format!("the supervisor was not reached: {cause}"),
                };
                self.leave_monitoring(&why);
            }
            FarNews::HungUp(_) if relay => self.relay_lost(),
            _ => {}
        }
        own || relay
    }

    fn supervisor_answered(&mut self) {
        let age_ms = self.state.age_ms;
        let Some(monitoring) = self.state.talk.monitoring.as_deref_mut() else { return };
        if monitoring.answered_ms.is_some() {
            return;
        }
        monitoring.answered_ms = Some(age_ms);
        // It was called to begin with what was asked first.
        let changed = monitoring.changes.len() > 1;
        let barges = monitoring.manner().mode == Mode::Barge;
        self.state.timers.clear(Timer::SupervisorOverdue);
        if changed {
            self.speak_as_wanted();
        } else if barges {
            self.begin_relay();
        }
        if self.program.settings.talk.monitor.tone
            && let Some(channel) = self.state.bridged.clone()
        {
            self.order(Action::Beep { channel });
        }
        self.tell_manner();
        self.tell_audit(None);
        self.worth_writing();
    }

    /// The far end can't hear the supervisor any more; the caller can.
    fn relay_lost(&mut self) {
        let Some(monitoring) = self.state.talk.monitoring.as_deref_mut() else { return };
        monitoring.relay = None;
        self.notice("the far end can't hear the supervisor any more");
        self.set_manner(Manner { mode: Mode::Whisper, to: Side::Caller });
    }

    pub(in crate::call) fn supervisor_overdue(&mut self) {
        let taking = self.monitoring().is_ok_and(|monitoring| monitoring.taking);
        self.end_monitoring(if taking {
            "the call could not be taken over"
        } else {
            "the supervisor was not reached in time"
        });
    }

    fn take_over(&mut self) -> Obeyed {
        self.notice(format!("{} asks for the supervisor to take the call over", self.operator()));
        let monitoring = self.monitoring()?;
        let (by, channel) = (monitoring.by.clone(), monitoring.channel.clone());
        if monitoring.answered_ms.is_none() {
            return Err("the supervisor's phone still rings".to_owned());
        }
        if monitoring.taking {
            return Err("the call is being taken over already".to_owned());
        }
        self.permit(&by, Power::TakeOver)?;
        self.drop_relay();
        if let Some(monitoring) = self.state.talk.monitoring.as_deref_mut() {
            monitoring.taking = true;
        }
        self.state.after(Timer::SupervisorOverdue, TAKE_MS);
        self.give_to(&by, channel);
        Ok(())
    }

    /// The caller speaks with `other`. Somebody who listens in listens to the same two parties or
    /// not at all, unless this is who took the call over.
    pub(in crate::call) fn monitored_bridged(&mut self, other: &ChannelId) {
        let Some(monitoring) = self.state.talk.monitoring.as_deref() else { return };
        if monitoring.taking && monitoring.channel == *other {
            self.leave_monitoring("the supervisor took the call over");
        } else if self.state.bridged.as_ref() != Some(other) {
            self.end_monitoring("the caller speaks with somebody else");
        }
    }

    /// The two parties were parted.
    pub(in crate::call) fn monitored_parted(&mut self) {
        if !self.monitoring().is_ok_and(|monitoring| monitoring.taking) {
            self.end_monitoring("the conversation ended");
        }
    }

    /// Ends the session, if there is one: no leg of it is left behind.
    pub(in crate::call) fn end_monitoring(&mut self, why: &str) {
        if let Ok(monitoring) = self.monitoring() {
            let channel = monitoring.channel.clone();
            self.drop_leg(channel);
            self.close_monitoring(why);
        }
    }

    /// Ends the session; the supervisor's leg is gone, or is a party of the call now.
    fn leave_monitoring(&mut self, why: &str) {
        if let Ok(monitoring) = self.monitoring() {
            let channel = monitoring.channel.clone();
            self.order(Action::Follow { channel, on: false });
            self.close_monitoring(why);
        }
    }

    fn close_monitoring(&mut self, why: &str) {
        self.drop_relay();
        let text = format!("the listening in is over: {why}");
        match self.monitoring().ok().filter(|monitoring| monitoring.answered_ms.is_some()) {
            Some(Monitoring { by, .. }) => {
                let by = by.clone();
                self.notice_as(Sign::Monitored { by, now: None }, text);
            }
            None => self.notice(text),
        }
        self.tell_audit(Some(why));
        self.state.talk.monitoring = None;
        self.state.timers.clear(Timer::SupervisorOverdue);
        self.worth_writing();
    }

    /// Tells those who follow, once the supervisor's phone was answered.
    fn tell_manner(&mut self) {
        let Ok(monitoring) = self.monitoring() else { return };
        if monitoring.answered_ms.is_some() {
            let (by, manner) = (monitoring.by.clone(), monitoring.manner());
            let text = format!("{by} listens in: {manner}");
            self.notice_as(Sign::Monitored { by, now: Some(manner) }, text);
        }
    }

    /// Tells what is kept of the session.
    fn tell_audit(&mut self, end: Option<&str>) {
        let (call, tenant) = (self.state.call(), self.state.tenant());
        let Some(monitoring) = self.state.talk.monitoring.as_deref_mut() else { return };
        monitoring.revision += 1;
        let monitoring = monitoring.clone();
        let change = |(at, manner): &(u64, Manner)| Change { at: self.wall(*at), manner: *manner };
        let entry = AuditEntry {
            id: monitoring.id,
            tenant,
            call,
            revision: monitoring.revision,
            by: monitoring.by,
            whom: monitoring.whom.to_vec(),
            reason: monitoring.reason,
            began: self.wall(monitoring.began_ms),
            answered: monitoring.answered_ms.map(|ms| self.wall(ms)),
            changes: monitoring.changes.iter().map(change).collect(),
            ended: end.map(|_| self.live.now.wall),
            end: end.map(str::to_owned),
        };
        self.outputs.push_back(Output::Audit(Box::new(entry)));
    }
}
