//! `queue`: the caller waits with music until a target is free, which is then dialed as `dial`
//! does.
//!
//! Who keeps the line is asked every second or two; that says, too, that the caller still waits.
//! Where it can't be asked the caller waits on. A target that does not answer leads back into the
//! line, at the same place.

mod tell;

use serde::{Deserialize, Serialize};

use super::dial::{self, ExpectOutcome};
use super::{Heard, Next, Running, Way};
use crate::base::digits::Digits;
use crate::base::ids::QueueName;
use crate::base::millis::Millis;
use crate::call::input::{Answer, Dialed, Ending};
use crate::call::queue::{QueueAsk, QueueFound, Standing, Unanswered, Waiter};
use crate::call::timer::Timer;
use crate::call::{Call, describe};
use crate::flow::Outcome;
use crate::flow::kind::queue::Queue;
use crate::model::timeline::Sign;

/// How long an answer may take.
const ASK_MS: u64 = 3_000;
/// How often those are asked for who are next, and the others.
const NEXT_MS: u64 = 1_000;
const LATER_MS: u64 = 2_000;
/// How many are asked for as if they were next: so many targets may be free at once.
const NEXT: u32 = 3;
/// Unanswered legs that the record keeps; further ones are forgotten.
const LEGS_KEPT: usize = 20;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::call) struct ExpectTarget {
    queue: QueueName,
    /// Since when it waits, as who keeps the line says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    joined_ms: Option<i64>,
    /// On the call's clock, as the next one.
    since_ms: u64,
    /// When the caller is told its place again.
    told_ms: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    plays: Option<Plays>,
    /// The music can't be played.
    #[serde(default, skip_serializing_if = "is_not")]
    tuneless: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rung: Option<Rung>,
    /// The target that the caller had is to be left alone for so long; told until it is answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unanswered: Option<Unanswered>,
}

/// What the caller hears now.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Plays {
    /// On the call's clock.
    since_ms: u64,
    /// Its place, not music.
    told: bool,
}

/// A target that the caller has.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Rung {
    place: usize,
    /// The record's legs before.
    legs: usize,
    dial: ExpectOutcome,
    /// It was let go while the caller speaks with somebody else.
    #[serde(default, skip_serializing_if = "is_not")]
    gone: bool,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
const fn is_not(so: &bool) -> bool {
    !*so
}

pub(in crate::call) fn enter(call: &mut Call, queue: &Queue) -> (Running, Next) {
    call.drop_keys_ahead();
    let now_ms = call.state.age_ms;
    let mut state = Box::new(ExpectTarget {
        queue: queue.queue.clone(),
        joined_ms: None,
        since_ms: now_ms,
        told_ms: now_ms,
        plays: None,
        tuneless: false,
        rung: None,
        unanswered: None,
    });
    if targets(call, queue).iter().all(Option::is_none) {
        let why = format!("the queue {} has no target that can be dialed", queue.queue);
        return (Running::Nothing, Next::leave(Outcome::Nobody, why));
    }
    let next = state.wait(call, queue);
    (Running::Queue(state), next)
}

/// A conversation goes on as that of a dial; who only was rung waits again, at the same place.
pub(in crate::call) fn resume(
    call: &mut Call,
    queue: &Queue,
    mut state: Box<ExpectTarget>,
    ended: Option<Dialed>,
) -> (Running, Next) {
    state.plays = None;
    let over = state.rung.as_ref().and_then(|rung| rung.dial.over(ended));
    let next = match over {
        Some(dialed) => {
            call.state.bridged = None;
            state.hear(call, queue, Heard::Ended(Ending::Dialed(dialed)))
        }
        None => {
            let rung = state.rung.take();
            if let Some(rung) = &rung {
                rung.forget(call, 0);
                state.unanswered = rung.unanswered(call, queue, Millis(0));
            }
            state.wait(call, queue)
        }
    };
    (Running::Queue(state), next)
}

