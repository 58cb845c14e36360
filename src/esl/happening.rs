//! What a conversation tells its driver.

use bytes::Bytes;
use thiserror::Error;

use super::argument::Refused;
use super::conversation::{UNANSWERED_MAX, WAITING_MAX};
use super::event::Event;
use super::frame::FrameError;
use super::inbound::JOBS_MAX;
use super::reply::Reply;
use super::token::{ExecuteId, JobId};

/// The number of a command on its connection: 1, 2, 3, …
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Ticket(pub u64);

/// How far a command had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Its bytes never left.
    NotSent,
    /// Its bytes left, its answer did not come: it may or may not have run.
    Unconfirmed,
    /// FreeSWITCH answered with an error.
    Rejected,
    /// FreeSWITCH took it, and did not say that it ended.
    Accepted,
    /// FreeSWITCH took it and dropped it again, because its queue was emptied.
    Flushed,
}

/// Why nothing more comes.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum End {
    #[error("FreeSWITCH said goodbye")]
    Notice,
    #[error("the connection was closed")]
    Closed,
    #[error("the connection was closed inside a frame")]
    Truncated,
    #[error("the stream can't be read {0}")]
    Unreadable(#[from] FrameError),
    #[error("FreeSWITCH does not take the password: {0}")]
    Denied(String),
    #[error("FreeSWITCH does not take connections from here: {0}")]
    Unwelcome(String),
}

/// Why a command was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SendError {
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error("the first command of a connection is `connect`: no other gets an answer")]
    ConnectFirst,
    #[error("FreeSWITCH has not taken the password yet")]
    NotAuthenticated,
    #[error("{JOBS_MAX} background jobs have not ended")]
    Jobs,
    #[error("an execute of this identity has not ended")]
    SameIdentity,
    #[error("{WAITING_MAX} executes wait already")]
    QueueFull,
    #[error("{UNANSWERED_MAX} commands are unanswered")]
    Unanswered,
    #[error("the call has been hung up")]
    HungUp,
    #[error("the connection is over")]
    Over,
}

/// What the connection brought.
#[derive(Debug, Clone)]
pub enum Happening {
    /// The answer to `connect`: everything about the channel.
    Connected { ticket: Ticket, event: Event },
    /// The answer to a command.
    Replied { ticket: Ticket, reply: Reply },
    /// The output of an API command.
    Output { ticket: Ticket, output: Bytes },
    /// An execute began.
    Started { id: ExecuteId, event: Event },
    /// An execute ended, all its rounds.
    Completed { id: ExecuteId, event: Event },
    /// An execute will never end: `stage` says how far it came.
    Lost { id: ExecuteId, stage: Stage },
    /// A command will never be answered.
    Unanswered { ticket: Ticket, stage: Stage },
    /// A background job of ours ended; its output is the event's body.
    JobDone { job: JobId, event: Event },
    /// Any other event.
    Event(Event),
    /// The call has ended; the connection stays for so many seconds.
    Lingering { seconds: Option<u32> },
    /// Nothing more comes.
    Disconnected(End),
}

impl Happening {
    /// The event that it is about.
    pub const fn event(&self) -> Option<&Event> {
        match self {
            Self::Started { event, .. }
            | Self::Completed { event, .. }
            | Self::JobDone { event, .. }
            | Self::Event(event) => Some(event),
            Self::Connected { .. }
            | Self::Replied { .. }
            | Self::Output { .. }
            | Self::Lost { .. }
            | Self::Unanswered { .. }
            | Self::Lingering { .. }
            | Self::Disconnected(_) => None,
        }
    }
}
