//! How a link is doing.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How a link is doing, counted since its start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vitals {
    pub up: bool,
    /// Connections that were tried.
    pub attempts: u64,
    /// Connections that came up after the first one.
    pub reconnects: u64,
    /// Since FreeSWITCH's last heartbeat; `None` before the first.
    pub heartbeat_age: Option<Duration>,
    /// How long FreeSWITCH took to answer the last question of ours.
    pub round_trip: Option<Duration>,
    /// Events of watched channels.
    pub events: u64,
    /// Those of them that the consumer was too slow for.
    pub events_lost: u64,
    /// Commands that were begun.
    pub jobs: u64,
    /// Commands whose answer did not come in time, or not at all.
    pub jobs_unanswered: u64,
    /// Channels that are watched.
    pub watched: usize,
    /// Events that wait for the consumer.
    pub waiting: usize,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) attempts: AtomicU64,
    pub(super) ups: AtomicU64,
    pub(super) events: AtomicU64,
    pub(super) events_lost: AtomicU64,
    pub(super) jobs: AtomicU64,
    pub(super) jobs_unanswered: AtomicU64,
    pulse: Mutex<Pulse>,
}

#[derive(Debug, Default)]
pub(super) struct Pulse {
    pub(super) up: bool,
    pub(super) heartbeat: Option<Instant>,
    pub(super) round_trip: Option<Duration>,
}

impl Counters {
    pub(super) fn pulse(&self) -> MutexGuard<'_, Pulse> {
        self.pulse.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn vitals(&self, watched: usize, waiting: usize) -> Vitals {
        let pulse = self.pulse();
        Vitals {
            up: pulse.up,
            attempts: self.attempts.load(Relaxed),
            reconnects: self.ups.load(Relaxed).saturating_sub(1),
            heartbeat_age: pulse.heartbeat.map(|at| at.elapsed()),
            round_trip: pulse.round_trip,
            events: self.events.load(Relaxed),
            events_lost: self.events_lost.load(Relaxed),
            jobs: self.jobs.load(Relaxed),
            jobs_unanswered: self.jobs_unanswered.load(Relaxed),
            watched,
            waiting,
        }
    }
}
