//! Accepts FreeSWITCH's connections: one for each call.
//!
//! FreeSWITCH parks a call for ever when its connection is accepted and closed again before a
//! command was sent (`mod_event_socket.c` socket_function). So whatever can't be taken is still
//! handed on, marked as refused, and goes back to the dialplan in good order; only a peer that may
//! not be FreeSWITCH is dropped.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::config::Config;
use super::limits::{Gate, Refusal};

/// Silence on a connection after which the peer is asked whether it is still there.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(30);
/// Between two such questions.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
/// The first and the longest pause after an accept that failed for want of resources.
const BACK_OFF_MIN: Duration = Duration::from_millis(5);
const BACK_OFF_MAX: Duration = Duration::from_secs(1);
/// Connections that the kernel holds for us while we are busy.
const BACKLOG: i32 = 1_024;
/// Connections taken from one queue at most.
const QUEUE_MAX: usize = 16_384;

/// One connection of FreeSWITCH.
#[derive(Debug)]
pub struct Accepted {
    pub stream: TcpStream,
    pub peer: SocketAddr,
    pub admission: Admission,
    /// Gives the place back when it is dropped.
    pub place: Place,
}

/// Whether there is room for one more call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    Taken,
    /// The call is to go back to the dialplan, if it is not one that comes back to us.
    Refused(Refusal),
}

/// A place among the connections and calls; free again when dropped.
#[derive(Debug)]
pub struct Place {
    _connection: OwnedSemaphorePermit,
    _call: Option<OwnedSemaphorePermit>,
}

/// What the listener has seen.
#[derive(Debug, Default)]
pub struct Counters {
    pub accepted: AtomicU64,
    /// Peers outside the allowed networks.
    pub strangers: AtomicU64,
    /// Accepts that failed.
    pub failed: AtomicU64,
}

/// The way to a listener's socket as long as it is open.
#[derive(Debug, Clone)]
pub struct Handle(Weak<TcpListener>);

impl Handle {
    /// The same socket once more, for another process.
    ///
    /// # Errors
    /// It is closed, or the process has too many files open.
    pub fn share(&self) -> io::Result<OwnedFd> {
        let socket = self.0.upgrade().ok_or(io::ErrorKind::NotConnected)?;
        socket.as_fd().try_clone_to_owned()
    }
}

/// A bound socket and the limits on it.
#[derive(Debug)]
pub struct Listener {
    socket: Arc<TcpListener>,
    config: Config,
    connections: Arc<Semaphore>,
    gate: Arc<Gate>,
    counters: Arc<Counters>,
}

