//! What tells how quick the connection is, to whoever has the clock.

use super::Session;
use crate::esl::happening::Ticket;

impl Session {
    /// The command that is answered last of those that are on their way.
    pub fn newest_unanswered(&self) -> Option<Ticket> {
        self.talk.newest_unanswered()
    }

    /// Whether a command's answer is still to come.
    pub fn awaits(&self, ticket: Ticket) -> bool {
        self.talk.awaits(ticket)
    }

    /// When the newest thing that FreeSWITCH finished was over, by its clock (the header
    /// `Event-Date-Timestamp`), in microseconds since 1970; once.
    pub const fn take_finished_us(&mut self) -> Option<i64> {
        self.finished_us.take()
    }
}
