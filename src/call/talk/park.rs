//! Park: the caller waits with music in a slot, by a step or on somebody's word, and any phone of
//! the tenant may take it from there.
//!
//! The store alone decides who gets a slot and who gets the caller in it. Whoever takes a caller is
//! a call of its own, which joins the two channels; the parked call only hears of it. Both leave
//! their connections then and come back on new ones when they part, each to its own step.

use serde::{Deserialize, Serialize};

use super::key_tones::key_tone;
use super::moved::Address;
use super::park_far::ParkedFar;
use crate::base::cause::HangupCause;
use crate::base::digits::Digits;
use crate::base::ids::{CallId, ChannelId, StepName};
use crate::base::masked::Masked;
use crate::base::millis::Millis;
use crate::base::slot::{Slot, SlotRange};
use crate::call::handover::Found;
use crate::call::input::{Answer, Dialed, Ending};
use crate::call::operator::Obeyed;
use crate::call::output::{Action, ActionId, DialOrder, DialTarget, Media, Query, RingTone};
use crate::call::park::{ParkAsk, ParkFound, ParkQuery};
use crate::call::state::Awaited;
use crate::call::step::{Next, Running, Way, outcome_of};
use crate::call::timer::Timer;
use crate::call::{Call, address, describe};
use crate::flow::Outcome;
use crate::flow::kind::park::Park;
use crate::flow::park::{Announce, ParkSettings};
use crate::flow::prompt::SayKind;
use crate::model::park::Taker;
use crate::model::record::TransferKind;
use crate::model::talk::{Goal, Side};
use crate::model::timeline::Sign;

/// How long a question about slots may take.
const ASK_MS: u64 = 3_000;
/// How long the store is left alone after it did not answer.
const ASK_AGAIN_MS: u64 = 5_000;
/// How long whoever takes the caller may need to come.
const COME_MS: u64 = 12_000;
/// How long FreeSWITCH may take to let the other party go.
const DISMISS_MS: u64 = 5_000;
/// A moment of silence before the slot: the phone has just changed what it hears.
const LEAD: Millis = Millis(300);

/// A caller in a slot, or on its way there or back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Parking {
    stage: Stage,
    /// Who parked it, as records show it.
    by: String,
    /// Where that party is called back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    back: Option<Address>,
    /// It is one of the tenant's own.
    #[serde(default)]
    inside: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    wanted: Option<Slot>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    slot: Option<Slot>,
    wait_ms: u64,
    /// The caller is to hear the slot.
    #[serde(default)]
    announce: bool,
    /// How often it may be parked again.
    again: u8,
    /// Its place among the record's transfers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    transfer: Option<usize>,
    /// The order that lets another call have the caller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lent: Option<ActionId>,
    /// The caller is parked again, by who took it from its slot.
    #[serde(default, skip_serializing_if = "super::is_not")]
    retaken: bool,
}

/// What is going on. It is written before it is ordered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Stage {
    /// A slot is asked for.
    Asking,
    /// The other party hears the slot and is let go.
    Dismissing,
    /// In the slot, with music.
    Waiting,
    /// The slot is given up, unless somebody is about to take the caller. `to` is called then.
    Leaving { to: Option<Address>, late: bool },
    /// Somebody is called for the caller.
    Calling { to: Address, leg: usize, joined: bool, late: bool },
    /// With whoever took it, outside of our connection; without a leg where the record has too
    /// many.
    Together { leg: Option<usize> },
}

/// How the caller's time in slots ended.
enum Over {
    /// It spoke with somebody.
    Talked(HangupCause),
    /// Nobody came.
    TimedOut,
    /// It could not be parked.
    Unparked(Outcome, String),
}

impl Call {
    fn parking(&self) -> Option<&Parking> {
        self.state.talk.parking.as_deref()
    }

    fn parking_stage(&self) -> Option<&Stage> {
        self.parking().map(|parking| &parking.stage)
    }

    /// Whether the caller is with somebody who has a call of its own.
    pub(super) fn is_fetched(&self) -> bool {
        matches!(self.parking_stage(), Some(Stage::Together { .. }))
    }

