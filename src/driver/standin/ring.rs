//! A call that the controller begins: a phone rings, and once it is answered its leg comes to the
//! controller as any caller's does.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::line::{Order, Row, Run, enter};
use super::{StandIn, offered};
use crate::base::cause::HangupCause;
use crate::base::millis::Millis;
use crate::simulator::{Action, Call, Caller, Channel, FarEnd, Outgoing, Script, World};

/// How long who was called stays if nobody ends the call before.
const STAYS: Millis = Millis::seconds(3_600);
/// Between the order and the first ring.
const SETUP: Duration = Duration::from_millis(40);

/// Calls somebody; the output comes when they have answered, or when they will not.
pub(super) async fn place(standin: &StandIn, order: Outgoing) -> Vec<u8> {
    let row = Row {
        uuid: order.uuid.clone(),
        inbound: false,
        created_s: standin.0.clock.now().wall.as_second(),
        number: order.number.clone(),
        application: "",
    };
    let Ok(mut orders) = enter(standin, row) else {
        return failed(HangupCause::NormalTemporaryFailure);
    };
    match ring(standin, &order, &mut orders).await {
        Ok(stays) => {
            let output = format!("+OK {}\n", order.uuid).into_bytes();
            answered(standin, order, stays, orders);
            output
        }
        Err(cause) => {
            standin.leave(&order.uuid);
            failed(cause)
        }
    }
}

fn failed(cause: HangupCause) -> Vec<u8> {
    format!("-ERR {cause}\n").into_bytes()
}

/// How long who has answered stays.
async fn ring(
    standin: &StandIn,
    order: &Outgoing,
    orders: &mut mpsc::Receiver<Order>,
) -> Result<Millis, HangupCause> {
    let (began, phones) = (Instant::now(), &standin.0.phones);
    let phone = phones.get(&order.number).or_else(|| phones.get("*"));
    let overdue = began + Duration::from_millis(order.limit_ms);
    let (at, outcome) = match phone {
        None => (began + SETUP, Err(HangupCause::SubscriberAbsent)),
        Some(FarEnd::Fails { cause, after }) => {
            (began + SETUP + Duration::from(*after), Err(*cause))
        }
        Some(FarEnd::Answers(answers)) => {
            let stays = answers.talk.unwrap_or(STAYS);
            (began + SETUP + Duration::from(answers.answer), Ok(stays))
        }
        Some(FarEnd::Rings) => (overdue, Err(HangupCause::NoAnswer)),
    };
    let (at, outcome) =
        if at > overdue { (overdue, Err(HangupCause::NoAnswer)) } else { (at, outcome) };
    loop {
        tokio::select! {
            () = sleep_until(at) => return outcome,
            Some(order) = orders.recv() => {
                let kills = order.text.starts_with(b"uuid_kill ");
                let asks = order.text.starts_with(b"uuid_getvar ");
                let said = if asks { &b"_undef_"[..] } else { b"+OK\n" };
                // Whoever asked may be gone.
                let _ = order.answer.send(said.to_vec());
                if kills {
                    return Err(HangupCause::OriginatorCancel);
                }
            }
        }
    }
}

fn answered(standin: &StandIn, order: Outgoing, stays: Millis, orders: mpsc::Receiver<Order>) {
    let mut script = Script { patience: Some(stays), ..Script::to(&order.extension) };
    script.from.number.clone_from(&order.number);
    let script = Arc::new(script);
    // Whoever listens is there before it is answered.
    let first = [Action::new("sleep", "20"), Action::new("answer", "")];
    let dialplan = first.into_iter().chain(offered()).collect();
    let world = World { dialplan, ..standin.world(script.world()) };
    let mut call = Call::new(&order.uuid, &order.number, &order.extension);
    call.context = order.context;
    call.variables = order.variables;
    let now = standin.0.clock.now();
    let channel = Channel::new(call, Arc::new(world), now);
    let run = Run::on(standin, channel, Caller::new(script, now), orders);
    tokio::spawn(run.run());
}
