//! One outbound connection, both directions: replies are matched in order, executes by the identity
//! that they were given, and whatever is awaited ends with the call.
//!
//! **How to drive it.** Read into `buffer()` (or `receive` bytes), then `poll()` until it gives
//! nothing; `send()` what is to be said, and write what `transmit()` gives in one go. At the end of
//! the stream call `close()` and poll once more.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

use crate::base::ids::ChannelId;

use super::command::{Api, Command};
use super::event::{Event, EventName};
use super::frame::{Decoder, Frame, Notice};
use super::happening::{End, Happening, SendError, Stage, Ticket};
use super::outstanding::{Outstanding, Round};
use super::reply::Reply;
use super::token::ExecuteId;

/// Most executes at once in FreeSWITCH's queue, which holds 256 and closes the connection at the
/// next (`switch_core_pvt.h` SWITCH_MESSAGE_QUEUE_LEN, `mod_event_socket.c` parse_command).
pub const QUEUED_MAX: usize = 64;
/// Most executes that wait here until FreeSWITCH's queue has room.
pub const WAITING_MAX: usize = 128;
/// Most commands whose answer has not come.
pub const UNANSWERED_MAX: usize = 512;

/// What an answer will be an answer to.
#[derive(Debug, Clone, Copy)]
enum Asked {
    Execute(ExecuteId),
    BreakAll,
    Other,
}

/// A command whose answer is awaited.
struct Unanswered {
    ticket: Ticket,
    asked: Asked,
    /// Whether its bytes were taken by `transmit`.
    sent: bool,
}

/// An execute that FreeSWITCH's queue has no room for.
struct Waiting {
    id: ExecuteId,
    ticket: Ticket,
    loops: u32,
    packet: Bytes,
}

/// One connection's state, without the connection.
#[derive(Default)]
pub struct Conversation {
    decoder: Decoder,
    outgoing: BytesMut,
    last: Ticket,
    unanswered: VecDeque<Unanswered>,
    outstanding: Outstanding,
    waiting: VecDeque<Waiting>,
    happenings: VecDeque<Happening>,
    channel: Option<ChannelId>,
    hung_up: bool,
    over: bool,
    strays: u64,
}

impl Conversation {
    pub fn new() -> Self {
        Self::default()
    }

    /// The place to read into, when there is something to read.
    pub fn buffer(&mut self) -> &mut BytesMut {
        self.decoder.buffer()
    }

    /// Takes bytes that were read elsewhere.
    pub fn receive(&mut self, bytes: &[u8]) {
        self.decoder.feed(bytes);
    }

    /// The bytes to be written now, those of all commands since the last time in one piece.
    pub fn transmit(&mut self) -> Option<Bytes> {
        if self.outgoing.is_empty() {
            return None;
        }
        self.outstanding.sent();
        for unanswered in self.unanswered.iter_mut().rev().take_while(|command| !command.sent) {
            unanswered.sent = true;
        }
        Some(std::mem::take(&mut self.outgoing).freeze())
    }

    /// The stream has ended: with `poll`, everything awaited ends too.
    pub fn close(&mut self) {
        let end = if self.decoder.is_inside_frame() { End::Truncated } else { End::Closed };
        self.finish(end);
    }

    /// Whether the connection is over; `poll` may still have something.
    pub const fn is_over(&self) -> bool {
        self.over
    }

    /// Bytes of the stream read so far, up to the last whole frame.
    pub const fn position(&self) -> u64 {
        self.decoder.position()
    }

    /// Answers that nobody had asked for.
    pub const fn strays(&self) -> u64 {
        self.strays
    }

