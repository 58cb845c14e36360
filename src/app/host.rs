//! A daemon as a process: it follows the one that ran before, answers for itself while it runs, and
//! lets go of its calls when it is told to stop.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context;
use rustix::process::getppid;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Daemon;
use super::config::Config;
use super::figures::{Figures, look};
use super::sockets::{Origin, Sockets, control_path};
use crate::api::Api;
use crate::archive::prompts::Prompts;
use crate::control::ask::{AskError, Peer};
use crate::control::console::Console;
use crate::control::notify::Notifier;
use crate::control::path::Place;
use crate::control::protocol::Request;
use crate::control::{health, serve};
use crate::provision::Provision;
use crate::provision::config::PasswordError;
use crate::store::Store;

/// How often the supervisor is told how things are.
const STATUS: Duration = Duration::from_secs(5);

/// A daemon and all that stands around it.
#[derive(Debug)]
pub struct Host {
    daemon: Daemon,
    console: Arc<Console>,
    health: Option<(Figures, std::net::TcpListener)>,
    api: Option<(Api, std::net::TcpListener)>,
    xml_curl: Option<(Provision, std::net::TcpListener)>,
    predecessor: Option<Peer>,
    notifier: Notifier,
    config: Config,
}

impl Host {
    /// Makes everything ready; nothing is taken yet.
    ///
    /// # Errors
    /// Whatever is missing or taken, in words for the operator.
    pub async fn build(config: Config, store: &Store) -> anyhow::Result<Self> {
        let notifier = Notifier::of_environment().context("NOTIFY_SOCKET")?;
        let sockets = Sockets::find(&config).await?;
        tracing::info!(origin = ?sockets.origin, "has the listening socket");
        let (kept, origin) = (sockets.kept(), sockets.origin);
        let predecessor = sockets.predecessor;
        let daemon = Daemon::on(sockets.calls, &config, store, |_| {}).await?;
        let same = |socket: &Option<std::net::TcpListener>| {
            socket.as_ref().map(std::net::TcpListener::try_clone).transpose()
        };
        let (health, api) = (same(&sockets.health)?, same(&sockets.api)?);
        let xml_curl = same(&sockets.xml_curl)?;
        let console = Console {
            shared: Arc::clone(&daemon.shared),
            gate: Arc::clone(&daemon.gate),
            drain: daemon.drain.clone(),
            calls: daemon.listener.handle(),
            health,
            api,
            xml_curl,
            elsewhere: daemon.elsewhere.clone(),
            address: daemon.address()?,
            kept,
            supervisor: if origin == Origin::Supervisor { getppid() } else { None },
            began: Instant::now(),
            accepting: AtomicBool::new(false),
            followed: CancellationToken::new(),
        };
        let console = Arc::new(console);
        let api = sockets.api.map(|socket| {
            let (directory, own) = (daemon.directory.clone(), Arc::clone(&console));
            let archive = Arc::clone(&daemon.archive);
            let (settings, speech) = (config.api.clone(), config.store.speech.is_some());
            let prompts = Prompts::new(&config.prompts);
            let told = (daemon.followed.clone(), daemon.watch.hooks.clone());
            let (store, accounts) = (store.clone(), daemon.watch.accounts.clone());
            let api =
                Api::new(store, directory, accounts, told, own, archive, prompts, settings, speech);
            (api, socket)
        });
        let answer = |socket| {
            let accounts = daemon.watch.accounts.clone();
            Ok::<_, PasswordError>((Provision::new(accounts, config.xml_curl.clone())?, socket))
        };
        let xml_curl = sockets.xml_curl.map(answer).transpose()?;
        let health = sockets.health.map(|socket| (figures(&daemon, &console, store), socket));
        Ok(Self { daemon, console, health, api, xml_curl, predecessor, notifier, config })
    }

    /// What it can be asked, and how it is stopped.
    pub fn console(&self) -> Arc<Console> {
        Arc::clone(&self.console)
    }

