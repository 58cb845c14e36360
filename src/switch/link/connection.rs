//! The life of one connection, from its first byte to the reason of its end.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::Ordering::Relaxed;

use bytes::Bytes;
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

use super::heartbeats::Heartbeats;
use super::line::Line;
use super::{DownCause, LinkError, LinkEvent, Loss, Request, Shared};
use crate::base::ids::CoreId;
use crate::esl::command::{Api, Command};
use crate::esl::event::{Event, EventName};
use crate::esl::filter::Filter;
use crate::esl::happening::{End, SendError, Stage, Ticket};
use crate::esl::inbound::{Heard, UNANSWERED_MAX};
use crate::esl::reply::Reply;
use crate::esl::sofia;
use crate::esl::token::{JobId, JobSeries};

/// Most commands on the wire when filters are told: the rest is for jobs.
const FILTERS_UNANSWERED_MAX: usize = UNANSWERED_MAX / 2;

/// The events that FreeSWITCH is asked for.
const SUBSCRIBED: &[EventName] = &[
    EventName::Heartbeat,
    EventName::BackgroundJob,
    EventName::ChannelAnswer,
    EventName::ChannelBridge,
    EventName::ChannelUnbridge,
    EventName::ChannelHold,
    EventName::ChannelUnhold,
    EventName::ChannelPark,
    EventName::Dtmf,
    EventName::RecordStart,
    EventName::RecordStop,
    EventName::Custom,
    EventName::ChannelHangup,
    EventName::ChannelHangupComplete,
];

/// Why a connection did not last.
#[derive(Debug, Error)]
pub(super) enum Broken {
    #[error("can't connect to {0}: {1}")]
    Unreachable(String, io::Error),
    #[error("FreeSWITCH is not ready in time")]
    NotReady,
    #[error("FreeSWITCH does not answer")]
    Silent,
    #[error("FreeSWITCH's heartbeats have stopped")]
    NoHeartbeats,
    #[error("FreeSWITCH refuses what a link needs: {0}")]
    Refused(String),
    #[error("FreeSWITCH does not tell its Core-UUID")]
    NoCore,
    #[error("another FreeSWITCH answers on the same connection")]
    OtherCore,
    #[error(transparent)]
    Ended(End),
    #[error("the connection broke: {0}")]
    Io(#[from] io::Error),
    #[error(transparent)]
    Unsendable(#[from] SendError),
    /// Nobody has a handle of the link any more.
    #[error("the link is not wanted any more")]
    Unwanted,
}

impl Broken {
    pub(super) fn cause(&self) -> DownCause {
        match self {
            Self::Unreachable(_, error) => DownCause::Unreachable(error.kind()),
            Self::Ended(End::Denied(_)) => DownCause::Denied,
            Self::Ended(End::Unwelcome(_)) => DownCause::Unwelcome,
            Self::NoCore => DownCause::NoCore,
            Self::NotReady | Self::Silent => DownCause::Silent,
            _ => DownCause::Other,
        }
    }
}

/// One connection.
pub(super) struct Connection<'a> {
    shared: &'a Shared,
    line: Line,
    authenticated: bool,
    core: Option<CoreId>,
    jobs: BTreeMap<JobId, oneshot::Sender<Result<Bytes, LinkError>>>,
    /// Taken, and not begun yet.
    held: Option<Request>,
    heartbeats: Heartbeats,
    /// The question that is not answered yet, and when it was asked.
    asked: Option<(Ticket, Instant)>,
    next_ping: Instant,
}

impl<'a> Connection<'a> {
    pub(super) async fn open(shared: &'a Shared, series: JobSeries) -> Result<Self, Broken> {
        let opened = Line::open(&shared.address, shared.credentials.clone(), series).await;
        let unreachable = |error| Broken::Unreachable(shared.address.clone(), error);
        Ok(Self {
            shared,
            line: opened.map_err(unreachable)?,
            authenticated: false,
            core: None,
            jobs: BTreeMap::new(),
            held: None,
            heartbeats: Heartbeats::default(),
            asked: None,
            next_ping: Instant::now(),
        })
    }