    /// Takes a command. Executes wait here when FreeSWITCH's queue is full enough.
    ///
    /// # Errors
    /// Nothing was sent, and the connection goes on as before.
    pub fn send(&mut self, command: &Command) -> Result<Ticket, SendError> {
        if self.over {
            return Err(SendError::Over);
        }
        if self.last == Ticket(0) && !matches!(command, Command::Connect) {
            return Err(SendError::ConnectFirst);
        }
        if self.unanswered.len() >= UNANSWERED_MAX {
            return Err(SendError::Unanswered);
        }
        let packet = command.encode()?;
        match command {
            Command::Execute(execute) => self.send_execute(execute.id, execute.loops.get(), packet),
            Command::Api(Api::Break { all: true, .. }) => {
                self.lose_waiting();
                Ok(self.write_next(Asked::BreakAll, &packet))
            }
            _ => Ok(self.write_next(Asked::Other, &packet)),
        }
    }

    fn send_execute(
        &mut self,
        id: ExecuteId,
        loops: u32,
        packet: Bytes,
    ) -> Result<Ticket, SendError> {
        if self.hung_up {
            return Err(SendError::HungUp);
        }
        if self.outstanding.contains(id) || self.waiting.iter().any(|waiting| waiting.id == id) {
            return Err(SendError::SameIdentity);
        }
        if self.waiting.is_empty() && self.outstanding.pressing() < QUEUED_MAX {
            let ticket = self.write_next(Asked::Execute(id), &packet);
            self.outstanding.add(id, ticket, loops);
            return Ok(ticket);
        }
        if self.waiting.len() >= WAITING_MAX {
            return Err(SendError::QueueFull);
        }
        let ticket = self.next_ticket();
        self.waiting.push_back(Waiting { id, ticket, loops, packet });
        Ok(ticket)
    }

    const fn next_ticket(&mut self) -> Ticket {
        self.last = Ticket(self.last.0 + 1);
        self.last
    }

    fn write_next(&mut self, asked: Asked, packet: &[u8]) -> Ticket {
        let ticket = self.next_ticket();
        self.write(ticket, asked, packet);
        ticket
    }

    fn write(&mut self, ticket: Ticket, asked: Asked, packet: &[u8]) {
        self.outgoing.extend_from_slice(packet);
        self.unanswered.push_back(Unanswered { ticket, asked, sent: false });
    }

    /// What happened next, or `None` until more bytes come.
    pub fn poll(&mut self) -> Option<Happening> {
        loop {
            if let Some(happening) = self.happenings.pop_front() {
                return Some(happening);
            }
            if self.over {
                return None;
            }
            match self.decoder.next_frame() {
                Ok(Some(frame)) => self.take(frame),
                Ok(None) => return None,
                Err(error) => self.finish(End::Unreadable(error)),
            }
        }
    }

    fn take(&mut self, frame: Frame) {
        match frame {
            Frame::Connected(event) => {
                self.channel = event.unique_id();
                if let Some((ticket, _)) = self.answer() {
                    self.tell(Happening::Connected { ticket, event });
                }
            }
            Frame::Event(event) => self.take_event(event),
            Frame::Reply(head) => self.take_reply(Reply::of_command(&head)),
            Frame::Output(output) => {
                if let Some((ticket, asked)) = self.answer() {
                    if let Asked::BreakAll = asked {
                        self.outstanding.flushed(ticket);
                        self.release_waiting();
                    }
                    self.tell(Happening::Output { ticket, output });
                }
            }
            Frame::Notice(Notice::Linger { seconds }) => {
                self.tell(Happening::Lingering { seconds });
            }
            Frame::Notice(Notice::Disconnect { .. }) => self.finish(End::Notice),
            Frame::Log { .. }
            | Frame::AuthRequest
            | Frame::Rejected { .. }
            | Frame::Other { .. } => {}
        }
    }

    fn tell(&mut self, happening: Happening) {
        self.happenings.push_back(happening);
    }

    /// The command that an answer belongs to: answers come in order (`mod_event_socket.c`
    /// listener_run).
    fn answer(&mut self) -> Option<(Ticket, Asked)> {
        match self.unanswered.pop_front() {
            Some(command) => Some((command.ticket, command.asked)),
            None => {
                self.strays += 1;
                None
            }
        }
    }

    /// The command that is answered last of those that are on their way.
    pub fn newest_unanswered(&self) -> Option<Ticket> {
        self.unanswered.back().filter(|command| command.sent).map(|command| command.ticket)
    }

