//! One call on the simulated switch: its state, its clock and what goes in and out of it.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::base::cause::HangupCause;
use crate::base::digits::Digit;
use crate::base::now::Now;

use super::execute::{Activity, Frame};
use super::hangup::{Divert, Ended};
use super::link::{Link, MAX_INBOX};
use super::observed::{Log, Observed};
use super::others::Other;
use super::profile::{Call, Times};
use super::record::Session;
use super::variables::Variables;
use super::wire::Packet;
use super::world::{Action, World};

/// FreeSWITCH looks at a call's queue once for each frame of sound.
pub const FRAME_MS: u64 = 20;
/// Between `connect` and the park in which commands run (an event subscribed to later is missed).
pub(super) const PARK_DELAY_MS: u64 = 1;
/// Keys that may wait to be read (switch_types.h: 1,000).
const MAX_DIGITS: usize = 1_000;
/// Steps within one call of `tick`: more mean a loop without time.
const MAX_STEPS: usize = 100_000;

/// How far the call has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Progress {
    New,
    Ringing,
    Early,
    Answered,
}

/// Whether the caller was put on hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hold {
    None,
    Held,
    /// It is just being taken off hold.
    Ending,
}

/// Something due later: a scheduled command, or the result of a background job.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) at: u64,
    pub(super) group: Vec<u8>,
    pub(super) work: Work,
}

#[derive(Debug)]
pub(super) enum Work {
    Api(Vec<u8>),
    Hangup(HangupCause),
    Result { uuid: Vec<u8>, command: Vec<u8>, output: Vec<u8> },
}

/// The other party of a bridge, as events tell it.
#[derive(Debug, Clone)]
pub(super) struct Peer {
    pub(super) uuid: String,
    pub(super) destination: Vec<u8>,
    pub(super) channel_name: Vec<u8>,
    pub(super) times: Times,
}

/// One call and its Event Socket connection. Every method takes the time it happens at; times
/// never go back. [`Channel::deadline`] says when `tick` has something to do next.
#[derive(Debug)]
pub struct Channel {
    pub(super) call: Call,
    pub(super) world: Arc<World>,
    pub(super) now: Now,
    pub(super) origin: u64,
    pub(super) vars: Variables,
    pub(super) times: Times,
    pub(super) progress: Progress,
    pub(super) hold: Hold,
    pub(super) callee: Vec<u8>,
    pub(super) stack: Vec<Frame>,
    pub(super) queue: VecDeque<Packet>,
    pub(super) drain_at: u64,
    pub(super) digits: VecDeque<Digit>,
    pub(super) digit_at: u64,
    pub(super) break_at: Option<u64>,
    pub(super) dialplan: VecDeque<Action>,
    pub(super) hosts: Option<String>,
    pub(super) link: Option<Box<Link>>,
    pub(super) controlled: bool,
    pub(super) divert: Option<Divert>,
    pub(super) ended: Option<Ended>,
    pub(super) jobs: Vec<Job>,
    pub(super) peer: Option<Peer>,
    /// Channels besides this one and those in its `bridge`.
    pub(super) others: Vec<Other>,
    /// What somebody hears who listens to all channels; none where nobody does.
    pub(super) overheard: Option<Vec<Vec<u8>>>,
    /// What came of orders from elsewhere.
    pub(super) outcomes: Vec<(u64, Vec<u8>)>,
    /// Each transfer counts on.
    pub(super) profile: u32,
    pub(super) recordings: Vec<Session>,
    pub(super) recorded: Vec<(Vec<u8>, u64)>,
    /// Recordings can be made of the call (`uuid_record`).
    pub(super) records: bool,
    pub(super) talking_until: u64,
    pub(super) log: Log,
    pub(super) sequence: u64,
    pub(super) identities: u64,
}

