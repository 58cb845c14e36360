//! What a caller experiences, and what an onlooker would note of the call: scripts and tests judge
//! by it.

use crate::base::cause::HangupCause;

/// Most entries one call's log keeps; what comes later is counted, not kept.
pub const MAX_OBSERVED: usize = 10_000;

/// One thing that happened on a call, with its millisecond on the monotonic clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    pub at_ms: u64,
    pub what: Observed,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Observed {
    /// The caller hears that it rings.
    Ringing,
    /// Sound before the answer.
    EarlyMedia,
    Answered,
    /// The caller heard a sound; `to_ms` is set when it is over, `broken` when it was cut short.
    Heard {
        item: String,
        to_ms: Option<u64>,
        broken: bool,
    },
    /// A prompt that is not there was asked for.
    Missing {
        item: String,
    },
    /// A far end is being called.
    Dialing {
        target: String,
    },
    /// Caller and far end talk to each other.
    Bridged {
        target: String,
    },
    /// The caller is in a conference room.
    Joined {
        room: String,
        muted: bool,
    },
    /// The caller is not in it any more.
    Left {
        room: String,
    },
    Unbridged {
        cause: HangupCause,
    },
    /// So many keys were sent to the caller's phone.
    KeysSent {
        count: usize,
    },
    /// A far end did not come to a conversation.
    Failed {
        target: String,
        cause: HangupCause,
    },
    /// The caller was recorded.
    Recorded {
        path: String,
        ms: u64,
    },
    /// The call went to another place of the dialplan.
    Transferred {
        extension: String,
        dialplan: String,
        context: String,
    },
    /// The controller let go; the dialplan goes on.
    Released,
    /// The controller is gone and nobody will ever take the call on: silence until the caller
    /// hangs up.
    Orphaned,
    /// Violation: FreeSWITCH expanded `${...}` in what the controller sent.
    Expanded {
        app: String,
        text: String,
    },
    /// Violation: the controller asked for an application that does not exist.
    UnknownApplication {
        app: String,
    },
    HungUp {
        cause: HangupCause,
        by_caller: bool,
    },
}

/// The log of one call.
#[derive(Debug, Clone, Default)]
pub struct Log {
    moments: Vec<Moment>,
    dropped: usize,
}

impl Log {
    pub fn moments(&self) -> &[Moment] {
        &self.moments
    }

    /// How many entries did not fit.
    pub const fn dropped(&self) -> usize {
        self.dropped
    }

    /// Notes it, and says where, so that a sound's end can be added.
    pub(super) fn note(&mut self, at_ms: u64, what: Observed) -> usize {
        if self.moments.len() < MAX_OBSERVED {
            self.moments.push(Moment { at_ms, what });
        } else {
            self.dropped += 1;
        }
        self.moments.len() - 1 + self.dropped
    }

    pub(super) fn end_sound(&mut self, at: usize, now_ms: u64, cut: bool) {
        if let Some(Moment { what: Observed::Heard { to_ms, broken, .. }, .. }) =
            self.moments.get_mut(at)
        {
            *to_ms = Some(now_ms);
            *broken = cut;
        }
    }

    /// Whether FreeSWITCH was made to do something by text that it should only have carried.
    pub fn violations(&self) -> impl Iterator<Item = &Moment> {
        self.moments.iter().filter(|m| {
            matches!(m.what, Observed::Expanded { .. } | Observed::UnknownApplication { .. })
        })
    }
}
