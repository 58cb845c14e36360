//! Waiting lines: places, targets and what becomes of those whose calls are gone.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use callwright::base::ids::{CallId, TenantId};
use callwright::base::millis::Millis;
use callwright::call::queue::{QueueAsk, QueueFound, QueueQuery, Standing, Unanswered, Waiter};
use callwright::flow::kind::queue::Order;
use callwright::model::live::LiveCall;
use callwright::model::queue::{QueueView, TargetState};
use callwright::store::{Recorder, Store};
use jiff::Timestamp;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use crate::bench::{Bench, call_id, eventually, live, on_both, record};

/// A caller of a line, and how it waits.
#[derive(Clone)]
struct Waits {
    store: Store,
    tenant: TenantId,
    queue: &'static str,
    call: CallId,
    waiter: Waiter,
}

impl Waits {
    fn new(bench: &Bench, tenant: TenantId, queue: &'static str) -> Self {
        let waiter = Waiter {
            joined_ms: None,
            most: None,
            order: Order::AsWritten,
            targets: vec![Some("201".into()), Some("202".into())],
            rings: Millis::seconds(20),
            unanswered: None,
        };
        Self { store: bench.store.clone(), tenant, queue, call: call_id(), waiter }
    }

    fn order(mut self, order: Order) -> Self {
        self.waiter.order = order;
        self
    }

    async fn tell(&self, ask: QueueAsk) -> QueueFound {
        let queue = self.queue.parse().unwrap();
        let query = QueueQuery { tenant: self.tenant, queue, call: self.call, ask };
        self.store.tenant(self.tenant).ask_queue(&query).await.unwrap()
    }

    async fn asks(&mut self) -> Standing {
        let waiter = self.waiter.clone();
        self.waiter.unanswered = None;
        match self.tell(QueueAsk::Wait(Box::new(waiter))).await {
            QueueFound::Waits(standing) => {
                self.waiter.joined_ms = Some(standing.joined_ms);
                standing
            }
            other => panic!("{other:?}"),
        }
    }

    /// How many are ahead, and which target it has.
    async fn stands(&mut self) -> (u32, Option<usize>) {
        let standing = self.asks().await;
        (standing.ahead, standing.target)
    }

    async fn unanswered(&mut self, target: &str, rest: u64) -> (u32, Option<usize>) {
        self.waiter.unanswered = Some(Unanswered { target: target.into(), rest: Millis(rest) });
        self.stands().await
    }

    async fn speaks(&self, target: &str, wrap_up: Millis) {
        self.tell(QueueAsk::Speak { target: target.into(), wrap_up }).await;
    }

    async fn leaves(&self) {
        self.tell(QueueAsk::Leave).await;
    }
}

async fn view(bench: &Bench, tenant: TenantId) -> QueueView {
    bench.store.tenant(tenant).queues().await.unwrap().pop().unwrap()
}

async fn callers_have_their_turn_in_the_order_in_which_they_came(bench: Bench) {
    let acme = bench.tenant("acme").await.id;
    let mut line: Vec<_> = (0..5).map(|_| Waits::new(&bench, acme, "help")).collect();
    assert_eq!(line[0].stands().await, (0, Some(0)));
    assert_eq!(line[1].stands().await, (0, Some(1)));
    for (at, ahead) in [(2, 0), (3, 1), (4, 2), (3, 1), (2, 0)] {
        assert_eq!(line[at].stands().await, (ahead, None));
    }
    // The target that is free again is the next one's, whoever asks first.
    line[0].leaves().await;
    assert_eq!(line[4].stands().await, (2, None));
    assert_eq!(line[3].stands().await, (1, None));
    assert_eq!(line[2].stands().await, (0, Some(0)));
    assert_eq!(line[3].stands().await, (0, None));
}

async fn a_target_given_to_a_process_that_was_killed_is_free_again_and_not_left_alone(
    bench: Bench,
) {
    let acme = bench.tenant("acme").await.id;
    let mut caller = Waits::new(&bench, acme, "help");
    assert_eq!(caller.stands().await, (0, Some(0)));
    // The answer reached nobody: the next process tells the same once more.
    assert_eq!(caller.unanswered("201", 60_000).await, (0, Some(1)));
    assert_eq!(caller.unanswered("201", 60_000).await, (0, Some(1)));
    // Nor is it the caller's that it never heard of.
    assert_eq!(caller.stands().await, (0, Some(1)));
}