    /// Who was called for the caller, and whether that is the tenant's own: whoever parked it is
    /// what it was before.
    pub(super) fn called_for(&self) -> Option<(&Address, bool)> {
        let parking = self.parking()?;
        match &parking.stage {
            Stage::Calling { to, late: true, .. } => Some((to, parking.inside || to.is_own())),
            Stage::Calling { to, late: false, .. } => Some((to, to.is_own())),
            _ => None,
        }
    }

    /// Whether those who talk may be moved, as far as slots are concerned.
    pub(super) fn is_movable(&self) -> Obeyed {
        match self.parking_stage() {
            Some(Stage::Asking | Stage::Dismissing) => {
                Err("the caller is about to be parked".to_owned())
            }
            _ => Ok(()),
        }
    }

    fn set_parking(&mut self, change: impl FnOnce(&mut Parking)) {
        if let Some(parking) = self.state.talk.parking.as_deref_mut() {
            change(parking);
        }
        self.worth_writing();
    }

    fn set_parking_stage(&mut self, stage: Stage) {
        self.state.timers.clear(Timer::Fetched);
        self.set_parking(|parking| parking.stage = stage);
    }

    pub(super) fn park_settings(&self) -> &ParkSettings {
        &self.program.settings.talk.park
    }

    /// The tenant's slots, where this one is among them.
    pub(super) fn slots_with(&self, slot: Option<Slot>) -> Result<SlotRange, String> {
        let slots = self.park_settings().slots.ok_or("the tenant has no slots")?;
        match slot.filter(|slot| !slots.contains(*slot)) {
            Some(slot) => Err(format!("{slot} is none of the tenant's slots, {slots}")),
            None => Ok(slots),
        }
    }

    /// Parks one party of a conversation; the other one hears the slot. Who parks the caller is let
    /// go.
    pub(in crate::call) fn park(&mut self, by: &str, side: Side, slot: Option<Slot>) -> Obeyed {
        if side == Side::Far {
            return self.park_far(by, slot);
        }
        let far = self.partner_to_leave()?;
        self.slots_with(slot)?;
        if self.live.asked.is_some() || self.live.reserving.is_some() {
            return Err("the conversation is being moved already".to_owned());
        }
        let back = self.address_of_far(&far);
        let inside = self.is_inside(Side::Far);
        self.notice(format!("{by} parks the caller"));
        let settings = self.park_settings();
        let (wait_ms, again) = (settings.timeout.ms(), settings.again);
        let party = self.leg_mut(&far).map(|leg| leg.party.clone()).unwrap_or_default();
        let by = if party.is_empty() { describe::clean(by) } else { self.party(&party) };
        self.begin_parking(Parking {
            stage: Stage::Asking,
            by,
            back,
            inside,
            wanted: slot,
            slot: None,
            wait_ms,
            announce: false,
            again,
            transfer: None,
            lent: None,
            retaken: self.is_fetched(),
        });
        Ok(())
    }

    /// The far party of another call is in its own one, to wait in a slot that is its already.
    pub(super) fn park_brought(&mut self, parked: ParkedFar, back: Option<Address>) {
        let settings = self.park_settings();
        let (wait_ms, again) = (settings.timeout.ms(), settings.again);
        self.begin_parking(Parking {
            stage: Stage::Asking,
            by: parked.by,
            back,
            inside: parked.inside,
            wanted: Some(parked.slot),
            slot: None,
            wait_ms,
            announce: false,
            again,
            transfer: None,
            lent: None,
            retaken: false,
        });
    }

