//! The calls that are up, for whoever wants to count them or speak to one. Its locks never outlive
//! one of these functions.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use dashmap::DashMap;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::base::ids::{CallId, ChannelId};
use crate::call::input::Command;
use crate::esl::event::Event;

/// Words that wait for one call.
pub const WORDS_MAX: usize = 16;

/// How soon a call is to be let go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// When its step comes to its end.
    Boundary,
    /// At once.
    Now,
}

/// What a call's task is told.
#[derive(Debug)]
pub enum Word {
    /// By an operator.
    Command(Command),
    /// Another process is to go on with it.
    HandOver(When),
    /// The link heard something of a call that has no connection.
    News(Box<Event>),
    /// FreeSWITCH has no such channel any more, and why that is known.
    Gone(&'static str),
}

/// Why a word did not reach a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TellError {
    #[error("there is no such call")]
    Unknown,
    #[error("the call has not taken earlier words yet")]
    Busy,
}

/// How a call is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// By its own connection.
    Connected,
    /// The switch goes on with it alone; it is followed over the link, where there is one.
    Stray,
}

/// One call that is up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    pub call: CallId,
    pub channel: ChannelId,
    pub hold: Hold,
}

#[derive(Debug)]
struct Entry {
    seat: u64,
    channel: ChannelId,
    hold: Hold,
    words: mpsc::Sender<Word>,
    talks: Arc<AtomicBool>,
}

/// A task's place in the registry.
#[derive(Debug, Clone)]
pub struct Seat {
    number: u64,
    talks: Arc<AtomicBool>,
}

impl Seat {
    /// Whether the caller speaks with somebody.
    pub fn talks(&self, talks: bool) {
        self.talks.store(talks, Ordering::Relaxed);
    }
}

/// Every call that is up.
#[derive(Debug, Default)]
pub struct Registry {
    calls: DashMap<CallId, Entry>,
    seats: AtomicU64,
}

impl Registry {
    /// Enters a call; it leaves with [`Registry::leave`]. A task that held the call before hears
    /// no more words: its channel of words closes, by which it knows.
    pub fn enter(
        &self,
        call: CallId,
        channel: ChannelId,
        hold: Hold,
        words: mpsc::Sender<Word>,
    ) -> Seat {
        let number = self.seats.fetch_add(1, Ordering::Relaxed);
        let talks = Arc::new(AtomicBool::new(false));
        let entry = Entry { seat: number, channel, hold, words, talks: Arc::clone(&talks) };
        self.calls.insert(call, entry);
        Seat { number, talks }
    }

    /// The call's connection is gone, and its task goes on without.
    pub fn strays(&self, call: CallId, seat: &Seat) {
        if let Some(mut entry) = self.calls.get_mut(&call).filter(|entry| entry.seat == seat.number)
        {
            entry.hold = Hold::Stray;
        }
    }

    /// Whoever holds the call by now stays.
    pub fn leave(&self, call: CallId, seat: &Seat) {
        self.calls.remove_if(&call, |_, entry| entry.seat == seat.number);
    }

    /// How many calls are up.
    pub fn len(&self) -> usize {
        self.calls.len()
    }

    pub fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// The calls that are up, in no order.
    pub fn calls(&self) -> Vec<CallId> {
        self.calls.iter().map(|entry| *entry.key()).collect()
    }

    /// The same with their channels.
    pub fn held(&self) -> Vec<Held> {
        let held = self.calls.iter().map(|entry| Held {
            call: *entry.key(),
            channel: entry.channel.clone(),
            hold: entry.hold,
        });
        held.collect()
    }

    /// Whether a task of ours has the call.
    pub fn holds(&self, call: CallId) -> bool {
        self.calls.contains_key(&call)
    }

    /// An operator speaks to one call; never waits.
    ///
    /// # Errors
    /// The call is not up, or does not listen.
    pub fn tell(&self, call: CallId, command: Command) -> Result<(), TellError> {
        self.say(call, Word::Command(command))
    }

    /// Speaks to one call; never waits.
    ///
    /// # Errors
    /// The call is not up, or does not listen.
    pub fn say(&self, call: CallId, word: Word) -> Result<(), TellError> {
        let words = self.calls.get(&call).map(|entry| entry.words.clone());
        let words = words.ok_or(TellError::Unknown)?;
        words.try_send(word).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => TellError::Busy,
            mpsc::error::TrySendError::Closed(_) => TellError::Unknown,
        })
    }

    /// How many calls are conversations, which need nobody until they end.
    pub fn talking(&self) -> usize {
        self.calls.iter().filter(|entry| entry.talks.load(Ordering::Relaxed)).count()
    }

    /// The calls that are up, and whether they are conversations; in no order.
    pub fn list(&self) -> Vec<(CallId, bool)> {
        let talks = |entry: &Entry| entry.talks.load(Ordering::Relaxed);
        self.calls.iter().map(|entry| (*entry.key(), talks(entry.value()))).collect()
    }

    /// Asks every call to let go; never waits.
    pub fn hand_over(&self, when: When) {
        for call in self.calls() {
            if let Err(TellError::Busy) = self.say(call, Word::HandOver(when)) {
                tracing::debug!(%call, ?when, "a call does not hear that it is to be let go");
            }
        }
    }
}
