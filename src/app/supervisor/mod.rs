//! The supervisor: holds the listening sockets, so that callers wait while no worker runs, and
//! keeps a worker running.
//!
//! It does little, so that there is little that could end it: no database, no call, no setting but
//! the sockets and its own.

mod policy;
mod worker;

use std::net::TcpListener;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::task::TaskTracker;

use super::config::Config;
use super::host::follow;
use super::sockets::{Origin, Sockets};
use crate::control::ask::Peer;
use crate::control::notify;
use crate::control::path::Place;
use crate::control::protocol::{Answer, Request, SocketName};
use crate::control::serve::{self, Office};
use crate::driver::refuse;
use crate::switch::listener::bind;
use policy::Policy;
use worker::{Seen, Worker};

pub use worker::Program;

/// Between two looks at the workers; their deaths are seen at once.
const LOOK: Duration = Duration::from_millis(100);
/// The same while one of them is to become ready.
const LOOK_SOON: Duration = Duration::from_millis(10);
/// How long a worker may take to end beyond the time it gives its calls.
const MARGIN: Duration = Duration::from_secs(15);
/// How long a worker may take to say that it takes no more calls.
const STOP_MAX: Duration = Duration::from_secs(2);

/// The listening sockets, as long as they are open.
#[derive(Debug, Default)]
struct Open {
    calls: Option<TcpListener>,
    health: Option<TcpListener>,
    api: Option<TcpListener>,
    xml_curl: Option<TcpListener>,
}

/// Gives workers the sockets.
#[derive(Debug, Default)]
struct Stock(Mutex<Open>);