    /// Takes calls, from the process before too, until it is told to stop and all are let go.
    ///
    /// # Errors
    /// A third process takes over from the one before.
    pub async fn run(self) -> anyhow::Result<()> {
        if let Some(predecessor) = self.predecessor {
            follow(predecessor).await?;
        }
        let mut around = JoinSet::new();
        match Place::take(&control_path(&self.config)) {
            Ok(place) => drop(around.spawn(serve::run(Arc::new(place), self.console.clone()))),
            Err(error) => {
                let path = control_path(&self.config);
                tracing::error!(%error, path = %path.display(), "there is no control socket");
            }
        }
        if let Some((figures, socket)) = self.health {
            let console = Arc::clone(&self.console);
            let exposed: health::Figures = Arc::new(move || figures.exposed());
            around.spawn(async move {
                if let Err(error) = health::run(socket, console, exposed).await {
                    tracing::error!(%error, "health is not answered for");
                }
            });
        }
        if let Some((api, socket)) = self.api {
            let stop = self.console.followed.clone();
            around.spawn(async move {
                if let Err(error) = api.run(socket, stop).await {
                    tracing::error!(%error, "the HTTP API is not answered");
                }
            });
        }
        if let Some((provision, socket)) = self.xml_curl {
            let stop = self.console.followed.clone();
            around.spawn(async move {
                if let Err(error) = provision.run(socket, stop).await {
                    tracing::error!(%error, "mod_xml_curl is not answered");
                }
            });
        }
        let notifier = Arc::new(self.notifier);
        around.spawn(beat(Arc::clone(&self.console), Arc::clone(&notifier)));
        self.console.accepting.store(true, Ordering::Relaxed);
        let version = env!("CARGO_PKG_VERSION");
        tracing::info!(address = %self.console.address, version, "ready for calls");
        let ready = async {
            notifier.insist(&format!("READY=1\n{}", status(&self.console))).await;
            self.console.drain.ordered().await;
            notifier.insist(&format!("STOPPING=1\n{}", status(&self.console))).await;
        };
        tokio::join!(ready, self.daemon.drained());
        around.shutdown().await;
        Ok(())
    }
}

/// All of which there are figures. The database is asked for as long as they are wanted.
fn figures(daemon: &Daemon, console: &Arc<Console>, store: &Store) -> Figures {
    let (tell, lines) = watch::channel(None);
    tokio::spawn(look(store.clone(), tell));
    Figures {
        console: Arc::clone(console),
        directory: daemon.directory.clone(),
        recorder: daemon.recorder.clone(),
        links: Arc::clone(&daemon.watch.links),
        accounts: daemon.watch.accounts.clone(),
        lines,
    }
}

/// Takes the calls from the process before. One that hangs has no say in it: we have the sockets.
pub(super) async fn follow(mut predecessor: Peer) -> Result<(), AskError> {
    match predecessor.ask(&Request::HandOver).await {
        Ok(_) => tracing::info!(pid = predecessor.pid(), "follows"),
        Err(refused @ AskError::Refused { .. }) => return Err(refused),
        Err(error) => tracing::error!("{error}; its calls are not let go"),
    }
    Ok(())
}

/// Beats for ever: the pulse of the event loop, which the supervisor hears too.
async fn beat(console: Arc<Console>, notifier: Arc<Notifier>) {
    let mut told = Instant::now();
    let mut beaten = Instant::now();
    let pulse = console.gate.pulse();
    pulse
        .run(|| {
            let now = Instant::now();
            if notifier.beat().is_some_and(|interval| now - beaten >= interval) {
                beaten = now;
                notifier.say("WATCHDOG=1");
            }
            if now - told >= STATUS {
                told = now;
                notifier.say(&status(&console));
            }
        })
        .await;
}

fn status(console: &Console) -> String {
    let status = console.status();
    let (calls, talking) = (status.calls, status.talking);
    match (status.draining_ms, status.shedding) {
        (Some(ms), _) => {
            format!("STATUS=draining for {} s: {calls} calls left, {talking} talking", ms / 1_000)
        }
        (None, Some(word)) => format!("STATUS=refusing calls ({word}): {calls} calls"),
        (None, None) => format!("STATUS=ready: {calls} calls, {talking} talking"),
    }
}
