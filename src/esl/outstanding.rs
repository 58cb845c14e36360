//! Executes that were handed over and have not ended: what happened to each so far.

use std::collections::BTreeMap;

use super::happening::{Stage, Ticket};
use super::token::ExecuteId;

#[derive(Debug, Clone, Copy)]
struct Execute {
    ticket: Ticket,
    stage: Stage,
    /// `CHANNEL_EXECUTE` came.
    started: bool,
    /// `uuid_break all` emptied the queue while this was in it, unless it had just left it.
    flushed: bool,
    /// How many completions are still to come.
    rounds: u32,
}

/// The executes of one connection, by identity.
#[derive(Debug, Default)]
pub(super) struct Outstanding {
    executes: BTreeMap<ExecuteId, Execute>,
}

/// What a completion was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Round {
    Last,
    NotLast,
    Unknown,
}

impl Outstanding {
    pub(super) fn contains(&self, id: ExecuteId) -> bool {
        self.executes.contains_key(&id)
    }

    /// How many may stand in FreeSWITCH's queue or run.
    pub(super) fn pressing(&self) -> usize {
        self.executes.values().filter(|execute| !execute.flushed).count()
    }

    pub(super) fn add(&mut self, id: ExecuteId, ticket: Ticket, rounds: u32) {
        let stage = Stage::NotSent;
        let execute = Execute { ticket, stage, started: false, flushed: false, rounds };
        self.executes.insert(id, execute);
    }

    /// Everything that was handed over has left.
    pub(super) fn sent(&mut self) {
        for execute in self.executes.values_mut() {
            if execute.stage == Stage::NotSent {
                execute.stage = Stage::Unconfirmed;
            }
        }
    }

    pub(super) fn accepted(&mut self, id: ExecuteId) {
        if let Some(execute) = self.executes.get_mut(&id) {
            execute.stage = Stage::Accepted;
        }
    }

    pub(super) fn remove(&mut self, id: ExecuteId) -> bool {
        self.executes.remove(&id).is_some()
    }

    /// Notes that it runs. Locked ones run in order, so whatever was flushed before it never will.
    pub(super) fn started(&mut self, id: ExecuteId) -> Option<Vec<ExecuteId>> {
        let execute = self.executes.get_mut(&id)?;
        execute.started = true;
        execute.flushed = false;
        let ticket = execute.ticket;
        let gone = |execute: &Execute| execute.flushed && execute.ticket < ticket;
        let lost = self.executes.iter().filter(|(_, execute)| gone(execute));
        let lost: Vec<ExecuteId> = lost.map(|(id, _)| *id).collect();
        self.executes.retain(|_, execute| !gone(execute));
        Some(lost)
    }

    pub(super) fn completed(&mut self, id: ExecuteId) -> Round {
        let Some(execute) = self.executes.get_mut(&id) else { return Round::Unknown };
        execute.rounds = execute.rounds.saturating_sub(1);
        if execute.rounds > 0 {
            return Round::NotLast;
        }
        self.executes.remove(&id);
        Round::Last
    }

    /// The queue was emptied after `before` had been queued.
    pub(super) fn flushed(&mut self, before: Ticket) {
        for execute in self.executes.values_mut() {
            execute.flushed |= !execute.started && execute.ticket < before;
        }
    }

    /// Gives up all of them, in the order they were handed over.
    pub(super) fn abandon(&mut self) -> Vec<(ExecuteId, Stage)> {
        let mut lost: Vec<_> = std::mem::take(&mut self.executes).into_iter().collect();
        lost.sort_by_key(|(_, execute)| execute.ticket);
        lost.into_iter().map(|(id, execute)| (id, execute.stage)).collect()
    }
}
