//! An order to call numbers outside waits until it is known by which gateways.

use super::outgoing::{Outgoing, Try, numbers};
use super::{Counted, OutboundAsk, OutboundFound, Wanted, Way};
use crate::base::cause::HangupCause;
use crate::base::millis::Millis;
use crate::call::input::{Answer, Dialed, Ending, FarNews};
use crate::call::output::{Action, ActionId, QueryId};
use crate::call::timer::Timer;
use crate::call::{Call, describe};
use crate::model::outbound::{Calling, Refusal, Shown};
use crate::model::record::LegRecord;
use crate::model::timeline::What;

/// How long an answer may take. Whoever answers knows that it must not take longer.
pub(super) const ANSWER_MS: u64 = 5_000;

/// What a refusal comes to for whoever called.
const fn cause(refusal: &Refusal) -> HangupCause {
    match refusal {
        Refusal::NoRoute | Refusal::NoGateway => HangupCause::NoRouteDestination,
        Refusal::Full(_) | Refusal::Calls(_) | Refusal::Pace(_) => {
            HangupCause::NormalCircuitCongestion
        }
        Refusal::Denied | Refusal::Locked(_) | Refusal::Day(_) | Refusal::Month(_) => {
            HangupCause::OutgoingCallBarred
        }
    }
}

impl Call {
    /// Keeps an order that calls numbers outside until it is known by which gateways; gives back
    /// any other. What takes back one that the switch has not is done with it.
    pub(in crate::call) fn hold_back(&mut self, id: ActionId, action: Action) -> Option<Action> {
        let taken_back = |one: &Outgoing| match &action {
            Action::CancelDial => matches!(one.action, Action::Dial(_)),
            Action::Drop { channel, .. } => one.channel() == Some(channel),
            _ => false,
        };
        let mut waited = false;
        for one in self.live.outgoing.iter_mut().filter(|one| taken_back(one)) {
            one.cancelled = true;
            waited |= !one.given;
        }
        let numbers = numbers(&action);
        if waited || numbers.is_empty() {
            return (!waited).then_some(action);
        }
        let first = match &action {
            // Its legs were noted just before, in the order of the targets.
            Action::Dial(order) => self.state.legs.len().saturating_sub(order.targets.len()),
            Action::Originate(order) => {
                let is_it = |leg: &LegRecord| leg.channel.as_ref() == Some(&order.channel);
                self.state.legs.iter().rposition(is_it).unwrap_or(0)
            }
            _ => 0,
        };
        let calling = self.calling(&action);
        let mut tries = Vec::new();
        for (position, number, gateway) in numbers {
            self.uncount_place(first + position);
            let (tried, instead_of) = (Vec::new(), None);
            let calling = calling.clone();
            let wanted = Wanted { leg: 0, number, calling, gateway, tried, instead_of };
            tries.push(self.seek(position, first + position, wanted));
        }
        let now_ms = self.state.age_ms;
        self.live.outgoing.push(Outgoing {
            id,
            action,
            tries,
            given: false,
            cancelled: false,
            since_ms: now_ms,
            not_before_ms: now_ms,
            until_ms: now_ms + ANSWER_MS,
        });
        self.await_outside();
        None
    }

    /// Who is shown unless something else is laid down.
    fn calling(&self, action: &Action) -> Calling {
        let named = match action {
            Action::Dial(order) => order.caller_number.clone(),
            Action::Originate(order) => order.caller_number.clone(),
            Action::Place(order) => order.caller_number.clone(),
            _ => None,
        };
        let arrival = &self.state.arrival;
        // Legs that are called besides are always given a number: the caller's, if nobody else's.
        let other = named.filter(|number| *number != arrival.caller_number);
        match other {
            Some(number) => Calling { number, extension: None },
            None => Calling {
                number: arrival.caller_number.clone(),
                extension: arrival.extension().map(str::to_owned),
            },
        }
    }

    /// What is called in the place of something that was forgotten does not count for it.
    fn uncount_place(&mut self, place: usize) {
        let old = self.state.counted.iter().find(|counted| counted.place == place && place > 0);
        if let Some(leg) = old.map(|counted| counted.leg) {
            self.uncount(leg);
        }
    }

    /// When it is to be looked at what waits.
    pub(super) fn await_outside(&mut self) {
        match self.live.outgoing.iter().filter_map(Outgoing::due_ms).min() {
            Some(due_ms) => self.state.timers.set(Timer::Outside, due_ms),
            None => self.state.timers.clear(Timer::Outside),
        }
    }

    /// Asks for a gateway.
    pub(super) fn seek(&mut self, position: usize, place: usize, mut wanted: Wanted) -> Try {
        wanted.leg = self.state.counters.queries + 1;
        let question = format!("by which gateway {} is called", self.party(&wanted.number));
        self.note(What::Asked { query: wanted.leg, question });
        let ask = OutboundAsk::Begin(Box::new(wanted.clone()));
        let query = self.tell_outbound(ask);
        Try { position, place, wanted, query, found: None }
    }