/// By place, what tells them from others.
fn targets(call: &Call, queue: &Queue) -> Vec<Option<String>> {
    let one = |target| super::address_of(call, target).map(|address| address.at);
    let all = queue.dial.targets.iter().take(dial::TARGETS_MAX);
    all.map(|target| one(target).as_ref().map(crate::call::queue::target)).collect()
}

impl ExpectTarget {
    /// The line in which the caller stands, or from which it has its target.
    pub(in crate::call) fn waits_in(&self) -> Option<&QueueName> {
        (!self.rung.as_ref().is_some_and(|rung| rung.gone)).then_some(&self.queue)
    }

    /// The leg of the target, in the record, once it has answered.
    pub(in crate::call) fn leg(&self) -> Option<usize> {
        self.rung.as_ref().filter(|rung| !rung.gone)?.dial.answered_leg()
    }

    pub(in crate::call) fn let_go(&mut self) {
        if let Some(rung) = &mut self.rung {
            rung.gone = true;
        }
    }

    pub(in crate::call) fn dialing(&self) -> Option<&ExpectOutcome> {
        self.rung.as_ref().map(|rung| &rung.dial)
    }

    /// The caller is in our hands, with music, and waits for its turn.
    fn wait(&mut self, call: &mut Call, queue: &Queue) -> Next {
        if let Some(max_wait) = queue.max_wait {
            let rest_ms = (self.since_ms + max_wait.ms()).saturating_sub(call.state.age_ms);
            if rest_ms == 0 {
                return too_long(max_wait);
            }
            call.state.after(Timer::Waited, rest_ms);
        }
        self.play_music(call, queue);
        self.ask(call, queue);
        call.worth_writing();
        Next::Wait
    }

    fn ask(&self, call: &mut Call, queue: &Queue) {
        let rings = |place: &crate::flow::kind::dial::Target| place.timeout;
        let rings = queue.dial.targets.iter().filter_map(rings).chain([queue.dial.timeout]).max();
        let thinks_ms = queue.dial.accept.as_ref().map_or(0, |accept| accept.timeout.ms() * 2);
        let waiter = Waiter {
            joined_ms: self.joined_ms,
            most: queue.max_callers,
            order: queue.order,
            targets: targets(call, queue),
            rings: Millis(rings.map_or(0, Millis::ms).saturating_add(thinks_ms)),
            unanswered: self.unanswered.clone(),
        };
        let query = call.queue_query(&self.queue, QueueAsk::Wait(Box::new(waiter)));
        call.poll(query, ASK_MS);
    }

    pub(in crate::call) fn hear(&mut self, call: &mut Call, queue: &Queue, heard: Heard) -> Next {
        if self.rung.is_some() {
            return self.hear_rung(call, queue, heard);
        }
        match heard {
            Heard::Key(key) if queue.dial.cancel_key.as_ref().is_some_and(|k| k.contains(key)) => {
                call.trace_key(key, false);
                Next::leave(Outcome::Cancelled, "the caller pressed the exit key")
            }
            Heard::Ended(ending) => {
                self.played(call, queue, &ending);
                Next::Wait
            }
            Heard::Answer(Answer::Queue(found)) => self.found(call, queue, &found),
            Heard::Answer(
                Answer::Http(_)
                | Answer::Room(_)
                | Answer::Park(_)
                | Answer::Admit(_)
                | Answer::Outbound(_)
                | Answer::Spoken(_),
            ) => self.found(call, queue, &QueueFound::Unknown),
            Heard::Due(Timer::Waited) => queue.max_wait.map_or(Next::Wait, too_long),
            Heard::Due(Timer::Pause) => {
                if self.plays.is_none() {
                    self.play_music(call, queue);
                }
                self.ask(call, queue);
                Next::Wait
            }
            Heard::Key(_) | Heard::Due(_) | Heard::Bridged(_) | Heard::Room(_) => Next::Wait,
        }
    }

