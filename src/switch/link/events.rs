//! What the link has for its one consumer. The link never waits for it: what does not fit is left
//! out, and the consumer is told so.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::base::ids::CoreId;
use crate::esl::event::Event;
use crate::esl::sofia::GatewayNews;

/// Most events that wait for the consumer.
pub const EVENTS_MAX: usize = 8_192;
/// Most bytes that they may hold together.
pub const EVENT_BYTES_MAX: usize = 32 * 1024 * 1024;

/// What a link tells.
#[derive(Debug, Clone)]
pub enum LinkEvent {
    /// FreeSWITCH is there, and tells of all watched channels from now on. What happened before was
    /// not heard. `same_core` is false when FreeSWITCH was started anew since the last `Up`, and
    /// with it all calls of before are gone; it is true for the first one.
    Up { core: CoreId, same_core: bool },
    /// FreeSWITCH is out of reach; said once, until the next `Up`.
    Down { reason: String, cause: DownCause },
    /// An event of a watched channel.
    Channel(Event),
    /// Something about a gateway.
    Gateway(GatewayNews),
    /// Events were not heard, while the link was up: what they changed has to be asked for.
    Lost(Loss),
}

/// What keeps a link down, as far as it can be told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DownCause {
    /// No connection could be made.
    Unreachable(io::ErrorKind),
    /// It does not take the password.
    Denied,
    /// Its access list does not have us (`text/rude-rejection`).
    Unwelcome,
    /// It answers, and knows no `global_getvar`.
    NoCore,
    /// It took the connection and said nothing in time.
    Silent,
    /// Anything else.
    Other,
}

/// Why events were not heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// So many events were left out, because the consumer was too slow.
    Overflow { events: u64 },
    /// FreeSWITCH's heartbeats are further apart than they were, by its own clock: it may have left
    /// out others too.
    Heartbeats,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<LinkEvent>,
    bytes: usize,
    /// A restart gave way of which the consumer has not heard: the next `Up` tells it.
    restarted: bool,
    /// Nobody will take events any more, or none will come.
    closed: bool,
}

/// Both ends of the queue.
#[derive(Debug, Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    came: Notify,
}

impl Queue {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Never waits. Says how many events gave way.
    pub(super) fn push(&self, mut event: LinkEvent) -> u64 {
        let mut state = self.state();
        if state.closed {
            return 0;
        }
        if let LinkEvent::Up { same_core, .. } = &mut event {
            *same_core &= !std::mem::take(&mut state.restarted);
        }
        let size = footprint(&event);
        let full = state.waiting.len() >= EVENTS_MAX || state.bytes + size > EVENT_BYTES_MAX;
        let given_way = if full { give_way(&mut state) } else { 0 };
        state.bytes += size;
        state.waiting.push_back(event);
        drop(state);
        self.came.notify_one();
        given_way
    }

    pub(super) fn len(&self) -> usize {
        self.state().waiting.len()
    }

    pub(super) fn close(&self) {
        self.state().closed = true;
        self.came.notify_one();
    }

    fn pop(&self) -> Option<Option<LinkEvent>> {
        let mut state = self.state();
        match state.waiting.pop_front() {
            Some(event) => {
                state.bytes -= footprint(&event);
                Some(Some(event))
            }
            None if state.closed => Some(None),
            None => None,
        }
    }
}

fn footprint(event: &LinkEvent) -> usize {
    match event {
        LinkEvent::Channel(event) => event.footprint(),
        LinkEvent::Up { .. }
        | LinkEvent::Down { .. }
        | LinkEvent::Gateway(_)
        | LinkEvent::Lost(_) => 0,
    }
}

/// Empties the queue. What stays is how the link stands, and how many events are missing.
fn give_way(state: &mut State) -> u64 {
    let (mut missing, mut before, mut stands, mut same) = (0, 0, None, true);
    for event in state.waiting.drain(..) {
        match event {
            LinkEvent::Channel(_) | LinkEvent::Gateway(_) => missing += 1,
            LinkEvent::Lost(Loss::Overflow { events }) => before += events,
            LinkEvent::Lost(Loss::Heartbeats) => {}
            LinkEvent::Up { core, same_core } => {
                same &= same_core;
                stands = Some(LinkEvent::Up { core, same_core: same });
            }
            down @ LinkEvent::Down { .. } => stands = Some(down),
        }
    }
    state.bytes = 0;
    if let Some(LinkEvent::Down { .. }) = &stands {
        state.restarted |= !same;
    }
    state.waiting.extend(stands);
    state.waiting.push_back(LinkEvent::Lost(Loss::Overflow { events: before + missing }));
    missing
}

/// The one consumer's end.
#[derive(Debug)]
pub struct LinkEvents(pub(super) Arc<Queue>);

impl LinkEvents {
    /// The next event; `None` when the link has ended.
    pub async fn next(&mut self) -> Option<LinkEvent> {
        loop {
            if let Some(event) = self.0.pop() {
                return event;
            }
            self.0.came.notified().await;
        }
    }
}

impl Drop for LinkEvents {
    fn drop(&mut self) {
        self.0.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn up(same_core: bool) -> LinkEvent {
        LinkEvent::Up { core: CoreId(uuid::Uuid::nil()), same_core }
    }

    fn down() -> LinkEvent {
        LinkEvent::Down { reason: "gone".into(), cause: DownCause::Other }
    }

    fn channel() -> LinkEvent {
        LinkEvent::Channel(Event::from_json(br#"{"Event-Name":"CHANNEL_BRIDGE"}"#).unwrap())
    }

    fn taken(queue: &Queue) -> Vec<String> {
        let shown = |event| match event {
            LinkEvent::Up { same_core, .. } => format!("up {same_core}"),
            LinkEvent::Down { .. } => "down".into(),
            LinkEvent::Channel(_) | LinkEvent::Gateway(_) => "event".into(),
            LinkEvent::Lost(loss) => format!("{loss:?}"),
        };
        std::iter::from_fn(|| queue.pop().flatten()).map(shown).collect()
    }

    #[test]
    fn a_consumer_that_is_too_slow_hears_how_many_events_are_missing() {
        let queue = Queue::default();
        queue.push(up(true));
        let lost: u64 = (0..2 * EVENTS_MAX).map(|_| queue.push(channel())).sum();
        let heard = taken(&queue);
        assert!(heard.len() <= EVENTS_MAX);
        assert_eq!(heard[..2], ["up true".to_owned(), format!("Overflow {{ events: {lost} }}")]);
        let rest = heard[2..].iter().filter(|event| *event == "event").count();
        assert_eq!(rest as u64 + lost, 2 * EVENTS_MAX as u64);
    }

    #[test]
    fn a_restart_is_not_forgotten_with_the_events_around_it() {
        let queue = Queue::default();
        for event in [up(true), down(), up(false), down()] {
            queue.push(event);
        }
        for _ in 0..EVENTS_MAX {
            queue.push(channel());
        }
        queue.push(up(true));
        let heard = taken(&queue);
        assert_eq!(heard.first().unwrap(), "down");
        assert_eq!(heard.last().unwrap(), "up false");
    }

    #[test]
    fn large_events_fill_the_queue_too() {
        let queue = Queue::default();
        let value = "x".repeat(4 * 1024 * 1024);
        let json = format!(r#"{{"a":"{value}"}}"#);
        let event = LinkEvent::Channel(Event::from_json(json.as_bytes()).unwrap());
        let lost: u64 = (0..64).map(|_| queue.push(event.clone())).sum();
        assert!(lost >= 32 && queue.len() <= 8, "{lost}");
    }
}