    /// Parks the caller for a step.
    pub(in crate::call) fn park_here(&mut self, park: &Park) -> Next {
        if self.park_settings().slots.is_none() {
            return Next::failed("the tenant has no slots");
        }
        let wanted = park.slot.as_ref().map(|slot| self.render(slot).0);
        let wanted = match wanted.map(|text| text.parse::<Slot>()).transpose() {
            Ok(wanted) => wanted,
            Err(error) => return Next::failed(error.to_string()),
        };
        let back = park.back.as_ref().map(|back| self.render(back).0);
        let back = back.and_then(|extension| {
            let goal = Goal::Extension(extension);
            self.reachable(&goal).map_err(|why| self.notice(why)).ok()
        });
        self.answer_first();
        let settings = self.park_settings();
        let wait_ms = park.timeout.unwrap_or(settings.timeout).ms();
        let again = if back.is_some() { settings.again } else { 0 };
        self.begin_parking(Parking {
            stage: Stage::Asking,
            by: String::new(),
            back,
            inside: false,
            wanted,
            slot: None,
            wait_ms,
            announce: park.announce,
            again,
            transfer: None,
            lent: None,
            retaken: false,
        });
        Next::Wait
    }

    /// A caller who is not answered would hear nobody.
    pub(in crate::call) fn answer_first(&mut self) {
        if self.state.answered_ms.is_none() {
            self.order(Action::Answer);
        }
    }

    fn begin_parking(&mut self, parking: Parking) {
        self.state.talk.parking = Some(Box::new(parking));
        self.worth_writing();
        self.ask_slot();
    }

    fn ask_slot(&mut self) {
        let Some(slots) = self.park_settings().slots else {
            let why = "the tenant has no slots any more".to_owned();
            return self.no_slot(ParkFound::Unknown(why));
        };
        let Some(parking) = self.parking() else { return };
        let (wanted, parker) = (parking.wanted, parking.by.clone());
        let party = self.party(&self.state.arrival.caller_number);
        let question = match wanted {
            Some(slot) => format!("slot {slot} for the caller"),
            None => format!("a slot for the caller, of {slots}"),
        };
        self.ask_park(ParkAsk::Reserve { slots, wanted, party, parker }, question);
    }

    /// Asks something about slots.
    pub(in crate::call) fn ask_park(&mut self, ask: ParkAsk, question: impl Into<String>) {
        let query = self.park_query(ask);
        self.ask(query, question.into(), ASK_MS);
    }

    fn park_query(&self, ask: ParkAsk) -> Query {
        let (tenant, call) = (self.state.tenant(), self.state.call());
        let channel = self.state.channel().clone();
        Query::Park(Box::new(ParkQuery { tenant, call, channel, ask }))
    }

    /// What came back to a question. False where no caller is being parked.
    pub(in crate::call) fn parking_answered(&mut self, answer: &Answer) -> bool {
        let Some(stage) = self.parking_stage().cloned() else { return false };
        let found = match answer {
            Answer::Park(found) => found.clone(),
            Answer::Http(_) => ParkFound::Unknown("no answer in time".into()),
            Answer::Room(_)
            | Answer::Queue(_)
            | Answer::Admit(_)
            | Answer::Outbound(_)
            | Answer::Spoken(_) => {
                return false;
            }
        };
        match (stage, found) {
            (Stage::Asking, ParkFound::In(slot)) => self.has_slot(slot),
            (Stage::Asking, found) => self.no_slot(found),
            (Stage::Waiting, ParkFound::Out(None)) => {
                self.notice("the slot is lost; it is asked for again");
                self.park_again();
            }
            (Stage::Waiting, ParkFound::Unknown(_)) => {
                self.state.after(Timer::Fetched, ASK_AGAIN_MS);
            }
            (Stage::Leaving { .. }, ParkFound::Out(Some(_))) => {
                self.set_parking_stage(Stage::Waiting);
                self.state.after(Timer::Parked, COME_MS);
            }
            (Stage::Leaving { to, late }, _) => self.call_out(to, late),
            (Stage::Together { leg }, ParkFound::Out(Some(taker))) => self.taken_by(leg, &taker),
            _ => {}
        }
        true
    }