async fn a_target_that_did_not_answer_is_left_alone_and_the_caller_keeps_its_place(bench: Bench) {
    let acme = bench.tenant("acme").await.id;
    let (mut first, mut second) =
        (Waits::new(&bench, acme, "help"), Waits::new(&bench, acme, "help"));
    assert_eq!(first.stands().await.1, Some(0));
    assert_eq!(second.stands().await.1, Some(1));
    assert_eq!(first.unanswered("201", 60_000).await, (0, None), "both are somebody's or rest");
    assert_eq!(second.unanswered("202", 0).await, (1, None), "the first came before it");
    assert_eq!(first.stands().await, (0, Some(1)));
    bench.sql("UPDATE queue_target SET not_before_ms = 0").await;
    assert_eq!(second.stands().await, (0, Some(0)));
}

async fn targets_ring_in_the_order_that_was_asked_for(bench: Bench) {
    let acme = bench.tenant("acme").await.id;
    // Each target has rung for three callers: 201 spoke last, 202 rang last.
    for (order, next) in [(Order::LongestIdle, 1), (Order::InTurn, 0), (Order::AsWritten, 0)] {
        bench.sql("DELETE FROM queue_target").await;
        let mut speaker = Waits::new(&bench, acme, "help");
        assert_eq!(speaker.stands().await.1, Some(0), "nobody has rung yet: as written");
        speaker.speaks("201", Millis(0)).await;
        let mut other = Waits::new(&bench, acme, "help").order(order);
        assert_eq!(other.stands().await.1, Some(1));
        bench.sql("UPDATE queue_target SET rung_ms = rung_ms - 50 WHERE target = '201'").await;
        other.leaves().await;
        speaker.leaves().await;
        let mut caller = Waits::new(&bench, acme, "help").order(order);
        assert_eq!(caller.stands().await.1, Some(next), "{order:?}");
        caller.leaves().await;
    }
}

async fn a_target_wraps_up_after_a_talk_and_the_line_learns_how_long_talks_take(bench: Bench) {
    let acme = bench.tenant("acme").await.id;
    let mut first = Waits::new(&bench, acme, "help");
    first.waiter.targets.truncate(1);
    assert_eq!(first.asks().await.wait_ms, None, "nobody has spoken yet");
    first.speaks("201", Millis::seconds(60)).await;
    bench.sql("UPDATE queue_target SET talk_ms = talk_ms - 30000").await;
    first.leaves().await;
    let mut second = Waits::new(&bench, acme, "help");
    second.waiter.targets.truncate(1);
    let standing = second.asks().await;
    assert_eq!(standing.target, None, "it wraps up");
    assert!((90_000..100_000).contains(&standing.wait_ms.unwrap()), "{standing:?}");
    let view = view(&bench, acme).await;
    assert_eq!(view.targets[0].state, TargetState::Rests);
    assert_eq!(view.waiting.len(), 1);
}

async fn a_target_of_two_queues_speaks_with_one_caller_at_a_time(bench: Bench) {
    let acme = bench.tenant("acme").await.id;
    let mut help = Waits::new(&bench, acme, "help");
    let mut sales = Waits::new(&bench, acme, "sales");
    sales.waiter.targets.truncate(1);
    assert_eq!(help.stands().await.1, Some(0));
    assert_eq!(sales.stands().await, (0, None));
    let other = bench.tenant("other").await.id;
    let mut theirs = Waits::new(&bench, other, "help");
    assert_eq!(theirs.stands().await, (0, Some(0)), "another tenant's 201 is somebody else");
    help.leaves().await;
    assert_eq!(sales.stands().await.1, Some(0));
}

async fn a_line_takes_no_more_than_it_may_but_who_was_in_comes_back(bench: Bench) {
    let acme = bench.tenant("acme").await.id;
    let mut line: Vec<_> = (0..5).map(|_| Waits::new(&bench, acme, "help")).collect();
    for (at, caller) in line.iter_mut().enumerate() {
        caller.waiter.most = Some(2);
        if at < 4 {
            caller.stands().await;
        }
    }
    let full = line[4].tell(QueueAsk::Wait(Box::new(line[4].waiter.clone()))).await;
    assert_eq!(full, QueueFound::Full);
    // Its process was killed, and so its place was forgotten.
    bench.sql("DELETE FROM queue_call").await;
    assert_eq!(line[3].stands().await.0, 0);
    assert_eq!(line[2].stands().await.0, 0, "it came before");
    assert_eq!(line[3].stands().await.0, 1);
}

async fn whoever_is_not_heard_of_is_gone_and_a_target_that_only_rang_is_free(bench: Bench) {
    let acme = bench.tenant("acme").await.id;
    let mut line: Vec<_> = (0..4).map(|_| Waits::new(&bench, acme, "help")).collect();
    for caller in &mut line {
        caller.stands().await;
    }
    bench.sql("UPDATE queue_call SET seen_ms = seen_ms - 10500").await;
    assert_eq!(line[3].stands().await, (0, None), "the one before it is not heard of");
    bench.sql("UPDATE queue_target SET until_ms = until_ms - 29000").await;
    assert_eq!(line[3].stands().await, (0, None), "both may still be ringing");
    bench.sql("UPDATE queue_target SET until_ms = until_ms - 2000").await;
    assert_eq!(line[3].stands().await.1, Some(0));
}