    /// Whether a command's answer is still to come.
    pub fn awaits(&self, ticket: Ticket) -> bool {
        self.unanswered.iter().any(|command| command.ticket == ticket)
    }

    fn take_reply(&mut self, reply: Reply) {
        let Some((ticket, asked)) = self.answer() else { return };
        let ok = reply.is_ok();
        self.tell(Happening::Replied { ticket, reply });
        if let Asked::Execute(id) = asked {
            if ok {
                self.outstanding.accepted(id);
            } else if self.outstanding.remove(id) {
                self.tell(Happening::Lost { id, stage: Stage::Rejected });
                self.release_waiting();
            }
        }
    }

    fn take_event(&mut self, event: Event) {
        match event.name() {
            EventName::ChannelExecute => match execute_id(&event) {
                Some(id) => self.start(id, event),
                None => self.tell(Happening::Event(event)),
            },
            EventName::ChannelExecuteComplete => match execute_id(&event) {
                Some(id) => self.complete(id, event),
                None => self.tell(Happening::Event(event)),
            },
            EventName::BackgroundJob => match event.job_uuid().and_then(|id| id.parse().ok()) {
                Some(job) => self.tell(Happening::JobDone { job, event }),
                None => self.tell(Happening::Event(event)),
            },
            EventName::ChannelHangupComplete if self.is_own(&event) => {
                self.tell(Happening::Event(event));
                self.hung_up = true;
                self.lose_executes();
            }
            _ => self.tell(Happening::Event(event)),
        }
    }

    fn is_own(&self, event: &Event) -> bool {
        self.channel.is_none() || self.channel == event.unique_id()
    }

    fn start(&mut self, id: ExecuteId, event: Event) {
        let Some(lost) = self.outstanding.started(id) else {
            return self.tell(Happening::Event(event));
        };
        for id in lost {
            self.tell(Happening::Lost { id, stage: Stage::Flushed });
        }
        self.tell(Happening::Started { id, event });
    }

    fn complete(&mut self, id: ExecuteId, event: Event) {
        match self.outstanding.completed(id) {
            Round::Last => self.tell(Happening::Completed { id, event }),
            Round::NotLast | Round::Unknown => self.tell(Happening::Event(event)),
        }
        self.release_waiting();
    }

    fn release_waiting(&mut self) {
        while self.outstanding.pressing() < QUEUED_MAX {
            let Some(next) = self.waiting.pop_front() else { return };
            self.write(next.ticket, Asked::Execute(next.id), &next.packet);
            self.outstanding.add(next.id, next.ticket, next.loops);
        }
    }

    fn lose_waiting(&mut self) {
        for Waiting { id, .. } in std::mem::take(&mut self.waiting) {
            self.tell(Happening::Lost { id, stage: Stage::NotSent });
        }
    }

    fn lose_executes(&mut self) {
        for (id, stage) in self.outstanding.abandon() {
            self.tell(Happening::Lost { id, stage });
        }
        self.lose_waiting();
    }

    fn finish(&mut self, end: End) {
        if self.over {
            return;
        }
        self.over = true;
        self.lose_executes();
        for Unanswered { ticket, sent, .. } in std::mem::take(&mut self.unanswered) {
            let stage = if sent { Stage::Unconfirmed } else { Stage::NotSent };
            self.tell(Happening::Unanswered { ticket, stage });
        }
        self.outgoing = BytesMut::new();
        self.tell(Happening::Disconnected(end));
    }
}

/// The identity that we gave to the execute, if it was ours.
fn execute_id(event: &Event) -> Option<ExecuteId> {
    event.application_uuid()?.parse().ok()
}

impl std::fmt::Debug for Conversation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Conversation")
            .field("decoder", &self.decoder)
            .field("unanswered", &self.unanswered.len())
            .field("waiting", &self.waiting.len())
            .field("over", &self.over)
            .finish_non_exhaustive()
    }
}