impl Listener {
    /// Listens on a socket that [`bind`] made, here or in another process.
    ///
    /// # Errors
    /// The system refuses the socket.
    pub fn on(socket: std::net::TcpListener, config: Config, gate: Arc<Gate>) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        Ok(Self {
            socket: Arc::new(TcpListener::from_std(socket)?),
            connections: Arc::new(Semaphore::new(config.max_connections)),
            gate,
            counters: Arc::default(),
            config,
        })
    }

    /// The address that was bound.
    ///
    /// # Errors
    /// The system does not say.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    pub fn handle(&self) -> Handle {
        Handle(Arc::downgrade(&self.socket))
    }

    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.counters)
    }

    /// Accepts until `shutdown`, and hands every connection to `serve`, which must not wait.
    pub async fn run(&self, shutdown: impl Future<Output = ()>, serve: &mut impl FnMut(Accepted)) {
        tokio::pin!(shutdown);
        let mut pause = BACK_OFF_MIN;
        loop {
            let accepted = tokio::select! {
                biased;
                () = &mut shutdown => return,
                accepted = self.accept() => accepted,
            };
            match accepted {
                Ok(Some(accepted)) => serve(accepted),
                Ok(None) => {}
                Err(error) => {
                    self.counters.failed.fetch_add(1, Ordering::Relaxed);
                    tracing::warn!(%error, pause_ms = pause.as_millis(), "accept failed");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(BACK_OFF_MAX);
                    continue;
                }
            }
            pause = BACK_OFF_MIN;
        }
    }

    /// Closes the socket, so that FreeSWITCH tries the next host of its list at once. Connections
    /// that wait in the kernel's queue would be reset by that, and their calls parked for ever:
    /// they are handed on before.
    pub fn close(self, serve: &mut impl FnMut(Accepted)) {
        match last(&*self.socket) {
            Ok(waiting) => {
                for (stream, peer) in waiting {
                    // One that finds no place is the lesser evil: nobody is kept waiting here.
                    let Ok(place) = Arc::clone(&self.connections).try_acquire_owned() else {
                        return;
                    };
                    self.take(stream, peer, place).into_iter().for_each(&mut *serve);
                }
            }
            Err(error) => tracing::warn!(%error, "the queue can't be emptied"),
        }
    }

    /// Waits for a place first: what we have no place for stays in the kernel's queue.
    async fn accept(&self) -> io::Result<Option<Accepted>> {
        let Ok(connection) = Arc::clone(&self.connections).acquire_owned().await else {
            return Err(io::Error::other("the listener is closed"));
        };
        let (stream, peer) = match self.socket.accept().await {
            Ok(accepted) => accepted,
            Err(error) if is_the_peers(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        Ok(self.take(stream, peer, connection))
    }

    /// Decides on a connection; none for a stranger's.
    fn take(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        connection: OwnedSemaphorePermit,
    ) -> Option<Accepted> {
        if !self.config.allows(peer.ip()) {
            self.counters.strangers.fetch_add(1, Ordering::Relaxed);
            tracing::warn!(%peer, "a peer outside the allowed networks was dropped");
            return None;
        }
        if let Err(error) = tune(&stream) {
            tracing::debug!(%peer, %error, "socket options were refused");
        }
        self.counters.accepted.fetch_add(1, Ordering::Relaxed);
        let (call, admission) = match self.gate.admit() {
            Ok(call) => (Some(call), Admission::Taken),
            Err(refusal) => (None, Admission::Refused(refusal)),
        };
        let place = Place { _connection: connection, _call: call };
        Some(Accepted { stream, peer, admission, place })
    }
}

/// The last connections of a listening socket that is about to be closed: who waits in its queue
/// now. Nobody is waited for.
///
/// # Errors
/// The system refuses.
pub fn last(socket: &impl AsFd) -> io::Result<Vec<(TcpStream, SocketAddr)>> {
    let socket = SockRef::from(socket);
    socket.set_nonblocking(true)?;
    // While they are taken, hardly anybody new comes in (listen(2) on a listening socket).
    socket.listen(0)?;
    let mut found = Vec::new();
    for _ in 0..QUEUE_MAX {
        match socket.accept() {
            Ok((stream, peer)) => {
                stream.set_nonblocking(true)?;
                let Some(peer) = peer.as_socket() else { continue };
                found.push((TcpStream::from_std(stream.into())?, peer));
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) if is_the_peers(&error) => {}
            Err(error) => return if found.is_empty() { Err(error) } else { Ok(found) },
        }
    }
    Ok(found)
}

/// Binds a listening socket; port 0 takes any free one.
///
/// # Errors
/// The address can't be bound.
pub fn bind(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let domain = socket2::Domain::for_address(address);
    let socket = socket2::Socket::new(domain, socket2::Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Errors that concern only the connection that was to be accepted (accept(2)).
fn is_the_peers(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::NetworkDown
            | io::ErrorKind::TimedOut
    )
}

pub(super) fn tune(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE_IDLE).with_interval(KEEPALIVE_INTERVAL);
    SockRef::from(stream).set_tcp_keepalive(&keepalive)
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::super::limits::Limits;
    use super::*;

    fn config() -> Config {
        Config { listen: "127.0.0.1:0".parse().unwrap(), ..Config::default() }
    }

    fn listener(config: Config, limits: &Limits) -> Listener {
        let socket = bind(config.listen).unwrap();
        Listener::on(socket, config, Arc::new(Gate::new(limits))).unwrap()
    }

    /// Runs a listener until `body` is through; what was accepted is kept open.
    async fn with<F: Future<Output = ()>>(
        listener: Listener,
        body: impl FnOnce(
            SocketAddr,
            Arc<Counters>,
            tokio::sync::mpsc::UnboundedReceiver<Accepted>,
        ) -> F,
    ) {
        let (address, counters) = (listener.local_addr().unwrap(), listener.counters());
        let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
        let body = body(address, counters, receiver);
        listener.run(body, &mut |accepted| drop(sender.send(accepted))).await;
    }

    #[tokio::test]
    async fn a_call_too_many_is_handed_on_as_refused_and_never_just_closed() {
        let limits = Limits { calls: 1, ..Limits::default() };
        let listener = listener(config(), &limits);
        with(listener, |address, _, mut accepted| async move {
            let _first = TcpStream::connect(address).await.unwrap();
            let _second = TcpStream::connect(address).await.unwrap();
            let busy = Admission::Refused(Refusal::Busy);
            let (first, second) = (accepted.recv().await.unwrap(), accepted.recv().await.unwrap());
            assert_eq!((first.admission, second.admission), (Admission::Taken, busy));
            drop(first);
            let _third = TcpStream::connect(address).await.unwrap();
            assert_eq!(accepted.recv().await.unwrap().admission, Admission::Taken);
        })
        .await;
    }

    #[tokio::test]
    async fn a_stranger_is_dropped_and_counted() {
        let nobody = Config { allow: vec!["192.0.2.0/24".parse().unwrap()], ..config() };
        with(listener(nobody, &Limits::default()), |address, counters, _accepted| async move {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let end = stream.read(&mut [0; 16]).await;
            assert!(matches!(end, Ok(0) | Err(_)));
            assert_eq!(counters.strangers.load(Ordering::Relaxed), 1);
        })
        .await;
    }

    #[tokio::test]
    async fn beyond_the_connection_limit_peers_wait_and_are_not_lost() {
        let config = Config { max_connections: 1, ..config() };
        with(listener(config, &Limits::default()), |address, _, mut accepted| async move {
            let _first = TcpStream::connect(address).await.unwrap();
            let _second = TcpStream::connect(address).await.unwrap();
            let first = accepted.recv().await.unwrap();
            assert!(accepted.try_recv().is_err());
            drop(first);
            assert!(accepted.recv().await.is_some());
        })
        .await;
    }

    #[tokio::test]
    async fn whoever_waits_when_the_port_is_closed_is_handed_on() {
        let listener = listener(config(), &Limits::default());
        let address = listener.local_addr().unwrap();
        let mut waiting = Vec::new();
        for _ in 0..5 {
            waiting.push(TcpStream::connect(address).await.unwrap());
        }
        let mut taken = Vec::new();
        listener.close(&mut |accepted| taken.push(accepted));
        assert_eq!(taken.len(), 5);
        assert!(TcpStream::connect(address).await.is_err());
    }
}
