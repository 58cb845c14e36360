//! The daemon's calls from the first to the last: accept, then let them go.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::time::{Instant, interval_at, sleep_until};
use tokio_util::task::TaskTracker;

use super::call::{Shared, serve};
use super::registry::{When, Word};
use crate::base::cause::HangupCause;
use crate::call::input::Command;
use crate::switch::listener::Listener;

/// How long calls may take to end once they were hung up.
const LAST: Duration = Duration::from_secs(6);
/// Between two lines of the log about what is left.
const PROGRESS: Duration = Duration::from_secs(2);

/// What becomes of the listening socket when no more calls are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Socket {
    /// Nobody listens any more: FreeSWITCH goes to the next host of its list at once.
    Close,
    /// Another process holds it too: connections wait there, and none is refused.
    Leave,
}

/// An order to take no more calls and to let go of those that are up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Order {
    when: When,
    socket: Socket,
    since: Instant,
}

/// Gives the order to stop; a clone gives it to the same daemon.
#[derive(Debug, Clone)]
pub struct Drain {
    order: watch::Sender<Option<Order>>,
}

impl Default for Drain {
    fn default() -> Self {
        Self { order: watch::Sender::new(None) }
    }
}

impl Drain {
    /// Stops the daemon. A second order can hasten the first and change nothing else.
    pub fn order(&self, when: When, socket: Socket) {
        self.order.send_modify(|order| match order {
            None => *order = Some(Order { when, socket, since: Instant::now() }),
            Some(order) => order.when = order.when.max(when),
        });
    }

    /// As `order`, and nobody has to wait for a boundary if the order was there before.
    pub fn hasten(&self, socket: Socket) {
        let when = if self.since().is_some() { When::Now } else { When::Boundary };
        self.order(when, socket);
    }

    /// Waits for the first order.
    pub async fn ordered(&self) {
        self.reached(When::Boundary).await;
    }

    /// How long ago the first order came.
    pub fn since(&self) -> Option<Duration> {
        self.order.borrow().map(|order| order.since.elapsed())
    }

    async fn reached(&self, when: When) {
        let mut orders = self.order.subscribe();
        let found = orders.wait_for(|order| order.is_some_and(|order| order.when >= when)).await;
        // `self` holds the sender: it can't be gone.
        debug_assert!(found.is_ok());
    }

    fn socket(&self) -> Socket {
        self.order.borrow().map_or(Socket::Close, |order| order.socket)
    }
}

/// Takes calls until the order to stop. Then calls are let go at their next boundary; after half of
/// `grace`, or on a second order, at once; what is left after `grace` is hung up. Returns when no
/// call is left.
pub async fn run(listener: Listener, shared: Arc<Shared>, drain: &Drain, grace: Duration) {
    tokio::select! {
        () = shared.wake.beat(shared.clock) => {}
        () = take(listener, Arc::clone(&shared), drain, grace) => {}
    }
}

async fn take(listener: Listener, shared: Arc<Shared>, drain: &Drain, grace: Duration) {
    let tasks = TaskTracker::new();
    let mut take = |accepted| drop(tasks.spawn(serve(accepted, Arc::clone(&shared))));
    listener.run(drain.ordered(), &mut take).await;
    let began = Instant::now();
    shared.draining.cancel();
    match drain.socket() {
        Socket::Close => listener.close(&mut take),
        Socket::Leave => drop(listener),
    }
    tasks.close();
    tracing::info!(calls = shared.registry.len(), ?grace, socket = ?drain.socket(), "draining");
    if let_go(&shared, drain, &tasks, began, grace).await {
        tracing::info!(took_ms = began.elapsed().as_millis(), "all calls are let go");
        return;
    }
    let left = shared.registry.calls();
    tracing::warn!(calls = left.len(), "hanging up what is left");
    for call in left {
        let hangup = Command::Hangup { cause: HangupCause::SystemShutdown };
        if let Err(error) = shared.registry.say(call, Word::Command(hangup.into(), None)) {
            tracing::debug!(%call, %error, "a call is left to end by itself");
        }
    }
    if tokio::time::timeout(LAST, tasks.wait()).await.is_err() {
        tracing::error!(calls = shared.registry.len(), "calls did not end");
    }
}

/// Whether all calls went within `grace`.
async fn let_go(
    shared: &Shared,
    drain: &Drain,
    tasks: &TaskTracker,
    began: Instant,
    grace: Duration,
) -> bool {
    let mut progress = interval_at(began + PROGRESS, PROGRESS);
    let mut hurried = false;
    shared.registry.hand_over(When::Boundary);
    loop {
        tokio::select! {
            biased;
            () = tasks.wait() => return true,
            () = drain.reached(When::Now), if !hurried => {
                hurried = true;
                shared.registry.hand_over(When::Now);
            }
            () = sleep_until(began + grace / 2), if !hurried => {
                drain.order(When::Now, drain.socket());
            }
            () = sleep_until(began + grace) => return false,
            _ = progress.tick() => {
                let (left, talking) = (shared.registry.len(), shared.registry.talking());
                let seconds = began.elapsed().as_secs();
                tracing::info!(left, talking, seconds, "calls are left");
                // A call that has begun since has not heard it yet.
                shared.registry.hand_over(if hurried { When::Now } else { When::Boundary });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_second_order_hastens_and_changes_nothing_else() {
        let drain = Drain::default();
        assert_eq!(drain.since(), None);
        drain.hasten(Socket::Close);
        drain.ordered().await;
        tokio::time::advance(Duration::from_secs(3)).await;
        let waits = tokio::time::timeout(Duration::from_secs(1), drain.reached(When::Now)).await;
        assert!(waits.is_err());
        drain.hasten(Socket::Leave);
        drain.reached(When::Now).await;
        assert_eq!((drain.socket(), drain.since()), (Socket::Close, Some(Duration::from_secs(4))));
    }
}