    fn has_slot(&mut self, slot: Slot) {
        self.set_parking(|parking| parking.slot = Some(slot));
        let Some(parking) = self.parking() else { return };
        if parking.transfer.is_none() {
            let by = if parking.by.is_empty() { "the flow" } else { &parking.by }.to_owned();
            let transfer = self.note_transfer(TransferKind::Park, &by, 0, &format!("slot {slot}"));
            self.set_parking(|parking| parking.transfer = transfer);
        }
        let Some(far) = self.state.bridged.clone() else { return self.enter_slot() };
        self.end_hold();
        self.release_third();
        self.set_parking_stage(Stage::Dismissing);
        let said = self.slot_said(slot, self.park_settings().announce);
        self.order(Action::Dismiss { channel: far.clone(), said });
        self.end_other(Some(far), HangupCause::BlindTransfer);
        self.state.after(Timer::Fetched, DISMISS_MS);
    }

    pub(super) fn slot_said(&self, slot: Slot, announce: Announce) -> Vec<Media> {
        let digits = slot.to_string();
        let spoken = || Media::Say {
            value: Masked::new(digits.clone()),
            kind: SayKind::Digits,
            language: self.language().unwrap_or_default(),
        };
        let mut said = vec![Media::Silence(LEAD)];
        match announce {
            Announce::Spoken => said.push(spoken()),
            Announce::Tones => said.extend(digits.bytes().map(key_tone)),
            Announce::Nothing => {}
        }
        said
    }

    /// Nobody can be parked: who talks goes on talking.
    fn no_slot(&mut self, found: ParkFound) {
        let (outcome, why) = match found {
            ParkFound::Full => (Outcome::Full, "no slot is free".to_owned()),
            ParkFound::Unknown(why) => (Outcome::Failed, describe::clean(&why)),
            _ => (Outcome::Failed, "the slots are not known".to_owned()),
        };
        let Some(parking) = self.parking() else { return };
        if parking.slot.is_some() && parking.wanted.is_some() && outcome == Outcome::Full {
            // Somebody else has it by now.
            self.set_parking(|parking| parking.wanted = None);
            return self.ask_slot();
        }
        let retaken = parking.retaken;
        if let Some(far) = self.state.bridged.clone() {
            self.notice(format!("the caller is not parked: {why}"));
            if retaken {
                let leg = Some(self.known(far.clone()).leg);
                self.set_parking_stage(Stage::Together { leg });
            } else {
                self.state.talk.parking = None;
            }
            self.worth_writing();
            self.order(Action::Beep { channel: far });
            return;
        }
        self.parking_over(Over::Unparked(outcome, why));
    }

    /// The caller is in our hands, and whoever dials the slot has it.
    fn enter_slot(&mut self) {
        self.state.bridged = None;
        self.set_parking_stage(Stage::Waiting);
        let lent = self.order(Action::Lend(true));
        let announced = self.parking().filter(|parking| parking.announce);
        let slot = announced.and_then(|parking| parking.slot);
        if let Some(slot) = self.parking().and_then(|parking| parking.slot) {
            self.notice_as(Sign::Parked { slot }, format!("waits in slot {slot}"));
        }
        let mut media = slot.map_or_else(Vec::new, |slot| self.slot_said(slot, Announce::Spoken));
        media.push(self.music());
        self.set_parking(|parking| {
            parking.lent = Some(lent);
            parking.announce = false;
        });
        self.play(media, Digits::default());
        let wait_ms = self.parking().map_or(0, |parking| parking.wait_ms);
        self.state.after(Timer::Parked, wait_ms);
        self.ask_open();
    }

    fn ask_open(&mut self) {
        self.ask_park(ParkAsk::Open, "that the caller can be taken from its slot");
    }

    /// The slot is asked for once more.
    fn park_again(&mut self) {
        self.set_parking_stage(Stage::Asking);
        self.set_parking(|parking| parking.wanted = parking.slot);
        self.ask_slot();
    }

    /// What was awaited has ended. True where that is the affair of whoever parked the caller.
    pub(in crate::call) fn parking_ended(&mut self, ending: &Ending) -> bool {
        let Some(stage) = self.parking_stage().cloned() else { return false };
        match stage {
            Stage::Asking => {
                // The other party hung up first. Whoever waits in a slot is asked for again.
                let talked = matches!(ending, Ending::Dialed(_));
                if talked {
                    self.unpark();
                }
                return !talked;
            }
            Stage::Dismissing => self.enter_slot(),
            Stage::Waiting | Stage::Leaving { .. } => self.wait_on(ending),
            Stage::Calling { .. } => self.called_out(ending),
            // What played was cut off by it.
            Stage::Together { .. } => {}
        }
        true
    }