    /// Says the password, asks for events and tells the filters. The filters come first: without
    /// any, every call's events would pass.
    pub(super) async fn establish(&mut self) -> Result<CoreId, Broken> {
        while !self.authenticated {
            self.turn().await?;
        }
        let jobs = Filter::Jobs(self.line.talk.series());
        for command in [
            Command::Filter(Filter::Name(EventName::Heartbeat)),
            Command::Filter(Filter::Name(EventName::ChannelHold)),
            Command::Filter(Filter::Name(EventName::ChannelUnhold)),
            Command::Filter(jobs),
            Command::Filter(Filter::Gateways),
            Command::Events(SUBSCRIBED.to_vec()),
            Command::GatewayEvents,
        ] {
            self.line.talk.send(&command)?;
        }
        self.ping()?;
        self.shared.watched.begin();
        while !self.tell_filters()? || self.line.talk.unanswered() > 0 {
            self.turn().await?;
        }
        self.core.ok_or(Broken::NoCore)
    }

    /// Takes commands and events until the connection breaks.
    pub(super) async fn hold(&mut self, requests: &mut mpsc::Receiver<Request>) -> Broken {
        loop {
            match self.step(requests).await {
                Ok(()) => {}
                Err(broken) => return broken,
            }
        }
    }

    async fn step(&mut self, requests: &mut mpsc::Receiver<Request>) -> Result<(), Broken> {
        if self.tell_filters()?
            && let Some(request) = self.held.take_if(|_| self.line.has_room())
        {
            self.begin(request);
        }
        let due = self.due();
        tokio::select! {
            turned = self.line.turn() => {
                turned?;
                self.hear()
            }
            request = requests.recv(), if self.held.is_none() => {
                self.held = Some(request.ok_or(Broken::Unwanted)?);
                Ok(())
            }
            () = self.shared.watched.changed() => Ok(()),
            () = sleep_until(due) => self.tick(Instant::now()),
        }
    }

    /// Ends everything that is awaited.
    pub(super) fn close(mut self) {
        self.line.talk.close();
        while let Some(heard) = self.line.talk.poll() {
            if let Heard::JobLost { job, stage } = heard {
                self.lose(job, stage);
            }
        }
        if let Some(request) = self.held {
            drop(request.reply.send(Err(LinkError::Down)));
        }
    }

    async fn turn(&mut self) -> Result<(), Broken> {
        self.line.turn().await?;
        self.hear()
    }

    /// True when all that was to be told is on its way.
    fn tell_filters(&mut self) -> Result<bool, Broken> {
        while self.line.talk.unanswered() < FILTERS_UNANSWERED_MAX {
            let Some(command) = self.shared.watched.next() else { return Ok(true) };
            self.line.talk.send(&command)?;
        }
        Ok(false)
    }

    fn begin(&mut self, request: Request) {
        if request.reply.is_closed() {
            return;
        }
        self.shared.counters.jobs.fetch_add(1, Relaxed);
        match self.line.talk.begin(request.api) {
            Ok(job) => drop(self.jobs.insert(job, request.reply)),
            Err(SendError::Refused(refused)) => {
                drop(request.reply.send(Err(LinkError::Unsendable(refused))));
            }
            Err(_) => drop(request.reply.send(Err(LinkError::Down))),
        }
    }

    fn hear(&mut self) -> Result<(), Broken> {
        while let Some(heard) = self.line.poll() {
            match heard {
                Heard::Authenticated => self.authenticated = true,
                Heard::Replied { reply, .. } if reply.is_ok() => {}
                Heard::Replied { reply, .. } => {
                    return Err(Broken::Refused(reply.message().into()));
                }
                Heard::Output { ticket, output } => self.answered(ticket, &output)?,
                Heard::JobDone { job, output } => self.end_job(job, Ok(output)),
                Heard::JobRefused { job, reply } => {
                    self.end_job(job, Err(LinkError::Refused(reply.message().into())));
                }
                Heard::JobLost { job, stage } => self.lose(job, stage),
                Heard::Unanswered { .. } => {}
                Heard::Event(event) => self.take(event),
                Heard::Disconnected(end) => return Err(Broken::Ended(end)),
            }
        }
        Ok(())
    }