    fn found(&mut self, call: &mut Call, queue: &Queue, found: &QueueFound) -> Next {
        let standing = match found {
            QueueFound::Full => {
                let why = format!("as many as may wait in the queue {}", self.queue);
                return Next::leave(Outcome::Full, why);
            }
            QueueFound::Unknown => {
                call.state.after(Timer::Pause, LATER_MS);
                return Next::Wait;
            }
            QueueFound::Waits(standing) => *standing,
        };
        self.unanswered = None;
        if self.joined_ms.is_none() {
            self.joined_ms = Some(standing.joined_ms);
            let (queue, ahead) = (self.queue.clone(), standing.ahead);
            let text = format!("waits in the queue {queue}, {ahead} ahead");
            call.notice_as(Sign::Queued { queue, ahead }, text);
            call.worth_writing();
        }
        if let Some(place) = standing.target {
            return self.ring(call, queue, place);
        }
        self.stand(call, queue, standing);
        Next::Wait
    }

    fn stand(&mut self, call: &mut Call, queue: &Queue, standing: Standing) {
        call.live.standing = Some(standing);
        if call.state.age_ms >= self.told_ms && !queue.announce.is_silent() {
            self.told_ms = call.state.age_ms.saturating_add(queue.announce.every.ms());
            self.announce(call, queue, standing);
        }
        let poll_ms = if standing.ahead < NEXT { NEXT_MS } else { LATER_MS };
        call.state.after(Timer::Pause, poll_ms);
    }

    /// The caller hears its music on while the target rings.
    fn ring(&mut self, call: &mut Call, queue: &Queue, place: usize) -> Next {
        call.stop_action();
        self.plays = None;
        let legs = call.state.legs.len();
        let (dial, next) = dial::one(call, &queue.dial, place);
        self.rung = Some(Rung { place, legs, dial, gone: false });
        self.after_dial(call, queue, next)
    }

    fn hear_rung(&mut self, call: &mut Call, queue: &Queue, heard: Heard) -> Next {
        let Some(rung) = &mut self.rung else { return Next::Wait };
        let begins = matches!(heard, Heard::Bridged(_)) && rung.dial.answered_place().is_none();
        let next = rung.dial.hear(call, &queue.dial, heard);
        if let Some(target) = begins.then(|| rung.target(call, queue)).flatten() {
            let speak = QueueAsk::Speak { target, wrap_up: queue.wrap_up };
            let query = call.queue_query(&self.queue, speak);
            call.tell(query);
        }
        self.after_dial(call, queue, next)
    }

    /// A target that was not reached leads back into the line.
    fn after_dial(&mut self, call: &mut Call, queue: &Queue, next: Next) -> Next {
        let Next::Leave { way: Way::Outcome(outcome), why } = &next else { return next };
        if !matches!(
            outcome,
            Outcome::Busy | Outcome::NoAnswer | Outcome::Rejected | Outcome::Unreachable
        ) {
            return next;
        }
        call.notice(format!("back in the queue {}: {outcome} ({why})", self.queue));
        if let Some(rung) = self.rung.take() {
            rung.forget(call, LEGS_KEPT);
            self.unanswered = rung.unanswered(call, queue, queue.retry);
        }
        self.wait(call, queue)
    }
}

impl Rung {
    fn target(&self, call: &Call, queue: &Queue) -> Option<String> {
        targets(call, queue).into_iter().nth(self.place).flatten()
    }

    fn unanswered(&self, call: &Call, queue: &Queue, rest: Millis) -> Option<Unanswered> {
        self.target(call, queue).map(|target| Unanswered { target, rest })
    }

    /// A target that was not reached does not count among the call's legs; beyond so many the
    /// record does not tell of it.
    fn forget(&self, call: &mut Call, kept: usize) {
        if call.state.legs.len() > self.legs {
            call.state.counters.legs = call.state.counters.legs.saturating_sub(1);
            call.state.legs.truncate(self.legs.max(kept));
        }
    }
}

fn too_long(max_wait: Millis) -> Next {
    Next::leave(Outcome::TooLong, format!("the caller has waited for {max_wait}"))
}
