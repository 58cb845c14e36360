//! What a daemon answers on its control socket.

use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::process::{Pid, getppid};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::protocol::{Answer, HeldCall, Refused, Request, SocketName, Status};
use super::room::RoomDesk;
use super::serve::Office;
use crate::base::ids::{CallId, ChannelId, TenantId};
use crate::call::input::{OPERATOR, Ordered};
use crate::call::place::Placement;
use crate::driver::call::Shared;
use crate::driver::place::{PlaceError, place};
use crate::driver::registry::{Scope, TellError, When};
use crate::driver::serve::{Drain, Socket};
use crate::model::live::LiveCall;
use crate::switch::limits::{Gate, Refusal};
use crate::switch::listener::Handle;

/// A command to a call that another process may hold.
#[derive(Debug)]
pub struct Errand {
    pub scope: Scope,
    pub whose: Whose,
    pub ordered: Ordered,
    pub answer: oneshot::Sender<Result<(), TellError>>,
}

/// Which call of another process is meant.
#[derive(Debug)]
pub enum Whose {
    Call(CallId),
    /// That of the first of these channels whose call is known.
    FirstOf(Vec<ChannelId>),
}

/// Everything that can be asked of a daemon and ordered from outside.
#[derive(Debug)]
pub struct Console {
    pub shared: Arc<Shared>,
    pub gate: Arc<Gate>,
    pub drain: Drain,
    /// The socket on which calls come in.
    pub calls: Handle,
    /// The way to other processes, where there may be any.
    pub elsewhere: Option<mpsc::Sender<Errand>>,
    /// The socket of health, where it has one.
    pub health: Option<TcpListener>,
    /// The socket of the HTTP API, where it has one.
    pub api: Option<TcpListener>,
    /// The socket of what mod_xml_curl asks, where it has one.
    pub xml_curl: Option<TcpListener>,
    pub address: SocketAddr,
    /// Whether somebody else holds the listening socket too, and keeps it open when we end.
    pub kept: bool,
    pub began: Instant,
    /// Our supervisor, where we have one of our own.
    pub supervisor: Option<Pid>,
    /// Calls are being taken.
    pub accepting: AtomicBool,
    /// Another process has taken the calls, and answers for its health from now on.
    pub followed: CancellationToken,
}

impl Console {
    /// What becomes of the listening socket when this process stops by itself.
    pub const fn socket(&self) -> Socket {
        if self.kept { Socket::Leave } else { Socket::Close }
    }

    /// Stops for a signal; the second one hastens the first.
    pub fn stop(&self) {
        self.drain.hasten(self.socket());
    }

    /// Whether the next call would be taken.
    pub fn is_ready(&self) -> bool {
        self.is_accepting() && self.gate.sheds().is_none()
    }

    pub fn is_accepting(&self) -> bool {
        self.accepting.load(Ordering::Relaxed) && self.drain.since().is_none()
    }

