//! One connection of ours to FreeSWITCH's own port, both directions: the password is said when it
//! is asked for, replies are matched in order, background jobs by the identity that they were
//! given, and whatever is awaited ends with the connection.
//!
//! It is driven as `Conversation` is. Nothing can be sent until `Heard::Authenticated`.

use std::collections::{BTreeMap, VecDeque};

use bytes::{Bytes, BytesMut};

use super::command::{Api, Command};
use super::credentials::Credentials;
use super::event::{Event, EventName};
use super::frame::{Decoder, Frame, Notice};
use super::happening::{End, SendError, Stage, Ticket};
use super::reply::Reply;
use super::token::{JobId, JobSeries};

/// Most commands whose answer has not come.
pub const UNANSWERED_MAX: usize = 1_024;
/// Most background jobs that have not ended: FreeSWITCH starts a thread for each
/// (`mod_event_socket.c` parse_command, `bgapi`).
pub const JOBS_MAX: usize = 256;
/// Longest body, in bytes: some 80,000 rows of `show channels`.
pub const BODY_MAX: usize = 64 * 1024 * 1024;
/// How much of FreeSWITCH's reasons is kept, in characters.
const REASON_MAX: usize = 200;

/// What the connection brought.
#[derive(Debug, Clone)]
pub enum Heard {
    /// FreeSWITCH took the password.
    Authenticated,
    /// The answer to a command.
    Replied { ticket: Ticket, reply: Reply },
    /// The output of an API command.
    Output { ticket: Ticket, output: Bytes },
    /// A background job ended with this output.
    JobDone { job: JobId, output: Bytes },
    /// FreeSWITCH did not begin a background job.
    JobRefused { job: JobId, reply: Reply },
    /// How a background job ends will not be known.
    JobLost { job: JobId, stage: Stage },
    /// A command will never be answered.
    Unanswered { ticket: Ticket, stage: Stage },
    /// Any other event.
    Event(Event),
    /// Nothing more comes.
    Disconnected(End),
}

/// What an answer will be an answer to.
#[derive(Debug, Clone, Copy)]
enum Asked {
    Password,
    Job(JobId),
    Other,
}

/// A command whose answer is awaited.
struct Unanswered {
    ticket: Ticket,
    asked: Asked,
    /// Whether its bytes were taken by `transmit`.
    sent: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Until the password was said.
    Greeted,
    /// Until it was taken.
    Asked,
    Open,
    Over,
}

/// One connection's state, without the connection.
pub struct Inbound {
    decoder: Decoder,
    outgoing: BytesMut,
    credentials: Credentials,
    phase: Phase,
    last: Ticket,
    series: JobSeries,
    jobs_begun: u32,
    /// How far each job has come that has not ended.
    jobs: BTreeMap<JobId, Stage>,
    unanswered: VecDeque<Unanswered>,
    heard: VecDeque<Heard>,
    strays: u64,
}

impl Inbound {
    pub fn new(credentials: Credentials, series: JobSeries) -> Self {
        Self {
            decoder: Decoder::with_body_max(BODY_MAX),
            outgoing: BytesMut::new(),
            credentials,
            phase: Phase::Greeted,
            last: Ticket(0),
            series,
            jobs_begun: 0,
            jobs: BTreeMap::new(),
            unanswered: VecDeque::new(),
            heard: VecDeque::new(),
            strays: 0,
        }
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
        for unanswered in self.unanswered.iter_mut().rev().take_while(|command| !command.sent) {
            unanswered.sent = true;
            if let Asked::Job(job) = unanswered.asked
                && let Some(stage) = self.jobs.get_mut(&job)
            {
                *stage = Stage::Unconfirmed;
            }
        }
        Some(std::mem::take(&mut self.outgoing).freeze())
    }

    /// The stream has ended: with `poll`, everything awaited ends too.
    pub fn close(&mut self) {
        let end = if self.decoder.is_inside_frame() { End::Truncated } else { End::Closed };
        self.finish(end);
    }

    /// Whether the connection is over; `poll` may still have something.
    pub fn is_over(&self) -> bool {
        self.phase == Phase::Over
    }

    /// How many commands wait for their answer.
    pub fn unanswered(&self) -> usize {
        self.unanswered.len()
    }

    /// Whether one more background job may begin.
    pub fn has_room(&self) -> bool {
        self.jobs.len() < JOBS_MAX && self.unanswered.len() < UNANSWERED_MAX
    }

    /// Answers that nobody had asked for, and ends of jobs that are not ours or given up.
    pub const fn strays(&self) -> u64 {
        self.strays
    }

    /// Takes a command.
    ///
    /// # Errors
    /// Nothing was sent, and the connection goes on as before.
    pub fn send(&mut self, command: &Command) -> Result<Ticket, SendError> {
        self.write(command, Asked::Other)
    }

    /// Runs an API command aside, so that nothing on this connection waits for it.
    ///
    /// # Errors
    /// As `send`, and when [`JOBS_MAX`] jobs have not ended.
    pub fn begin(&mut self, api: Api) -> Result<JobId, SendError> {
        if self.jobs.len() >= JOBS_MAX {
            return Err(SendError::Jobs);
        }
        let job = self.series.job(self.jobs_begun);
        self.write(&Command::BackgroundApi { job, api }, Asked::Job(job))?;
        self.jobs_begun = self.jobs_begun.wrapping_add(1);
        self.jobs.insert(job, Stage::NotSent);
        Ok(job)
    }

