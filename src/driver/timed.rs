//! How quick FreeSWITCH is on a call's connection: one command at a time is timed, and how old is
//! what it says.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::session::Session;
use crate::esl::happening::Ticket;
use crate::telemetry::Metrics;

/// The command that is timed.
#[derive(Debug, Default)]
pub(super) struct Timed(Option<(Ticket, Instant)>);

impl Timed {
    /// What was to be said is written.
    pub(super) fn written(&mut self, session: &Session) {
        if self.0.is_none() {
            self.0 = session.newest_unanswered().map(|ticket| (ticket, Instant::now()));
        }
    }

    /// What FreeSWITCH said is read.
    pub(super) fn read(&mut self, session: &mut Session, metrics: &Metrics) {
        if let Some((ticket, since)) = self.0
            && !session.awaits(ticket)
        {
            self.0 = None;
            metrics.answered_after(since.elapsed());
        }
        if let Some(finished_us) = session.take_finished_us() {
            let age_us = Timestamp::now().as_microsecond().saturating_sub(finished_us);
            // Another machine's clock may be ahead of ours.
            metrics.lagged(Duration::from_micros(u64::try_from(age_us).unwrap_or(0)));
        }
    }
}
