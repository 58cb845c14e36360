//! A connection's beginning: the channel's facts say whether a call begins, comes back, or goes to
//! the dialplan again.

use std::sync::Arc;

use super::origin::Origin;
use super::running::Running;
use super::{ENDING_MS, Offer, Phase, REFUSAL, Router, Session, Settings, profile};
use crate::base::ids::{ChannelId, TenantId};
use crate::base::now::Now;
use crate::call::admission::Arriving;
use crate::call::handover::{Found, Leads, Referral};
use crate::call::{BROUGHT, Call};
use crate::driver::desk;
use crate::driver::registry::Heed;
use crate::driver::seal::{OpenError, Opened};
use crate::driver::translate::arrival::{Mode, arrival, arrived, inquiry, mode, read, whole};
use crate::driver::translate::variables::{self, Former};
use crate::driver::translate::{dial, room};
use crate::esl::application::Application;
use crate::esl::argument::{PlainValue, SEALED_MAX, VariableName};
use crate::esl::command::{Command, Execute};
use crate::esl::event::Event;

/// A state was found that this release can't read.
const FOREIGN: &str = "state";
/// A channel that nobody who may has sent here.
const UNKNOWN: &str = "unknown_number";
/// The call brings one process down after the other.
const UNSTABLE: &str = "unstable";

/// Where a phone has sent the channel, within the tenant.
fn referral(facts: &Event, tenant: TenantId, router: &dyn Router) -> Option<Referral> {
    let to = variables::referred(facts)?;
    if to == BROUGHT {
        // No phone named it, whatever numbers the tenant has.
        return Some(Referral::new(to, Leads::Elsewhere));
    }
    let leads = match router.leads(tenant, &to) {
        Ok(None) => Leads::Elsewhere,
        Ok(Some(program)) => {
            let reads = program.channel_variables();
            let variables = read(facts, reads.iter().map(String::as_str));
            Leads::To { program, variables }
        }
        Err(why) => Leads::Nowhere(why),
    };
    Some(Referral::new(to, leads))
}

/// Whether a process refuses because it goes, and not for want of room.
fn is_leaving(refusal: &str) -> bool {
    matches!(refusal, super::DRAINING | "down")
}

impl Session {
    pub(super) fn connected(
        &mut self,
        facts: &Event,
        now: Now,
        settings: &Settings,
        router: &dyn Router,
    ) {
        let Phase::Greeting { refusal, .. } = self.phase else { return };
        self.core = facts.text("Core-UUID").and_then(|core| core.parse().ok());
        let mode = mode(facts);
        let Some(channel) = facts.unique_id() else {
            return self.refuse(None, mode, "no_channel", now);
        };
        if !(mode.is_async && mode.full) {
            return self.refuse(Some(&channel), mode, "socket_mode", now);
        }
        if variables::is_taken(facts) {
            tracing::info!(call = %self.call, %channel, "the call is in other hands by now");
            self.phase = Phase::Away;
            return;
        }
        let referred = variables::referred(facts);
        let state = whole(facts, variables::STATE, SEALED_MAX);
        let opened = state.map(|text| settings.keys.open(&channel, &text));
        let refusal = match (opened, refusal) {
            // Who has too much to do takes back a call that has begun all the same; who has to
            // leave lets the next `socket` of the dialplan have it.
            (Some(Ok(opened)), refusal) if !refusal.is_some_and(is_leaving) => {
                return self.take_back(opened, &channel, facts, now, settings, router);
            }
            (Some(Err(error)), None) if referred.is_none() => {
                return self.distrust(&error, &channel, facts, now, settings, router);
            }
            (_, refusal) => refusal,
        };
        if let (Some(_), None) = (referred, refusal) {
            return self.begin_tied(&channel, facts, now, settings, router);
        }
        match refusal {
            Some(reason) => self.pass_on(&channel, reason, now),
            None => self.begin(&channel, facts, now, settings, router),
        }
    }

    fn begin(
        &mut self,
        channel: &ChannelId,
        facts: &Event,
        now: Now,
        settings: &Settings,
        router: &dyn Router,
    ) {
        let arriving = match router.arrive(&inquiry(facts)) {
            Ok(arriving) => arriving,
            Err(reason) => return self.refuse(Some(channel), mode(facts), &reason, now),
        };
        let Some((arrival, arriving)) = arrived(facts, self.call, arriving) else { return };
        let Arriving { program, screening, encrypted, .. } = arriving;
        let turned = screening.turned_away.as_ref().map(|turned| turned.rule);
        self.offers.extend(turned.map(Offer::TurnedAway));
        let mask = program.settings.mask_parties;
        let call = Call::begin_screened(arrival, program, screening, now);
        if encrypted {
            self.say(&[variables::stay_encrypted(channel)]);
        }
        self.run(call, channel, facts, Former::of(facts), mask, settings, now);
    }

    /// The other party of a call, which that call's caller sent to `to`; whoever is not known here
    /// was sent by nobody who may.
    fn begin_tied(
        &mut self,
        channel: &ChannelId,
        facts: &Event,
        now: Now,
        settings: &Settings,
        router: &dyn Router,
    ) {
        let tie = whole(facts, variables::TIE, SEALED_MAX);
        let tie = tie.and_then(|tie| settings.keys.open_tie(channel, &tie).ok());
        let refuse = |session: &mut Self, reason: &str| {
            session.refuse(Some(channel), mode(facts), reason, now);
        };
        let tie = tie.and_then(|tie| Some((referral(facts, tie.tenant(), router)?, tie)));
        let Some((referral, tie)) = tie.filter(|(referral, tie)| tie.allows(referral.to())) else {
            return refuse(self, UNKNOWN);
        };
        let program = match referral.program() {
            Some(program) => Ok(Arc::clone(program)),
            None => router.program(tie.tenant(), tie.main(), tie.versions()),
        };
        let program = match program {
            Ok(program) => program,
            Err(reason) => return refuse(self, &reason),
        };
        self.call = tie.becomes().filter(|_| referral.to() == BROUGHT).unwrap_or(self.call);
        let reads = program.channel_variables();
        let Some(arrival) = arrival(facts, self.call, &reads) else { return };
        tracing::info!(call = %self.call, of = %tie.call(), "a party goes on in a call of its own");
        let mask = program.settings.mask_parties;
        let call = Call::begin_tied(tie, arrival, &referral, program, now);
        self.run(call, channel, facts, Former::of(facts), mask, settings, now);
    }

