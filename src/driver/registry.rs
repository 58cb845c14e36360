//! The calls that are up, for whoever wants to count them or speak to one. Its locks never outlive
//! one of these functions.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use dashmap::DashMap;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use crate::base::ids::CallId;
use crate::call::input::Command;

/// Operators' commands that wait for one call.
pub const COMMANDS_MAX: usize = 8;

/// Why a command did not reach a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TellError {
    #[error("there is no such call")]
    Unknown,
    #[error("the call has not taken earlier commands yet")]
    Busy,
}

/// How soon a call is to be let go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// When its step comes to its end.
    Boundary,
    /// At once.
    Now,
}

/// What is said to a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    Command(Command),
    /// Another process is to go on with it.
    HandOver(When),
}

/// Every call that is up.
#[derive(Debug, Default)]
pub struct Registry {
    calls: DashMap<CallId, Up>,
}

#[derive(Debug)]
struct Up {
    words: mpsc::Sender<Word>,
    talks: Arc<AtomicBool>,
}

/// A call's own mark in the registry.
#[derive(Debug, Clone, Default)]
pub struct Mark(Arc<AtomicBool>);

impl Mark {
    /// Whether the caller speaks with somebody.
    pub fn talks(&self, talks: bool) {
        self.0.store(talks, Ordering::Relaxed);
    }
}

impl Registry {
    /// Enters a call; it leaves with [`Registry::leave`].
    pub fn enter(&self, call: CallId, words: mpsc::Sender<Word>) -> Mark {
        let mark = Mark::default();
        self.calls.insert(call, Up { words, talks: Arc::clone(&mark.0) });
        mark
    }

    pub fn leave(&self, call: CallId) {
        self.calls.remove(&call);
    }

    /// How many calls are up.
    pub fn len(&self) -> usize {
        self.calls.len()
    }

    pub fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// How many calls are conversations, which need nobody until they end.
    pub fn talking(&self) -> usize {
        self.calls.iter().filter(|entry| entry.talks.load(Ordering::Relaxed)).count()
    }

    /// The calls that are up, and whether they are conversations; in no order.
    pub fn list(&self) -> Vec<(CallId, bool)> {
        let talks = |up: &Up| up.talks.load(Ordering::Relaxed);
        self.calls.iter().map(|entry| (*entry.key(), talks(entry.value()))).collect()
    }

    /// The calls that are up, in no order.
    pub fn calls(&self) -> Vec<CallId> {
        self.calls.iter().map(|entry| *entry.key()).collect()
    }

    /// Speaks to one call; never waits.
    ///
    /// # Errors
    /// The call is not up, or does not listen.
    pub fn tell(&self, call: CallId, command: Command) -> Result<(), TellError> {
        let commands = self.calls.get(&call).map(|entry| entry.words.clone());
        let commands = commands.ok_or(TellError::Unknown)?;
        commands.try_send(Word::Command(command)).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => TellError::Busy,
            mpsc::error::TrySendError::Closed(_) => TellError::Unknown,
        })
    }

    /// Asks every call to let go; never waits.
    pub fn hand_over(&self, when: When) {
        let all: Vec<_> = self.calls.iter().map(|entry| entry.words.clone()).collect();
        for commands in all {
            if commands.try_send(Word::HandOver(when)).is_err() {
                tracing::debug!(?when, "a call does not hear that it is to be let go");
            }
        }
    }
}