    /// The caller was joined to somebody.
    pub(in crate::call) fn parking_joined(&mut self) {
        let Some(other) = self.state.bridged.clone() else { return };
        match self.parking_stage().cloned() {
            Some(Stage::Waiting | Stage::Leaving { .. }) => {
                let leg = self.legs_exceeded(1).is_none().then(|| self.known(other).leg);
                self.forget_action();
                self.state.timers.clear(Timer::Parked);
                self.parking_came_to("taken");
                self.set_parking_stage(Stage::Together { leg });
                self.ask_park(ParkAsk::Free, "who took the caller");
            }
            Some(Stage::Calling { to, leg, late, .. }) => {
                let now = self.live.now.wall;
                self.state.timers.clear(Timer::ActionOverdue);
                if let Some(leg) = self.state.legs.get_mut(leg) {
                    leg.answered.get_or_insert(now);
                    leg.channel = Some(other);
                }
                self.parking_came_to(if late { "back to who parked it" } else { "answered" });
                self.set_parking_stage(Stage::Calling { to, leg, joined: true, late });
            }
            _ => {}
        }
    }

    fn taken_by(&mut self, leg: Option<usize>, taker: &Taker) {
        let party = describe::clean(&taker.party);
        self.notice(format!("{party} took the caller, in call {}", taker.call));
        if let Some(leg) = leg.and_then(|leg| self.state.legs.get_mut(leg)) {
            leg.party.clone_from(&party);
        }
        let place = self.parking().and_then(|parking| parking.transfer);
        if let Some(transfer) = place.and_then(|at| self.state.talk.transfers.get_mut(at)) {
            transfer.outcome = format!("taken by {party}, call {}", taker.call);
        }
        self.worth_writing();
    }

    fn parking_came_to(&mut self, outcome: &str) {
        let place = self.parking().and_then(|parking| parking.transfer);
        self.transfer_is(place, outcome);
    }

    /// Nobody has come for the caller in time.
    pub(in crate::call) fn parked_for_long(&mut self) {
        if !matches!(self.parking_stage(), Some(Stage::Waiting)) {
            return;
        }
        self.notice("nobody has come for the caller");
        let call_back = self.park_settings().call_back.ms() > 0;
        let back = self.parking().and_then(|parking| parking.back.clone());
        let to = back.filter(|_| call_back);
        self.set_parking_stage(Stage::Leaving { to, late: true });
        self.ask_park(ParkAsk::Leave, "that the caller leaves its slot");
    }

    /// An operator has somebody called for the caller.
    pub(in crate::call) fn retrieve_for(&mut self, to: &Goal) -> Obeyed {
        if !matches!(self.parking_stage(), Some(Stage::Waiting)) {
            return Err("the caller is in no slot".to_owned());
        }
        let to = self.reachable(to)?;
        self.notice(format!(
            "{} has {} called for the caller",
            self.operator(),
            self.party(&to.party)
        ));
        self.set_parking_stage(Stage::Leaving { to: Some(to), late: false });
        self.ask_park(ParkAsk::Leave, "that the caller leaves its slot");
        Ok(())
    }

    fn call_out(&mut self, to: Option<Address>, late: bool) {
        let exceeded = to.as_ref().and_then(|_| self.legs_exceeded(1));
        let Some(to) = to.filter(|_| exceeded.is_none()) else {
            return self.parking_over(Over::TimedOut);
        };
        self.take_back();
        self.state.timers.clear(Timer::Parked);
        self.stop_action();
        let leg = self.add_leg(&to.party);
        let at = to.at.clone();
        self.set_parking_stage(Stage::Calling { to, leg, joined: false, late });
        let timeout = self.park_settings().call_back;
        let timeout = if timeout.ms() > 0 { timeout } else { ParkSettings::default().call_back };
        let target = DialTarget { position: 0, address: at, delay: Millis(0), timeout };
        let mut order = DialOrder::plain(vec![target]);
        if let Media::File { path, .. } = self.music() {
            order.ringback = RingTone::File { path };
        }
        let party = &self.state.arrival;
        order.caller_name = address::display_name(&party.caller_name);
        order.caller_number = address::user(&party.caller_number);
        self.dial(order, timeout.ms());
    }

