//! Filters of an inbound connection.
//!
//! Without a filter every subscribed event passes; with filters, those that one of them matches
//! (`mod_event_socket.c` event_handler, lines 311-372). The first header of the name counts, letter
//! case aside; the value is compared letter case aside, or is a regular expression if it begins
//! with `/`. An event that has no such header does not match, `HEARTBEAT` and `BACKGROUND_JOB`
//! included, so that each needs a filter of its own. FreeSWITCH looks at every filter for every
//! event of a subscribed name until one matches.

use std::fmt;

use super::event::EventName;
use super::token::JobSeries;
use crate::base::ids::ChannelId;

/// Events that are to pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Filter {
    /// Those of one name, of whatever channel.
    Name(EventName),
    /// Those of one channel.
    Channel(ChannelId),
    /// The ends of one series of background jobs: every client's jobs end in the same event.
    Jobs(JobSeries),
    /// What is told of gateways, which are no channel's.
    Gateways,
}

/// Header and value as FreeSWITCH takes them.
impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(f, "Event-Name {}", name.name()),
            Self::Channel(channel) => write!(f, "Unique-ID {channel}"),
            Self::Gateways => f.write_str("Event-Subclass /^sofia::gateway_/"),
            Self::Jobs(series) => write!(f, "Job-UUID /^{}/", series.prefix()),
        }
    }
}