impl Channel {
    /// A call that has just come in: its dialplan runs up to the first action that takes time.
    /// When that is `socket`, [`Channel::wants`] names the hosts to connect to.
    pub fn new(call: Call, world: Arc<World>, now: Now) -> Self {
        let times = Times { created: now.wall.as_microsecond(), ..Times::default() };
        let mut channel = Self {
            vars: call.variables(times.created),
            call,
            dialplan: world.dialplan.iter().cloned().collect(),
            world,
            now,
            origin: now.mono_ms,
            times,
            progress: Progress::New,
            hold: Hold::None,
            callee: Vec::new(),
            stack: Vec::new(),
            queue: VecDeque::new(),
            drain_at: 0,
            digits: VecDeque::new(),
            digit_at: 0,
            break_at: None,
            hosts: None,
            link: None,
            controlled: false,
            divert: None,
            ended: None,
            jobs: Vec::new(),
            peer: None,
            others: Vec::new(),
            overheard: None,
            outcomes: Vec::new(),
            profile: 1,
            recordings: Vec::new(),
            recorded: Vec::new(),
            records: true,
            talking_until: 0,
            log: Log::default(),
            sequence: 0,
            identities: 0,
        };
        channel.pump();
        channel
    }

    /// The argument of the `socket` action that waits for a connection: `host:port|host:port async
    /// full`.
    pub fn wants(&self) -> Option<&str> {
        self.hosts.as_deref()
    }

    /// The connection that was wanted is there.
    pub fn connected(&mut self, now: Now) {
        self.advance(now);
        let Some(arguments) = self.hosts.take() else { return };
        let words: Vec<_> = arguments.split(' ').skip(1).collect();
        let has = |word: &str| words.iter().any(|w| w.eq_ignore_ascii_case(word));
        let second = now.wall.as_second();
        let link = Link::new(has("async"), has("full"), now.mono_ms, second);
        let activity = if link.is_async { Activity::Unconnected } else { Activity::Static };
        let host = arguments.split([':', ' ', '/', '|']).next().unwrap_or_default();
        self.vars.set(&b"socket_host"[..], host.as_bytes().to_vec());
        self.link = Some(Box::new(link));
        if let Some(frame) = self.stack.last_mut() {
            frame.activity = activity;
        }
        if let (Some(_), Some(link)) = (&self.ended, &mut self.link) {
            link.look_later(now.mono_ms);
        }
        self.pump();
    }

    /// Nobody accepted the connection: the dialplan goes on.
    pub fn refused(&mut self, now: Now) {
        self.advance(now);
        if self.hosts.take().is_some()
            && let Some(frame) = self.stack.last_mut()
        {
            frame.activity = Activity::Done;
        }
        self.pump();
    }

    /// Bytes from the controller.
    pub fn receive(&mut self, bytes: &[u8], now: Now) {
        self.advance(now);
        let Some(link) = self.link.as_deref_mut().filter(|link| link.open) else { return };
        if link.inbox.len() + bytes.len() > MAX_INBOX {
            return self.end_link();
        }
        link.inbox.push(bytes);
        self.pump();
    }

    /// The controller closed or lost its connection.
    pub fn closed(&mut self, now: Now) {
        self.advance(now);
        if self.link.as_ref().is_some_and(|link| link.open) {
            self.end_link();
            if let Some(link) = &mut self.link {
                link.take_out();
            }
        }
        self.pump();
    }

    /// Lets time pass.
    pub fn tick(&mut self, now: Now) {
        self.advance(now);
        self.pump();
    }

    /// Bytes for the controller.
    pub fn transmit(&mut self) -> Vec<u8> {
        let Some(link) = &mut self.link else { return Vec::new() };
        let out = link.take_out();
        if !out.is_empty() {
            self.pump();
        }
        out
    }

    /// True once FreeSWITCH has closed the connection and everything it sent has been taken.
    pub fn is_closed(&self) -> bool {
        self.link.as_ref().is_some_and(|link| !link.open && !link.has_out())
    }

    /// True once the call is over and no connection is left.
    pub fn is_over(&self) -> bool {
        let open = self.link.as_ref().is_some_and(|link| link.open || link.has_out());
        self.ended.as_ref().is_some_and(|ended| ended.complete) && !open
    }

