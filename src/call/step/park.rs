//! `park` and `retrieve`: the caller waits in a slot, or takes another caller out of one.
//!
//! What a parked caller goes through is in `call::talk::park`, since people who talk can park it,
//! too.

use serde::{Deserialize, Serialize};

use super::{Heard, Next, Running};
use crate::base::cause::HangupCause;
use crate::base::ids::ChannelId;
use crate::base::slot::Slot;
use crate::call::input::{Answer, Ending};
use crate::call::output::Action;
use crate::call::park::{ParkAsk, ParkFound};
use crate::call::state::Awaited;
use crate::call::{Call, describe};
use crate::flow::Outcome;
use crate::flow::kind::park::{Park, Retrieve};
use crate::model::park::Taker;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::call) struct ExpectParted {
    slot: Slot,
    expect: Expect,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Expect {
    Answered,
    /// Whoever is in the slot. `again`: somebody was, and may have gone with us since.
    Caller {
        again: bool,
    },
    /// FreeSWITCH joins the two.
    Bridge(ChannelId),
    Parting(ChannelId),
}

pub(in crate::call) fn enter(call: &mut Call, park: &Park) -> (Running, Next) {
    call.drop_keys_ahead();
    let next = call.park_here(park);
    (Running::Park, next)
}

pub(in crate::call) fn enter_retrieve(call: &mut Call, retrieve: &Retrieve) -> (Running, Next) {
    let slot = match call.render(&retrieve.slot).0.parse::<Slot>() {
        Ok(slot) => slot,
        Err(error) => {
            let next = Next::leave(Outcome::Empty, describe::clean(&error.to_string()));
            return (Running::Nothing, next);
        }
    };
    if let Some(limit) = call.legs_exceeded(1) {
        return (Running::Nothing, Next::failed(limit));
    }
    call.drop_keys_ahead();
    let mut state = ExpectParted { slot, expect: Expect::Answered };
    if call.state.answered_ms.is_none() {
        call.expect(Action::Answer, Awaited::Other, 0);
    } else {
        state.ask(call, false);
    }
    (Running::Retrieve(Box::new(state)), Next::Wait)
}

/// Whoever comes back on a new connection has spoken with the caller it took, or never met it.
pub(in crate::call) fn resume_retrieve(
    call: &mut Call,
    mut left: Box<ExpectParted>,
) -> (Running, Next) {
    let next = match left.expect.clone() {
        Expect::Parting(other) => {
            call.parted_from(other, HangupCause::NormalClearing);
            Next::done()
        }
        Expect::Bridge(_) => left.ask(call, true),
        Expect::Answered | Expect::Caller { .. } => left.ask(call, false),
    };
    (Running::Retrieve(left), next)
}

impl ExpectParted {
    fn ask(&mut self, call: &mut Call, again: bool) -> Next {
        let slot = self.slot;
        let party = call.party(&call.state.arrival.caller_number);
        let by = Taker { call: call.state.call(), party };
        self.expect = Expect::Caller { again };
        call.worth_writing();
        call.ask_park(ParkAsk::Take { slot, by }, format!("who is in slot {slot}"));
        Next::Wait
    }

    pub(in crate::call) fn hear(&mut self, call: &mut Call, heard: Heard) -> Next {
        match (heard, self.expect.clone()) {
            (Heard::Ended(ending), Expect::Answered) => match describe::failure(&ending) {
                Some(why) => Next::failed(why),
                None => self.ask(call, false),
            },
            (Heard::Answer(Answer::Park(found)), Expect::Caller { again }) => {
                self.found(call, found, again)
            }
            (Heard::Answer(_), Expect::Caller { .. }) => {
                Next::failed("it is not known in time who is in the slot")
            }
            (Heard::Bridged(_), Expect::Bridge(other)) => {
                call.forget_action();
                self.expect = Expect::Parting(other);
                call.worth_writing();
                Next::Wait
            }
            (Heard::Ended(ending), Expect::Bridge(other)) => Self::missed(call, &ending, other),
            _ => Next::Wait,
        }
    }

    fn found(&mut self, call: &mut Call, found: ParkFound, again: bool) -> Next {
        let slot = self.slot;
        match found {
            ParkFound::Taken { call: other, channel, party } => {
                call.notice(format!("in slot {slot} is call {other}"));
                self.expect = Expect::Bridge(channel.clone());
                call.take_parked(slot, other, channel, &party);
                Next::Wait
            }
            ParkFound::Empty if again => Next::done(),
            ParkFound::Empty => Next::leave(Outcome::Empty, format!("nobody is in slot {slot}")),
            ParkFound::Elsewhere(core) => {
                let why = format!("the caller in slot {slot} is on another FreeSWITCH ({core})");
                Next::leave(Outcome::Elsewhere, why)
            }
            ParkFound::Unknown(why) => Next::failed(describe::clean(&why)),
            ParkFound::In(_) | ParkFound::Out(_) | ParkFound::Full => {
                Next::failed("the slots are not known")
            }
        }
    }

    fn missed(call: &mut Call, ending: &Ending, other: ChannelId) -> Next {
        call.parted_from(other, HangupCause::OriginatorCancel);
        let why = describe::failure(ending).unwrap_or_else(|| "it left its slot".to_owned());
        Next::leave(Outcome::Empty, format!("the caller was not to be had: {why}"))
    }
}