    pub fn status(&self) -> Status {
        let (shared, gate) = (&self.shared, &self.gate);
        let pulse = gate.pulse();
        let at = |socket: Option<&TcpListener>| Some(socket?.local_addr().ok()?.to_string());
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            up_ms: ms(self.began.elapsed()),
            address: self.address.to_string(),
            health: at(self.health.as_ref()),
            api: at(self.api.as_ref()),
            xml_curl: at(self.xml_curl.as_ref()),
            ready: self.is_ready(),
            calls: shared.registry.len(),
            talking: shared.registry.talking(),
            begun: shared.counters.begun.load(Ordering::Relaxed),
            faults: shared.counters.faults.load(Ordering::Relaxed),
            turned_away: shared
                .counters
                .turned_away()
                .into_iter()
                .map(|(rule, count)| (rule.to_owned(), count))
                .collect(),
            refused: Refused {
                all: shared.counters.refused.load(Ordering::Relaxed),
                busy: gate.refused(Refusal::Busy),
                rate: gate.refused(Refusal::Rate),
                memory: gate.refused(Refusal::Memory),
                slow: gate.refused(Refusal::Slow),
            },
            delay_us: u64::try_from(pulse.delay().as_micros()).unwrap_or(u64::MAX),
            memory: pulse.memory(),
            shedding: gate.sheds().map(|refusal| refusal.word().to_owned()),
            draining_ms: self.drain.since().map(ms),
        }
    }

    fn live(&self) -> Vec<HeldCall> {
        let calls = self.shared.registry.list().into_iter();
        let mut calls: Vec<_> = calls.map(|(call, talks)| HeldCall { call, talks }).collect();
        calls.sort_unstable_by_key(|live| live.call);
        calls
    }

    /// Why nobody may follow us.
    fn stays(&self) -> Option<String> {
        // Whoever lost its supervisor has another parent.
        let supervisor = self.supervisor.filter(|pid| getppid() == Some(*pid));
        match supervisor {
            _ if self.drain.since().is_some() => Some("it takes no calls any more".to_owned()),
            Some(pid) => Some(format!(
                "its supervisor replaces it when it gets SIGHUP: `kill -HUP {}`",
                pid.as_raw_nonzero()
            )),
            None => None,
        }
    }

    fn sockets(&self) -> (Answer, Vec<OwnedFd>) {
        if let Some(reason) = self.stays() {
            return (Answer::Refused { reason }, Vec::new());
        }
        let calls = match self.calls.share() {
            Ok(socket) => socket,
            Err(error) => return (refused(&error.to_string()), Vec::new()),
        };
        let (mut names, mut sockets) = (vec![SocketName::Calls], vec![calls]);
        for (name, own) in [
            (SocketName::Health, &self.health),
            (SocketName::Api, &self.api),
            (SocketName::XmlCurl, &self.xml_curl),
        ] {
            let shared = own.as_ref().map(|socket| socket.as_fd().try_clone_to_owned());
            if let Some(Ok(shared)) = shared {
                names.push(name);
                sockets.push(shared);
            }
        }
        (Answer::Sockets { names }, sockets)
    }

    /// Tells a call of ours, or has another process tell it, and waits for its answer.
    ///
    /// # Errors
    /// Nobody has the call, or it did not do it, and why.
    pub async fn order(
        &self,
        scope: Scope,
        call: CallId,
        ordered: Ordered,
    ) -> Result<(), TellError> {
        let told = self.shared.registry.tell(scope, call, ordered.clone()).await;
        match told {
            Err(TellError::Unknown) => self.send(scope, Whose::Call(call), ordered).await,
            told => told,
        }
    }

    /// Has another process tell a call of its.
    ///
    /// # Errors
    /// None has it, or it did not do it, and why.
    pub(super) async fn send(
        &self,
        scope: Scope,
        whose: Whose,
        ordered: Ordered,
    ) -> Result<(), TellError> {
        let elsewhere = self.elsewhere.as_ref().ok_or(TellError::Unknown)?;
        let (answer, told) = oneshot::channel();
        if elsewhere.try_send(Errand { scope, whose, ordered, answer }).is_err() {
            return Err(TellError::Away("too many commands wait for other processes".into()));
        }
        told.await.unwrap_or_else(|_| Err(TellError::Away("this process is about to end".into())))
    }

    /// Calls somebody for a tenant.
    ///
    /// # Errors
    /// It can't be done, and why.
    pub fn place(
        &self,
        tenant: TenantId,
        placement: &Placement,
        by: &str,
    ) -> Result<LiveCall, PlaceError> {
        place(&self.shared, tenant, placement, by)
    }

    fn hand_over(&self) -> Answer {
        if let Some(reason) = self.stays() {
            return Answer::Refused { reason };
        }
        tracing::info!("another process takes the calls");
        self.followed.cancel();
        self.drain.order(When::Boundary, Socket::Leave);
        Answer::Done
    }
}

impl Office for Console {
    async fn answer(&self, request: Request) -> (Answer, Vec<OwnedFd>) {
        let answer = match request {
            Request::Sockets => return self.sockets(),
            Request::Status => Answer::Status(Box::new(self.status())),
            Request::Calls => Answer::Calls { calls: self.live() },
            Request::Tell { scope, call, command } => {
                match self.order(scope, call, command.into()).await {
                    Ok(()) => Answer::Done,
                    Err(error) => refused(&error.to_string()),
                }
            }
            Request::Place { tenant, placement } => {
                match self.place(tenant, &placement, OPERATOR) {
                    Ok(live) => Answer::Placed { call: live.call },
                    Err(error) => refused(&error.to_string()),
                }
            }
            Request::Room { tenant, room, by, command } => {
                let desk = RoomDesk::new(self, tenant, &room);
                match desk.run(by, &command).await {
                    Ok(Some(room)) => Answer::Room { room },
                    Ok(None) => Answer::Done,
                    Err(error) => refused(&error.to_string()),
                }
            }
            Request::Drain { when } => {
                self.drain.order(when, self.socket());
                Answer::Done
            }
            Request::HandOver => self.hand_over(),
        };
        (answer, Vec::new())
    }
}

fn refused(reason: &str) -> Answer {
    Answer::Refused { reason: reason.to_owned() }
}
