//! The caller parks the far party: a slot is taken for the call that the far party is to have, the
//! far party goes there ([`super::tie`]), and the caller hears the slot and goes on.

use serde::{Deserialize, Serialize};

use super::moved::{Moved, Stage};
use super::refer::OWN_CALL;
use super::tie::Onward;
use crate::base::digits::Digits;
use crate::base::ids::{CallId, ChannelId};
use crate::base::slot::Slot;
use crate::call::input::Answer;
use crate::call::operator::Obeyed;
use crate::call::output::{Action, Query};
use crate::call::park::{ParkAsk, ParkFound, ParkQuery};
use crate::call::{Call, describe};
use crate::model::record::TransferKind;

/// How long the question about a slot may take.
const ASK_MS: u64 = 3_000;

/// A far party for which a slot is asked. A process that takes over forgets it: the two talk on.
#[derive(Debug)]
pub(in crate::call) struct Reserving {
    by: String,
    far: ChannelId,
    call: CallId,
}

/// Where a far party is to wait in its own call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct ParkedFar {
    /// The call that it is to have, which has the slot.
    pub(super) call: CallId,
    pub(super) slot: Slot,
    /// Who parked it, as records show it.
    pub(super) by: String,
    pub(super) inside: bool,
}

impl Call {
    /// Parks the far party; the caller hears the slot and goes on.
    pub(super) fn park_far(&mut self, by: &str, wanted: Option<Slot>) -> Obeyed {
        let far = self.partner()?;
        let slots = self.slots_with(wanted)?;
        if self.live.asked.is_some() || self.live.reserving.is_some() {
            return Err("the conversation is being moved already".to_owned());
        }
        self.notice(format!("{by} parks the other party"));
        let call = CallId(self.identity());
        let party = self.leg_mut(&far).map(|leg| leg.party.clone()).unwrap_or_default();
        let party = self.party(&party);
        let parker = self.party(&self.state.arrival.caller_number);
        let ask = ParkAsk::Reserve { slots, wanted, party, parker };
        let (tenant, channel) = (self.state.tenant(), far.clone());
        let by = describe::clean(by);
        self.live.reserving = Some(Reserving { by, far, call });
        let query = Query::Park(Box::new(ParkQuery { tenant, call, channel, ask }));
        self.ask(query, format!("a slot for the other party, of {slots}"), ASK_MS);
        Ok(())
    }

    /// Whether an answer, or that there is none, was about the far party's slot.
    pub(in crate::call) fn far_slot_found(&mut self, answer: Option<&Answer>) -> bool {
        let Some(Reserving { by, far, call }) = self.live.reserving.take() else { return false };
        let found = match answer {
            Some(Answer::Park(found)) => found.clone(),
            _ => ParkFound::Unknown("no answer in time".to_owned()),
        };
        let speaks = self.partner().is_ok_and(|partner| partner == far);
        match found {
            ParkFound::In(slot) if speaks => self.send_to_slot(&by, far, call, slot),
            // Nobody takes a slot that stays closed, and the store gives it away again.
            ParkFound::In(_) => {}
            found => {
                let why = match found {
                    ParkFound::Full => "no slot is free".to_owned(),
                    ParkFound::Unknown(why) => describe::clean(&why),
                    _ => "the slots are not known".to_owned(),
                };
                self.notice(format!("the other party is not parked: {why}"));
                self.order(Action::Beep { channel: self.state.channel().clone() });
            }
        }
        true
    }

    fn send_to_slot(&mut self, by: &str, far: ChannelId, call: CallId, slot: Slot) {
        self.end_hold();
        let leg = self.known(far.clone()).leg;
        let transfer = self.note_transfer(TransferKind::Park, by, leg, &format!("slot {slot}"));
        self.transfer_is(transfer, OWN_CALL);
        let parker = self.party(&self.state.arrival.caller_number);
        let inside = self.may_refer();
        let stage = Stage::Announcing { slot, said: false };
        self.state.talk.moved = Some(Box::new(Moved { transfer, ..Moved::new(stage) }));
        self.worth_writing();
        self.bring(far, Onward::Park(ParkedFar { call, slot, by: parker, inside }));
    }

    /// The caller is in our hands, and hears where it has parked the other party.
    pub(super) fn say_slot(&mut self, slot: Slot) {
        self.state.bridged = None;
        self.set_stage(Stage::Announcing { slot, said: true });
        let said = self.slot_said(slot, self.park_settings().announce);
        self.play(said, Digits::default());
    }
}