    fn called_out(&mut self, ending: &Ending) {
        let Some(Stage::Calling { leg, late, .. }) = self.parking_stage().cloned() else { return };
        let (answered, cause) = match ending {
            Ending::Dialed(dialed) => (dialed.answered, dialed.cause),
            _ => (false, HangupCause::NormalTemporaryFailure),
        };
        let now = self.live.now.wall;
        if let Some(leg) = self.state.legs.get_mut(leg) {
            leg.ended.get_or_insert(now);
            leg.cause.get_or_insert(cause);
        }
        self.state.bridged = None;
        if answered {
            return self.parking_over(Over::Talked(cause));
        }
        self.notice(format!("nobody is reached for the caller: {cause}"));
        let left = self.parking().map_or(0, |parking| parking.again);
        match (late, left) {
            (true, 0) => self.parking_over(Over::TimedOut),
            (true, left) => {
                self.set_parking(|parking| parking.again = left - 1);
                self.park_again();
            }
            (false, _) => self.park_again(),
        }
    }

    /// What was waited for does not come.
    pub(in crate::call) fn not_fetched(&mut self) {
        match self.parking_stage() {
            Some(Stage::Waiting) => self.ask_open(),
            Some(Stage::Dismissing) => {
                self.note_guard("the other party was not let go in time");
                self.unpark();
            }
            _ => {}
        }
    }

    /// Whether this was the order that lets another call have the caller, which FreeSWITCH could
    /// not carry out.
    pub(in crate::call) fn parking_refused(&mut self, id: ActionId, reason: &str) -> bool {
        let lent = self.parking().and_then(|parking| parking.lent);
        if lent != Some(id) {
            return false;
        }
        let why = format!("the caller can't be taken from a slot: {}", describe::clean(reason));
        self.tell_park(ParkAsk::Free);
        self.parking_over(Over::Unparked(Outcome::Failed, why));
        true
    }

    /// Goes on with what another connection, or another process, left. False where nobody was
    /// parked.
    pub(in crate::call) fn pick_up_parked(&mut self, found: &Found) -> bool {
        let Some(parking) = self.parking().cloned() else { return false };
        self.state.bridged = None;
        match parking.stage {
            // The conversation is over.
            Stage::Asking if parking.slot.is_none() && !self.parks() && !self.is_loose() => {
                self.unpark();
                return false;
            }
            Stage::Asking => self.ask_slot(),
            Stage::Dismissing => self.enter_slot(),
            Stage::Waiting | Stage::Leaving { .. } => self.wait_again(),
            Stage::Together { .. } => {
                self.parking_over(Over::Talked(HangupCause::NormalClearing));
            }
            Stage::Calling { to, joined, late, .. } => {
                let over = Dialed::talked(HangupCause::NormalClearing);
                match found.dialed.clone().or_else(|| joined.then_some(over)) {
                    Some(dialed) => self.called_out(&Ending::Dialed(dialed)),
                    None => self.call_out(Some(to), late),
                }
            }
        }
        true
    }

    /// In the slot as before; what is left of the time stays.
    fn wait_again(&mut self) {
        let due = self.state.timers.due(Timer::Parked);
        self.enter_slot();
        if let Some(due) = due {
            self.state.timers.set(Timer::Parked, due);
        }
    }

    pub(super) fn parks(&self) -> bool {
        matches!(self.state.running, Running::Park)
    }