    /// Takes the answer to a ping.
    fn answered(&mut self, ticket: Ticket, output: &Bytes) -> Result<(), Broken> {
        let Some((_, at)) = self.asked.take_if(|(asked, _)| *asked == ticket) else {
            return Ok(());
        };
        self.shared.counters.pulse().round_trip = Some(at.elapsed());
        let core = Reply::read(output).message().parse().map_err(|_| Broken::NoCore)?;
        match self.core.replace(core) {
            Some(before) if before != core => Err(Broken::OtherCore),
            _ => Ok(()),
        }
    }

    fn end_job(&mut self, job: JobId, result: Result<Bytes, LinkError>) {
        if let Some(reply) = self.jobs.remove(&job) {
            drop(reply.send(result));
        }
    }

    fn lose(&mut self, job: JobId, stage: Stage) {
        let error = match stage {
            Stage::NotSent => LinkError::Down,
            _ => LinkError::Unconfirmed,
        };
        if error == LinkError::Unconfirmed {
            self.shared.counters.jobs_unanswered.fetch_add(1, Relaxed);
        }
        self.end_job(job, Err(error));
    }

    fn take(&mut self, event: Event) {
        let name = event.name();
        if name == EventName::Heartbeat {
            return self.hear_heartbeat(&event);
        }
        if let Some(news) = sofia::news(&event) {
            return self.tell(LinkEvent::Gateway(news));
        }
        let Some(channel) = event.unique_id() else { return };
        if name == EventName::ChannelHangupComplete {
            self.shared.watched.remove(&channel);
        }
        self.shared.counters.events.fetch_add(1, Relaxed);
        self.tell(LinkEvent::Channel(event));
    }

    fn tell(&self, event: LinkEvent) {
        let lost = self.shared.events.push(event);
        self.shared.counters.events_lost.fetch_add(lost, Relaxed);
    }

    fn hear_heartbeat(&mut self, event: &Event) {
        let now = Instant::now();
        self.shared.counters.pulse().heartbeat = Some(now);
        let stamp_us = event.header("Event-Date-Timestamp").and_then(|stamp| stamp.number());
        if stamp_us.is_some_and(|stamp_us| self.heartbeats.hear(now, stamp_us)) {
            tracing::warn!(link = self.shared.name, "heartbeats of FreeSWITCH are missing");
            self.tell(LinkEvent::Lost(Loss::Heartbeats));
        }
    }

    fn ping(&mut self) -> Result<(), Broken> {
        let ticket = self.line.talk.send(&Command::Api(Api::CoreUuid))?;
        let now = Instant::now();
        self.asked = Some((ticket, now));
        self.next_ping = now + self.shared.timing.ping;
        Ok(())
    }

    fn due(&self) -> Instant {
        let ping = self.asked.map_or(self.next_ping, |(_, at)| at + self.shared.timing.ping);
        self.heartbeats.overdue().map_or(ping, |overdue| ping.min(overdue))
    }

    fn tick(&mut self, now: Instant) -> Result<(), Broken> {
        if self.heartbeats.overdue().is_some_and(|overdue| overdue <= now) {
            return Err(Broken::NoHeartbeats);
        }
        let gone = self.jobs.extract_if(.., |_, reply| reply.is_closed());
        for (job, _) in gone {
            self.line.talk.give_up(job);
        }
        match self.asked {
            Some((_, at)) if at + self.shared.timing.ping <= now => Err(Broken::Silent),
            None if self.next_ping <= now => self.ping(),
            _ => Ok(()),
        }
    }
}
