//! One connection of ours to a FreeSWITCH, kept up: commands that concern calls whose own
//! connection is gone, and the events of single channels.
//!
//! FreeSWITCH is told by filters which channels are watched, so that nothing of other calls comes
//! over the link. Whether FreeSWITCH left out an event can't be seen from `Event-Sequence`, which
//! counts the events that were filtered too; FreeSWITCH leaves events out only for a client that
//! does not read (`mod_event_socket.c` event_handler: more than 100,000 wait), and the link always
//! reads. What can be seen is told: FreeSWITCH's goodbye to a slow client, heartbeats that are
//! missing, and events that our own consumer was too slow for.

mod config;
mod connection;
mod events;
mod heartbeats;
mod line;
mod run;
mod vitals;
mod watched;

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use bytes::Bytes;
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::base::ids::ChannelId;
use crate::esl::argument::Refused;
use crate::esl::channels::{self, ChannelRow};
use crate::esl::command::Api;
use crate::esl::credentials::Credentials;
use crate::esl::event::Event;
use crate::esl::reply::{Reply, Verdict};

pub use config::{LinkConfig, LinkConfigError};
pub use events::{DownCause, EVENT_BYTES_MAX, EVENTS_MAX, LinkEvent, LinkEvents, Loss};
pub use vitals::Vitals;

/// Most channels that are watched at once. FreeSWITCH looks at their filters for every event that
/// the link asked for, of whatever call: some 50 ns for each channel, and 0.1 ms to tell it.
pub const WATCHED_MAX: usize = 10_000;
/// Most commands that wait for the link to take them.
pub const COMMANDS_MAX: usize = 1_024;

/// Why a command has no result.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LinkError {
    #[error("there is no link to FreeSWITCH: the command was not sent")]
    Down,
    #[error("the link broke before FreeSWITCH answered: the command may have run")]
    Unconfirmed,
    #[error("FreeSWITCH did not answer in time: the command may have run, or may run yet")]
    TimedOut,
    #[error("FreeSWITCH refused: {0}")]
    Refused(String),
    #[error(transparent)]
    Unsendable(#[from] Refused),
    #[error("{COMMANDS_MAX} commands wait already")]
    Busy,
    #[error("{WATCHED_MAX} channels are watched already")]
    TooManyWatched,
    #[error("FreeSWITCH's answer can't be read: {0}")]
    Unreadable(String),
}

/// A command on its way to the link's task.
#[derive(Debug)]
struct Request {
    api: Api,
    reply: oneshot::Sender<Result<Bytes, LinkError>>,
}

/// What the link's handles and its task share.
#[derive(Debug)]
struct Shared {
    name: String,
    address: String,
    credentials: Credentials,
    timing: config::Timing,
    watched: watched::Watched,
    events: Arc<events::Queue>,
    counters: vitals::Counters,
}

/// A link; it ends with its last clone.
#[derive(Debug, Clone)]
pub struct Link {
    shared: Arc<Shared>,
    requests: mpsc::Sender<Request>,
}

impl Link {
    /// Begins to keep up a connection, in a task of its own. The first `Up` or `Down` says how that
    /// went.
    ///
    /// # Errors
    /// The settings make no sense, or the password's file can't be read.
    pub fn start(config: &LinkConfig) -> Result<(Self, LinkEvents), LinkConfigError> {
        let events = Arc::new(events::Queue::default());
        let shared = Arc::new(Shared {
            name: config.name().to_owned(),
            address: config.address()?.to_owned(),
            credentials: config.credentials()?,
            timing: config.timing()?,
            watched: watched::Watched::default(),
            events: Arc::clone(&events),
            counters: vitals::Counters::default(),
        });
        let (requests, taken) = mpsc::channel(COMMANDS_MAX);
        tokio::spawn(run::run(Arc::clone(&shared), taken));
        Ok((Self { shared, requests }, LinkEvents(events)))
    }

    /// What operators call this FreeSWITCH.
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// Runs an API command and gives its output, or what follows `+OK` in it.
    ///
    /// # Errors
    /// FreeSWITCH said `-ERR` or `-USAGE`, the command was not sent, or what became of it is not
    /// known.
    pub async fn api(&self, api: Api) -> Result<String, LinkError> {
        let output = self.run(api).await?;
        let reply = Reply::read(&output);
        match reply.verdict {
            Verdict::Ok | Verdict::Bare => Ok(reply.message().into_owned()),
            Verdict::Error | Verdict::Usage => Err(LinkError::Refused(reply.message().into())),
        }
    }

    /// All channels of this FreeSWITCH, as its database knows them.
    ///
    /// # Errors
    /// As `api`, and when the list can't be read.
    pub async fn channels(&self) -> Result<Vec<ChannelRow>, LinkError> {
        let output = self.run(Api::Channels).await?;
        channels::rows(&output).map_err(LinkError::Unreadable)
    }

    /// Everything about one channel; `None` when there is no such channel, or it was hung up.
    ///
    /// # Errors
    /// As `api`, and when the answer can't be read.
    pub async fn dump(&self, channel: &ChannelId) -> Result<Option<Event>, LinkError> {
        let output = self.run(Api::Dump { channel: channel.clone() }).await?;
        let reply = Reply::read(&output);
        match reply.verdict {
            Verdict::Bare => Event::from_json(&output).map(Some).map_err(LinkError::Unreadable),
            // `mod_commands.c` uuid_dump_function.
            Verdict::Error if &*reply.text == b"No such channel!" => Ok(None),
            _ => Err(LinkError::Refused(reply.message().into())),
        }
    }

    /// Wants the events of a channel, on this connection and on those that follow, until
    /// `CHANNEL_HANGUP_COMPLETE` or `unwatch`. The events come from before any command that is
    /// given later has run, so that a `dump` after this misses nothing.
    ///
    /// # Errors
    /// [`WATCHED_MAX`] are watched already.
    pub fn watch(&self, channel: ChannelId) -> Result<(), LinkError> {
        self.shared.watched.add(channel)
    }

    /// Does not want a channel's events any more; some may be on their way.
    pub fn unwatch(&self, channel: &ChannelId) {
        self.shared.watched.remove(channel);
    }

    /// How the link is doing.
    pub fn vitals(&self) -> Vitals {
        let Shared { watched, events, counters, .. } = &*self.shared;
        counters.vitals(watched.len(), events.len())
    }

    async fn run(&self, api: Api) -> Result<Bytes, LinkError> {
        let (reply, answer) = oneshot::channel();
        self.requests.try_send(Request { api, reply }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => LinkError::Busy,
            mpsc::error::TrySendError::Closed(_) => LinkError::Down,
        })?;
        match timeout(self.shared.timing.answer, answer).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(LinkError::Unconfirmed),
            Err(_) => {
                self.shared.counters.jobs_unanswered.fetch_add(1, Relaxed);
                Err(LinkError::TimedOut)
            }
        }
    }
}
