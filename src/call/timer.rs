//! The deadlines of a call, each with its name.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What a deadline is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Timer {
    /// The call lasts too long.
    Duration,
    /// The hang-up that was ordered is not confirmed.
    HangupOverdue,
    /// An action takes longer than it can.
    ActionOverdue,
    /// A query is not answered.
    AnswerOverdue,
    /// No key was pressed.
    FirstKey,
    /// No further key was pressed.
    NextKey,
    /// A pause of the flow is over.
    Pause,
    /// A caller has waited in a line as long as it may.
    Waited,
    /// A supervisor who was called is not there.
    SupervisorOverdue,
    /// The parties have been told that they are recorded.
    Announced,
    /// The switch does not say that a recording has begun or ended.
    RecordingOverdue,
    /// A recording is as long as it may be.
    RecordingLimit,
    /// A conversation that is being moved does not come about.
    Talk,
    /// No further key of a code was pressed.
    TalkKeys,
    /// No further key was pressed by somebody whom the call has called into a room.
    GuestKeys,
    /// Somebody has been on hold for as long as the tenant lets them.
    HoldLimit,
    /// A parked caller has waited long enough.
    Parked,
    /// Who takes a parked caller does not come.
    Fetched,
    /// Who was called does not answer.
    Placed,
    /// Nobody says by which gateway a number is called, or it is time to try another one.
    Outside,
}

/// Deadlines on the call's own clock, milliseconds since its first input: what is left of each
/// stays the same in whichever process the call goes on.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(in crate::call) struct Timers(BTreeMap<Timer, u64>);

impl Timers {
    pub(in crate::call) fn set(&mut self, timer: Timer, at: u64) {
        self.0.insert(timer, at);
    }

    pub(in crate::call) fn set_earlier(&mut self, timer: Timer, at: u64) {
        let due = self.0.entry(timer).or_insert(at);
        *due = at.min(*due);
    }

    pub(in crate::call) fn clear(&mut self, timer: Timer) {
        self.0.remove(&timer);
    }

    pub(in crate::call) fn clear_all(&mut self) {
        self.0.clear();
    }

    pub(in crate::call) fn due(&self, timer: Timer) -> Option<u64> {
        self.0.get(&timer).copied()
    }

    /// Forgets all that belong to a step.
    pub(in crate::call) fn clear_step(&mut self) {
        let stays = |timer: &Timer| match timer {
            Timer::Duration
            | Timer::HangupOverdue
            | Timer::SupervisorOverdue
            | Timer::Announced
            | Timer::RecordingOverdue
            | Timer::RecordingLimit
            | Timer::GuestKeys
            | Timer::Parked
            | Timer::Placed
            | Timer::Outside => true,
            Timer::ActionOverdue
            | Timer::AnswerOverdue
            | Timer::FirstKey
            | Timer::NextKey
            | Timer::Talk
            | Timer::TalkKeys
            | Timer::HoldLimit
            | Timer::Fetched
            | Timer::Pause
            | Timer::Waited => false,
        };
        self.0.retain(|timer, _| stays(timer));
    }

    /// The earliest; of two at one time, the one named first.
    pub(in crate::call) fn first(&self) -> Option<(u64, Timer)> {
        self.0.iter().map(|(timer, at)| (*at, *timer)).min()
    }
}