async fn a_conversation_keeps_its_target_as_long_as_its_call_is_up(bench: Bench) {
    let acme = bench.tenant("acme").await.id;
    let recorder = Recorder::start(&bench.store, &bench.config).unwrap();
    let mut speaker = Waits::new(&bench, acme, "help");
    speaker.waiter.targets.truncate(1);
    let mut next = Waits { call: call_id(), ..speaker.clone() };
    speaker.stands().await;
    speaker.speaks("201", Millis(0)).await;
    // One that began a day ago counts no more.
    let up = LiveCall { started: Timestamp::now(), ..*live(acme, speaker.call, 0) };
    recorder.live(Box::new(up));
    let tenant = bench.store.tenant(acme);
    eventually("it is up", async || tenant.live_calls().await.unwrap().len() == 1).await;
    bench.sql("UPDATE queue_target SET until_ms = 0").await;
    assert_eq!(next.stands().await, (0, None));
    let view = view(&bench, acme).await;
    assert_eq!(
        (view.targets[0].state, view.targets[0].call),
        (TargetState::Speaks, Some(speaker.call))
    );
    recorder.record(record(acme, speaker.call, 1));
    eventually("it is over", async || tenant.live_calls().await.unwrap().is_empty()).await;
    assert_eq!(next.stands().await, (0, Some(0)));
}

/// Whatever callers do at once, no target is two callers'.
async fn no_target_is_ever_two_callers_at_once(bench: Bench) {
    let acme = bench.tenant("acme").await.id;
    let moves = proptest::collection::vec(0_u8..6, 40..80);
    let mut runner = TestRunner::deterministic();
    let held: Arc<Mutex<BTreeMap<String, CallId>>> = Arc::default();
    let mut callers = Vec::new();
    for at in 0..6 {
        let moves = moves.new_tree(&mut runner).unwrap().current();
        let queue = if at % 3 == 0 { "sales" } else { "help" };
        let mut caller = Waits::new(&bench, acme, queue);
        // A process of its own.
        caller.store = bench.another_store().await;
        caller.waiter.order = [Order::LongestIdle, Order::InTurn, Order::AsWritten][at % 3];
        callers.push(tokio::spawn(wander(caller, moves, Arc::clone(&held))));
    }
    let mut had = 0;
    for caller in callers {
        had += caller.await.unwrap();
    }
    assert!(had > 20, "only {had} had their turn");
}

/// How often it had a target.
async fn wander(
    mut caller: Waits,
    moves: Vec<u8>,
    held: Arc<Mutex<BTreeMap<String, CallId>>>,
) -> usize {
    let mut had = 0;
    let mut mine: Option<String> = None;
    let give_back = |mine: &mut Option<String>| {
        if let Some(target) = mine.take() {
            held.lock().unwrap().remove(&target);
        }
    };
    for one in moves {
        match (one, &mine) {
            (0, Some(target)) => caller.speaks(target, Millis(0)).await,
            (1 | 2, Some(_)) => {
                give_back(&mut mine);
                caller.leaves().await;
                caller = Waits { call: call_id(), ..caller };
                caller.waiter.joined_ms = None;
            }
            (3, Some(target)) => {
                let unanswered = Unanswered { target: target.clone(), rest: Millis(1) };
                give_back(&mut mine);
                caller.waiter.unanswered = Some(unanswered);
            }
            (_, Some(_)) => {}
            (_, None) => {
                if let Some(place) = caller.asks().await.target {
                    let target = caller.waiter.targets[place].clone().unwrap();
                    let other = held.lock().unwrap().insert(target.clone(), caller.call);
                    assert_eq!(other, None, "{target} was somebody's");
                    mine = Some(target);
                    had += 1;
                }
            }
        }
    }
    give_back(&mut mine);
    caller.leaves().await;
    had
}

on_both!(
    callers_have_their_turn_in_the_order_in_which_they_came,
    a_target_given_to_a_process_that_was_killed_is_free_again_and_not_left_alone,
    a_target_that_did_not_answer_is_left_alone_and_the_caller_keeps_its_place,
    targets_ring_in_the_order_that_was_asked_for,
    a_target_wraps_up_after_a_talk_and_the_line_learns_how_long_talks_take,
    a_target_of_two_queues_speaks_with_one_caller_at_a_time,
    a_line_takes_no_more_than_it_may_but_who_was_in_comes_back,
    whoever_is_not_heard_of_is_gone_and_a_target_that_only_rang_is_free,
    a_conversation_keeps_its_target_as_long_as_its_call_is_up,
    no_target_is_ever_two_callers_at_once,
);