    /// Whether an answer was awaited here.
    pub(in crate::call) fn gateway_found(&mut self, id: QueryId, answer: &Answer) -> bool {
        let asked = |one: &Outgoing| one.tries.iter().any(|one| one.query == id);
        let Some(at) = self.live.outgoing.iter().position(asked) else { return false };
        let unknown = OutboundFound::Unknown;
        let found = if let Answer::Outbound(found) = answer { found } else { &unknown };
        let mut outgoing = self.live.outgoing.swap_remove(at);
        for one in outgoing.tries.iter_mut().filter(|one| one.query == id) {
            one.found = Some(self.way(found, &one.wanted));
            if matches!(one.found, Some(Ok(_))) {
                self.count(one.place, one.wanted.leg);
            }
        }
        self.go_out(outgoing);
        self.await_outside();
        true
    }

    fn way(&self, found: &OutboundFound, wanted: &Wanted) -> Result<Way, Refusal> {
        match found {
            OutboundFound::By(way) => Ok(Way::clone(way)),
            OutboundFound::Refused(refusal) => Err(refusal.clone()),
            OutboundFound::Unknown => {
                let first = self.program.settings.first_gateway();
                let gateway = wanted.gateway.as_ref().or(first).ok_or(Refusal::NoGateway)?.clone();
                Ok(Way {
                    name: gateway.clone(),
                    gateway,
                    number: wanted.number.clone(),
                    route: None,
                    most: None,
                    shown: None,
                    fails_over: Vec::new(),
                    remark: Some("nobody says by which gateway".to_owned()),
                })
            }
        }
    }

    fn count(&mut self, place: usize, leg: u32) {
        self.state.counted.push(Counted { place, leg, answered: false });
        self.worth_writing();
    }

    /// Gives an order to the switch as soon as all is known and it may be given.
    fn go_out(&mut self, mut outgoing: Outgoing) {
        let now_ms = self.state.age_ms;
        if !outgoing.is_found() {
            return self.live.outgoing.push(outgoing);
        }
        if outgoing.cancelled || self.state.closing.is_some() {
            return self.not_called(&outgoing, HangupCause::OriginatorCancel);
        }
        if now_ms < outgoing.not_before_ms {
            return self.live.outgoing.push(outgoing);
        }
        self.tell_ways(&outgoing);
        let refused = outgoing.tries.iter().find_map(|one| one.found.as_ref()?.as_ref().err());
        let refused = refused.map_or(HangupCause::NoRouteDestination, cause);
        let Some(action) = outgoing.order(now_ms.saturating_sub(outgoing.since_ms)) else {
            return self.not_called(&outgoing, refused);
        };
        if let Some(channel) = outgoing.channel().filter(|_| outgoing.is_again()).cloned() {
            self.order(Action::Follow { channel, on: true });
        }
        outgoing.given = true;
        self.give(outgoing.id, action);
        self.live.outgoing.push(outgoing);
    }

    fn tell_ways(&mut self, outgoing: &Outgoing) {
        for one in &outgoing.tries {
            let number = self.party(&one.wanted.number);
            let text = match &one.found {
                Some(Ok(way)) => {
                    let route = way.route.as_ref().map(|route| format!(", by the route {route}"));
                    let most = way.most.map(|most| format!(", for {most} at most"));
                    let shown = way.shown.as_ref().map(|shown| match shown {
                        Shown::As { number, .. } => format!(", showing {}", self.party(number)),
                        Shown::Nobody => ", showing nobody".to_owned(),
                    });
                    let remark = way.remark.as_ref().map(|remark| format!(" ({remark})"));
                    let more: String = [route, most, shown, remark].into_iter().flatten().collect();
                    format!("{number} is called by the gateway {}{more}", way.name)
                }
                Some(Err(refusal)) => format!("{number} is not called: {refusal}"),
                None => continue,
            };
            self.notice(describe::clean(&text));
        }
    }

    /// Whoever gave the order hears that nobody was reached.
    fn not_called(&mut self, outgoing: &Outgoing, cause: HangupCause) {
        for one in &outgoing.tries {
            self.uncount(one.wanted.leg);
        }
        match &outgoing.action {
            Action::Originate(order) => {
                let channel = order.channel.clone();
                self.far(&channel, FarNews::HungUp(cause));
            }
            Action::Place(_) => {
                self.placing_refused(outgoing.id, cause.name());
            }
            _ => {
                let dialed = Dialed { answered: false, ..Dialed::talked(cause) };
                self.ended(outgoing.id, Ending::Dialed(dialed));
            }
        }
    }

    fn uncount(&mut self, leg: u32) {
        let at = self.state.counted.iter().position(|counted| counted.leg == leg);
        if let Some(at) = at {
            self.state.counted.remove(at);
            self.tell_outbound(OutboundAsk::Over { leg, talked: Millis(0) });
        }
    }

    /// Answers are late, or a channel's name is free again.
    pub(in crate::call) fn outside_due(&mut self) {
        let now_ms = self.state.age_ms;
        let due = |one: &Outgoing| one.due_ms().is_some_and(|due_ms| due_ms <= now_ms);
        while let Some(at) = self.live.outgoing.iter().position(due) {
            let mut outgoing = self.live.outgoing.swap_remove(at);
            if !outgoing.is_found() {
                self.note_guard("nobody said in time by which gateway a number is called");
            }
            for one in outgoing.tries.iter_mut().filter(|one| one.found.is_none()) {
                one.found = Some(self.way(&OutboundFound::Unknown, &one.wanted));
                self.count(one.place, one.wanted.leg);
            }
            self.go_out(outgoing);
        }
        self.await_outside();
    }
}