impl Stock {
    fn with<T>(&self, work: impl FnOnce(&mut Open) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Office for Stock {
    async fn answer(&self, request: Request) -> (Answer, Vec<OwnedFd>) {
        let refused = |reason: &str| (Answer::Refused { reason: reason.to_owned() }, Vec::new());
        if request != Request::Sockets {
            return refused("a supervisor gives sockets and nothing else");
        }
        self.with(|open| {
            let all = [
                (SocketName::Calls, &open.calls),
                (SocketName::Health, &open.health),
                (SocketName::Api, &open.api),
                (SocketName::XmlCurl, &open.xml_curl),
            ];
            let open = all.into_iter().filter_map(|(name, socket)| Some((name, socket.as_ref()?)));
            let shared: std::io::Result<Vec<_>> = open
                .map(|(name, socket)| Ok((name, socket.as_fd().try_clone_to_owned()?)))
                .collect();
            match shared {
                Ok(shared) => {
                    let (names, sockets) = shared.into_iter().unzip();
                    (Answer::Sockets { names }, sockets)
                }
                Err(error) => refused(&error.to_string()),
            }
        })
    }
}

/// A supervisor that is ready to start its first worker.
#[derive(Debug)]
pub struct Supervisor {
    program: Program,
    stock: Arc<Stock>,
    folder: tempfile::TempDir,
    address: std::net::SocketAddr,
    /// Systemd holds the socket too: closing it here would close nothing.
    kept: bool,
    watchdog: Duration,
    end_max: Duration,
    policy: Policy,
    /// Takes calls.
    current: Option<Worker>,
    /// Is to take them, and not ready yet.
    next: Option<Worker>,
    /// Let go of theirs.
    leaving: Vec<Worker>,
    started: u64,
    /// When the next worker is due.
    due: Instant,
    predecessor: Option<Peer>,
    above: notify::Notifier,
    above_beat: Instant,
    stopping: Option<Instant>,
    /// A worker is to be replaced as soon as it is ready.
    replace: bool,
    /// Sockets whose queues are being emptied.
    closing: TaskTracker,
}

impl Supervisor {
    /// Takes or binds the listening sockets.
    ///
    /// # Errors
    /// A port is taken, or there is no room for temporary files.
    pub async fn build(config: &Config, program: Program) -> anyhow::Result<Self> {
        let sockets = Sockets::find(config).await?;
        let address = sockets.calls.local_addr()?;
        tracing::info!(origin = ?sockets.origin, %address, "holds the listening socket");
        let open = Open {
            calls: Some(sockets.calls),
            health: sockets.health,
            api: sockets.api,
            xml_curl: sockets.xml_curl,
        };
        Ok(Self {
            program,
            stock: Arc::new(Stock(Mutex::new(open))),
            folder: tempfile::Builder::new().prefix("callwright").tempdir().context("TMPDIR")?,
            address,
            kept: sockets.origin == Origin::Systemd,
            watchdog: config.supervise.watchdog.into(),
            end_max: Duration::from(config.grace) + MARGIN,
            policy: Policy::new(config.supervise.failures),
            current: None,
            next: None,
            leaving: Vec::new(),
            started: 0,
            due: Instant::now(),
            predecessor: sockets.predecessor,
            above: notify::Notifier::of_environment().context("NOTIFY_SOCKET")?,
            above_beat: Instant::now(),
            stopping: None,
            replace: false,
            closing: TaskTracker::new(),
        })
    }

    /// Keeps a worker running until SIGTERM or SIGINT. SIGHUP replaces it.
    ///
    /// # Errors
    /// Signals can't be heard, or there is no place for the workers' socket.
    pub async fn run(mut self) -> anyhow::Result<()> {
        let place = Place::take(&self.sockets_path()).context("the workers' socket")?;
        let giving = tokio::spawn(serve::run(Arc::new(place), Arc::clone(&self.stock)));
        let mut signals = Signals::new()?;
        while !self.is_over() {
            let due = self.due;
            let look = if self.next.is_some() { LOOK_SOON } else { LOOK };
            tokio::select! {
                () = sleep(look) => {}
                _ = signals.child.recv() => {}
                () = sleep_until(due), if self.lacks_worker() => self.start(),
                _ = signals.hangup.recv() => self.replace(),
                _ = signals.terminate.recv() => self.stop().await,
                _ = signals.interrupt.recv() => self.stop().await,
            }
            self.look().await;
        }
        giving.abort();
        self.close_at_the_end();
        self.closing.close();
        self.closing.wait().await;
        tracing::info!("stopped");
        Ok(())
    }

    fn sockets_path(&self) -> PathBuf {
        self.folder.path().join("sockets")
    }

    fn is_over(&self) -> bool {
        self.stopping.is_some()
            && self.current.is_none()
            && self.next.is_none()
            && self.leaving.is_empty()
    }

    fn lacks_worker(&self) -> bool {
        self.stopping.is_none() && self.current.is_none() && self.next.is_none()
    }

    fn start(&mut self) {
        if let Err(error) = self.open() {
            tracing::error!(%error, address = %self.address, "the port can't be opened again");
            self.due = Instant::now() + self.policy.failed();
            return;
        }
        self.started += 1;
        let (path, sockets) = (self.folder.path(), self.sockets_path());
        match Worker::start(&self.program, path, &sockets, self.started, self.watchdog) {
            Ok(worker) => {
                tracing::info!(pid = worker.pid(), "started a worker");
                self.next = Some(worker);
            }
            Err(error) => {
                let pause = self.policy.failed();
                let program = self.program.path.display();
                tracing::error!(%error, %program, ?pause, "no worker can be started");
                self.due = Instant::now() + pause;
            }
        }
    }

    /// Starts a worker beside the one that runs, which goes when the new one is ready.
    fn replace(&mut self) {
        // A worker that is starting may be of the program that was there before.
        self.replace = self.next.is_some();
        if self.stopping.is_none() && !self.replace {
            tracing::info!("replacing the worker");
            self.start();
        }
    }

    async fn stop(&mut self) {
        if self.stopping.is_none() {
            tracing::info!("stopping");
            self.above.insist("STOPPING=1").await;
            self.stopping = Some(Instant::now());
        }
        for worker in self.current.iter_mut().chain(&mut self.next).chain(&mut self.leaving) {
            worker.end(self.end_max);
        }
        self.leaving.extend(self.current.take());
        self.leaving.extend(self.next.take());
    }

    /// Closes the socket when no worker takes calls from it any more: the last one empties its
    /// queue.
    fn close_at_the_end(&self) {
        let Some(since) = self.stopping else { return };
        if self.leaving.iter().all(Worker::is_stopping) || since.elapsed() > STOP_MAX {
            self.close("draining");
        }
    }

    async fn look(&mut self) {
        if self.above.beat().is_some_and(|interval| self.above_beat.elapsed() >= interval) {
            self.above_beat = Instant::now();
            self.above.say("WATCHDOG=1");
        }
        self.leaving.retain_mut(|worker| !has_left(worker));
        self.close_at_the_end();
        self.look_at_next().await;
        self.look_at_current();
    }

    async fn look_at_next(&mut self) {
        let Some(mut worker) = self.next.take() else { return };
        for seen in worker.look() {
            match seen {
                Seen::Ready => return self.promote(worker).await,
                Seen::Dead(how) => return self.fail(&worker, &how),
                Seen::Stuck(why) => kill(&worker, why),
                Seen::Stopping => {}
            }
        }
        self.next = Some(worker);
    }

    async fn promote(&mut self, worker: Worker) {
        let took_ms = worker.age().as_millis();
        tracing::info!(pid = worker.pid(), took_ms, "a worker is ready");
        self.policy.worked();
        if let Some(mut old) = self.current.replace(worker) {
            old.end(self.end_max);
            self.leaving.push(old);
        }
        if let Some(predecessor) = self.predecessor.take()
            && let Err(error) = follow(predecessor).await
        {
            tracing::error!("{error}");
        }
        self.above.insist("READY=1").await;
        if self.replace {
            self.replace();
        }
    }

    fn fail(&mut self, worker: &Worker, how: &str) {
        let pause = self.policy.failed();
        let failures = self.policy.failures();
        tracing::error!(pid = worker.pid(), how, failures, "a worker died before it was ready");
        if self.current.is_some() {
            tracing::warn!("the worker before goes on");
            return;
        }
        self.due = Instant::now() + pause;
        if self.policy.is_hopeless() {
            tracing::error!(?pause, "the port is closed until the next attempt");
            self.close("down");
        }
    }

    fn look_at_current(&mut self) {
        let Some(mut worker) = self.current.take() else { return };
        for seen in worker.look() {
            match seen {
                Seen::Dead(how) => {
                    tracing::error!(pid = worker.pid(), how, "the worker died");
                    self.due = Instant::now();
                    if self.lacks_worker() {
                        self.start();
                    }
                    return;
                }
                Seen::Stopping => {
                    tracing::info!(pid = worker.pid(), "the worker stops by itself");
                    self.leaving.push(worker);
                    self.due = Instant::now();
                    return;
                }
                Seen::Stuck(why) => kill(&worker, why),
                Seen::Ready => {}
            }
        }
        self.current = Some(worker);
    }

    /// Closes the socket, unless somebody else holds it too; whoever waits goes back to the
    /// dialplan.
    fn close(&self, word: &'static str) {
        if self.kept {
            return;
        }
        let Some(socket) = self.stock.with(|open| open.calls.take()) else { return };
        self.closing.spawn(async move {
            match refuse::close(socket, word).await {
                Ok(0) => {}
                Ok(calls) => tracing::warn!(calls, "calls went back to the dialplan"),
                Err(error) => tracing::error!(%error, "calls that waited are lost"),
            }
        });
    }

    fn open(&self) -> std::io::Result<()> {
        self.stock.with(|open| {
            if open.calls.is_none() {
                open.calls = Some(bind(self.address)?);
                tracing::info!(address = %self.address, "the port is open again");
            }
            Ok(())
        })
    }
}

/// Whether a worker that leaves is gone.
fn has_left(worker: &mut Worker) -> bool {
    let mut gone = false;
    for seen in worker.look() {
        match seen {
            Seen::Dead(how) => {
                tracing::info!(pid = worker.pid(), how, "the worker is gone");
                gone = true;
            }
            Seen::Stuck(why) => kill(worker, why),
            Seen::Ready | Seen::Stopping => {}
        }
    }
    gone
}

fn kill(worker: &Worker, why: &str) {
    tracing::error!(pid = worker.pid(), why, "killing a worker");
    worker.kill();
}

/// What the supervisor listens to.
struct Signals {
    child: Signal,
    hangup: Signal,
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> anyhow::Result<Self> {
        let of = |kind| signal(kind).context("signals");
        Ok(Self {
            child: of(SignalKind::child())?,
            hangup: of(SignalKind::hangup())?,
            terminate: of(SignalKind::terminate())?,
            interrupt: of(SignalKind::interrupt())?,
        })
    }
}