    /// Does not wait for a job's end any more.
    pub fn give_up(&mut self, job: JobId) {
        self.jobs.remove(&job);
    }

    /// The filter that lets the ends of our jobs pass.
    pub const fn series(&self) -> JobSeries {
        self.series
    }

    fn write(&mut self, command: &Command, asked: Asked) -> Result<Ticket, SendError> {
        match self.phase {
            Phase::Over => return Err(SendError::Over),
            Phase::Greeted | Phase::Asked => return Err(SendError::NotAuthenticated),
            Phase::Open => {}
        }
        if self.unanswered.len() >= UNANSWERED_MAX {
            return Err(SendError::Unanswered);
        }
        let packet = command.encode()?;
        Ok(self.put(&packet, asked))
    }

    fn put(&mut self, packet: &[u8], asked: Asked) -> Ticket {
        self.last = Ticket(self.last.0 + 1);
        self.outgoing.extend_from_slice(packet);
        self.unanswered.push_back(Unanswered { ticket: self.last, asked, sent: false });
        self.last
    }

    /// What was heard next, or `None` until more bytes come.
    pub fn poll(&mut self) -> Option<Heard> {
        loop {
            if let Some(heard) = self.heard.pop_front() {
                return Some(heard);
            }
            if self.is_over() {
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
            Frame::AuthRequest => self.say_password(),
            Frame::Rejected { reason } => self.finish(End::Unwelcome(shortened(&reason))),
            Frame::Reply(head) => self.take_reply(Reply::of_command(&head)),
            Frame::Output(output) => {
                if let Some((ticket, _)) = self.answer() {
                    self.tell(Heard::Output { ticket, output });
                }
            }
            Frame::Event(event) if self.phase == Phase::Open => self.take_event(event),
            Frame::Notice(Notice::Disconnect { .. }) => self.finish(End::Notice),
            Frame::Notice(Notice::Linger { .. })
            | Frame::Event(_)
            | Frame::Connected(_)
            | Frame::Log { .. }
            | Frame::Other { .. } => {}
        }
    }

    fn tell(&mut self, heard: Heard) {
        self.heard.push_back(heard);
    }

    fn say_password(&mut self) {
        if self.phase != Phase::Greeted {
            return;
        }
        match Command::Authenticate(self.credentials.clone()).encode() {
            Ok(packet) => {
                self.put(&packet, Asked::Password);
                self.phase = Phase::Asked;
            }
            Err(refused) => self.finish(End::Denied(refused.to_string())),
        }
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

    fn take_reply(&mut self, reply: Reply) {
        match self.answer() {
            Some((_, Asked::Password)) if reply.is_ok() => {
                self.phase = Phase::Open;
                self.tell(Heard::Authenticated);
            }
            Some((_, Asked::Password)) => self.finish(End::Denied(shortened(&reply.text))),
            Some((_, Asked::Job(job))) => self.take_job_reply(job, reply),
            Some((ticket, Asked::Other)) => self.tell(Heard::Replied { ticket, reply }),
            None => {}
        }
    }

    fn take_job_reply(&mut self, job: JobId, reply: Reply) {
        if reply.is_ok() {
            if let Some(stage) = self.jobs.get_mut(&job) {
                *stage = Stage::Accepted;
            }
        } else if self.jobs.remove(&job).is_some() {
            self.tell(Heard::JobRefused { job, reply });
        }
    }

    fn take_event(&mut self, event: Event) {
        if event.name() != EventName::BackgroundJob {
            return self.tell(Heard::Event(event));
        }
        let job = event.job_uuid().and_then(|id| id.parse().ok());
        match job.filter(|job| self.jobs.remove(job).is_some()) {
            Some(job) => self.tell(Heard::JobDone { job, output: event.body().clone() }),
            None => self.strays += 1,
        }
    }

    fn finish(&mut self, end: End) {
        if self.is_over() {
            return;
        }
        self.phase = Phase::Over;
        for (job, stage) in std::mem::take(&mut self.jobs) {
            self.tell(Heard::JobLost { job, stage });
        }
        for Unanswered { ticket, asked, sent } in std::mem::take(&mut self.unanswered) {
            if let Asked::Other = asked {
                let stage = if sent { Stage::Unconfirmed } else { Stage::NotSent };
                self.tell(Heard::Unanswered { ticket, stage });
            }
        }
        self.outgoing = BytesMut::new();
        self.tell(Heard::Disconnected(end));
    }
}

fn shortened(text: &[u8]) -> String {
    String::from_utf8_lossy(text.trim_ascii()).chars().take(REASON_MAX).collect()
}

impl std::fmt::Debug for Inbound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inbound")
            .field("decoder", &self.decoder)
            .field("phase", &self.phase)
            .field("unanswered", &self.unanswered.len())
            .field("jobs", &self.jobs.len())
            .finish_non_exhaustive()
    }
}