    /// The monotonic millisecond at which `tick` has something to do.
    pub fn deadline(&self) -> Option<u64> {
        let jobs = self.jobs.iter().map(|job| job.at).min();
        let own = [jobs, self.step_deadline(), self.link_deadline()];
        own.into_iter().chain([self.others_deadline()]).flatten().min()
    }

    fn link_deadline(&self) -> Option<u64> {
        let link = self.link.as_deref().filter(|link| link.open)?;
        let end = link.ends_at_second().map(|second| {
            let left = second.saturating_mul(1_000) - self.now.wall.as_millisecond();
            self.now.mono_ms + u64::try_from(left).unwrap_or(0)
        });
        [link.next_look(), end].into_iter().flatten().min()
    }

    /// The caller presses a key.
    pub fn press(&mut self, digit: Digit, now: Now) {
        self.advance(now);
        if self.ended.is_none() && self.digits.len() < MAX_DIGITS {
            if self.digits.is_empty() {
                self.digit_at = self.next_frame();
            }
            self.digits.push_back(digit);
        }
        self.pump();
    }

    /// The caller talks for `ms` milliseconds from now on; otherwise it is silent.
    pub fn talk(&mut self, ms: u64, now: Now) {
        self.advance(now);
        self.talking_until = now.mono_ms.saturating_add(ms);
    }

    /// The caller hangs up.
    pub fn hang_up(&mut self, cause: HangupCause, now: Now) {
        self.advance(now);
        self.hang_up_from_outside(cause, true);
        self.pump();
    }

    /// What happened so far.
    pub const fn log(&self) -> &Log {
        &self.log
    }

    /// A channel variable, as the dialplan would see it now.
    pub fn variable(&self, name: &str) -> Option<&[u8]> {
        self.vars.get(name.as_bytes())
    }

    /// Sets a variable, as somebody who may would over another connection.
    pub fn set_variable(&mut self, name: &str, value: &[u8]) {
        self.vars.set(name.as_bytes().to_vec(), value.to_vec());
    }

    /// From now on FreeSWITCH can't write recordings of the call, as where the disk is full.
    pub const fn refuse_recordings(&mut self) {
        self.records = false;
    }

    pub fn uuid(&self) -> &str {
        &self.call.uuid
    }

    /// Works off everything due before `to`, each thing at its own time.
    fn advance(&mut self, to: Now) {
        for _ in 0..MAX_STEPS {
            let Some(due) = self.deadline().filter(|due| *due < to.mono_ms) else { break };
            let ahead = due.saturating_sub(self.now.mono_ms);
            self.now = self.now.plus_ms(ahead);
            self.pump();
            if ahead == 0 && self.deadline().is_some_and(|next| next <= due) {
                break;
            }
        }
        if to.mono_ms >= self.now.mono_ms {
            self.now = to;
        }
    }

    /// Does what can be done now.
    pub(super) fn pump(&mut self) {
        for _ in 0..MAX_STEPS {
            let own = self.run_job() || self.step();
            let progress = own || self.serve_others() || self.serve_link();
            if !progress {
                break;
            }
        }
    }

    pub(super) const fn ms(&self) -> u64 {
        self.now.mono_ms
    }

    pub(super) const fn next_frame(&self) -> u64 {
        let frames = (self.now.mono_ms - self.origin) / FRAME_MS + 1;
        self.origin + frames * FRAME_MS
    }

    pub(super) fn note(&mut self, what: Observed) -> usize {
        self.log.note(self.now.mono_ms, what)
    }

    /// An identity that is the same in every run.
    pub(super) fn identity(&mut self) -> String {
        self.identities += 1;
        let call = self.call.uuid.bytes().fold(0u128, |hash, byte| {
            hash.wrapping_mul(0x0100_0000_01b3).wrapping_add(u128::from(byte))
        });
        let mixed = (call ^ u128::from(self.identities) << 64)
            .wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835);
        uuid::Builder::from_random_bytes(mixed.to_be_bytes()).into_uuid().to_string()
    }
}