    /// A state that is not to be trusted begins the call anew; one of another release is not ours
    /// to overrule.
    fn distrust(
        &mut self,
        error: &OpenError,
        channel: &ChannelId,
        facts: &Event,
        now: Now,
        settings: &Settings,
        router: &dyn Router,
    ) {
        tracing::warn!(call = %self.call, %channel, %error, "a state on a channel was refused");
        if error.is_foreign() {
            return self.refuse(Some(channel), mode(facts), FOREIGN, now);
        }
        self.begin(channel, facts, now, settings, router);
    }

    /// Goes on with a call that another process, or an earlier connection, had.
    fn take_back(
        &mut self,
        opened: Opened,
        channel: &ChannelId,
        facts: &Event,
        now: Now,
        settings: &Settings,
        router: &dyn Router,
    ) {
        let Opened { call: taken, former, holder } = opened;
        let state = taken.state();
        // When we placed the call there was no channel to ask.
        let former = if state.is_placed() { Former::of(facts) } else { former };
        let (id, mode) = (state.call(), mode(facts));
        let program = match router.program(state.tenant(), state.main(), state.versions()) {
            Ok(program) => program,
            Err(reason) => {
                tracing::warn!(call = %id, reason, "a call can't be taken over");
                return self.refuse(Some(channel), mode, &reason, now);
            }
        };
        let found = Found {
            dialed: dial::found(facts),
            referred: referral(facts, state.tenant(), router),
            recorded: desk::found(facts),
            roomed: room::was_in(facts),
            ours: holder == settings.instance,
        };
        let mask = program.settings.mask_parties;
        match Call::resume(taken, program, found, now) {
            Ok(call) if call.is_unstable() => {
                tracing::error!(call = %id, "a call ends one process after the other");
                self.refuse(Some(channel), mode, UNSTABLE, now);
            }
            Ok(call) => {
                self.call = id;
                tracing::info!(call = %id, term = call.state().term(), "a call came back");
                self.run(call, channel, facts, former, mask, settings, now);
            }
            Err(error) => {
                tracing::warn!(call = %id, %error, "a call can't be taken over");
                self.refuse(Some(channel), mode, FOREIGN, now);
            }
        }
    }

    fn run(
        &mut self,
        call: Call,
        channel: &ChannelId,
        facts: &Event,
        former: Former,
        mask: bool,
        settings: &Settings,
        now: Now,
    ) {
        self.origin = Some(Box::new(Origin::of(call.state(), mask)));
        self.offers.push_back(Offer::Begun(Box::new(call.live(settings.instance))));
        let bridged = call.state().bridged().cloned();
        self.offers.extend(bridged.map(|other| Offer::Follow(other, Heed::Holds)));
        let mut running = Running::new(call, channel.clone(), former, settings);
        running.guard(variables::cancel_timer(channel, facts), now);
        running.profile = profile(facts);
        self.phase = Phase::Running(Box::new(running));
        self.drain(now);
        if let Phase::Running(running) = &mut self.phase {
            let unsaid = running.unsaid();
            self.say(unsaid.as_slice());
        }
    }

    /// Gives the call back to the dialplan. `socket_resume` makes it go on there although we leave
    /// at once (`mod_event_socket.c` socket_function); a socket without `async` goes on by itself,
    /// and must not have it (it would stay in CS_RESET).
    fn refuse(&mut self, channel: Option<&ChannelId>, mode: Mode, reason: &str, now: Now) {
        self.offers.push_back(Offer::Refused(reason.to_owned()));
        match channel {
            Some(channel) if mode.full && mode.is_async => {
                self.say(&[variables::refuse(channel, reason), Command::Exit]);
            }
            Some(_) => self.refuse_by_application(mode, reason),
            None => self.say(&[Command::Resume, Command::Exit]),
        }
        self.phase = Phase::Ending { until_ms: now.mono_ms.saturating_add(ENDING_MS) };
    }

    /// The dialplan tries whoever is next.
    fn pass_on(&mut self, channel: &ChannelId, reason: &str, now: Now) {
        self.offers.push_back(Offer::Refused(reason.to_owned()));
        self.say(&[variables::pass_on(channel, reason), Command::Exit]);
        self.phase = Phase::Ending { until_ms: now.mono_ms.saturating_add(ENDING_MS) };
    }

    /// Without `full` no variable can be set but by an application, whose end we wait for.
    fn refuse_by_application(&mut self, mode: Mode, reason: &str) {
        let name = VariableName::new("callwright_refused");
        if mode.is_async {
            self.say(&[Command::Resume]);
        }
        if let (Ok(name), Ok(value)) = (name, PlainValue::new(reason)) {
            let application = Application::Multiset(vec![(name, value)]);
            self.say(&[Command::Execute(Execute::new(REFUSAL, application))]);
        }
        if !mode.is_async {
            self.say(&[Command::Exit]);
        }
    }
}