    fn parking_over(&mut self, over: Over) {
        self.take_back();
        if let Some(Stage::Together { leg: Some(leg) }) = self.parking_stage() {
            let taker = self.state.legs.get(*leg).and_then(|leg| leg.channel.clone());
            self.end_other(taker, HangupCause::NormalClearing);
        }
        self.state.timers.clear(Timer::Parked);
        self.state.timers.clear(Timer::Fetched);
        if let Over::TimedOut | Over::Unparked(..) = over {
            self.parking_came_to("nobody came");
        }
        self.state.talk.parking = None;
        match over {
            Over::Talked(_) if self.parks() => {
                self.state.bridged = None;
                self.walk(Next::leave(Outcome::Done, "the caller was taken from its slot"));
            }
            Over::Talked(cause) => self.talk_over(cause),
            Over::TimedOut if self.parks() => {
                self.walk(Next::leave(Outcome::TimedOut, "nobody took the caller"));
            }
            Over::TimedOut => self.park_timed_out(),
            Over::Unparked(outcome, why) if self.parks() => self.walk(Next::leave(outcome, why)),
            Over::Unparked(_, why) => self.nobody_left(outcome_of(HangupCause::NoAnswer), &why),
        }
    }

    /// The caller of a conversation goes to where the tenant has such callers, or as if nobody had
    /// answered.
    fn park_timed_out(&mut self) {
        let then = self.park_settings().then.clone();
        let has = |call: &Self, step: &StepName| {
            call.here().is_some_and(|(published, _)| published.flow.steps.contains_key(step))
        };
        match then.filter(|step| has(self, step)) {
            Some(to) => {
                self.stop_action();
                let way = Way::Choice { label: "timed_out".to_owned(), to };
                let why = "nobody took the caller from its slot".to_owned();
                self.walk(Next::Leave { way, why });
            }
            None => self.nobody_left(Outcome::NoAnswer, "nobody took the caller from its slot"),
        }
    }

    /// No other call has the caller any more.
    fn take_back(&mut self) {
        let lent = self.state.talk.parking.as_deref_mut().and_then(|parking| parking.lent.take());
        if lent.is_some() && !self.is_fetched() {
            self.order(Action::Lend(false));
        }
    }

    fn tell_park(&mut self, ask: ParkAsk) {
        let query = self.park_query(ask);
        self.tell(query);
    }

    /// The caller goes elsewhere: its slot is free.
    pub(in crate::call) fn unpark(&mut self) {
        if self.parking().is_none() {
            return;
        }
        self.take_back();
        self.state.talk.parking = None;
        self.state.timers.clear(Timer::Parked);
        self.state.timers.clear(Timer::Fetched);
        self.worth_writing();
        self.tell_park(ParkAsk::Free);
    }

    /// The caller leaves who took it from its slot, for somebody else.
    pub(super) fn leave_taker(&mut self) {
        if self.is_fetched() {
            self.state.talk.parking = None;
            self.state.timers.clear(Timer::Parked);
            self.state.timers.clear(Timer::Fetched);
        }
    }

    /// Joins the caller to one that waits in a slot.
    pub(in crate::call) fn take_parked(
        &mut self,
        slot: Slot,
        call: CallId,
        channel: ChannelId,
        party: &str,
    ) {
        let leg = self.known(channel.clone()).leg;
        if let Some(leg) = self.state.legs.get_mut(leg) {
            party.clone_into(&mut leg.party);
        }
        let by = self.party(&self.state.arrival.caller_number);
        let to = format!("slot {slot}");
        let transfer = self.note_transfer(TransferKind::Retrieve, &by, leg, &to);
        self.transfer_is(transfer, &format!("call {call}"));
        self.worth_writing();
        self.expect(Action::Take { other: channel }, Awaited::Other, 0);
    }

    /// They have parted, or never met.
    pub(in crate::call) fn parted_from(&mut self, channel: ChannelId, cause: HangupCause) {
        self.end_other(Some(channel), cause);
    }

    /// The other parties of a moved conversation, but for the one who speaks with the caller.
    fn release_third(&mut self) {
        let third = self.third_channel();
        self.drop_other(third, HangupCause::NormalClearing);
        self.state.talk.moved = None;
    }
}
