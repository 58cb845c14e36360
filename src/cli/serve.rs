//! `callwright serve`: the daemon.

use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::app::config::{Config, Log};
use crate::app::host::Host;
use crate::store::Store;

use super::args::Serve;
use super::exit;

pub(super) async fn run(mut config: Config, args: &Serve) -> anyhow::Result<ExitCode> {
    if let Some(address) = args.listen {
        config.switch.listen = address;
    }
    log(&config.log)?;
    let began = Instant::now();
    // A database that is away does not keep calls from being taken.
    let store = Store::lazy(&config.store)?;
    let host = match Host::build(config, &store).await {
        Ok(host) => host,
        Err(error) => {
            tracing::error!("{error:#}");
            return Ok(ExitCode::from(exit::UNAVAILABLE));
        }
    };
    tracing::debug!(took_ms = began.elapsed().as_millis(), "everything is loaded");
    let (console, mut stops) = (host.console(), Stops::new()?);
    let stopping = tokio::spawn(async move {
        loop {
            stops.next().await;
            console.stop();
        }
    });
    let ran = host.run().await;
    stopping.abort();
    store.close().await;
    if let Err(error) = ran {
        tracing::error!("{error:#}");
        return Ok(ExitCode::from(exit::UNAVAILABLE));
    }
    tracing::info!("stopped");
    Ok(ExitCode::SUCCESS)
}

/// The end of the process's life by the operator's or the system's hand: SIGTERM or Ctrl-C, more
/// than once if need be.
pub(super) struct Stops {
    terminate: Signal,
    interrupt: Signal,
}

impl Stops {
    pub(super) fn new() -> anyhow::Result<Self> {
        let terminate = signal(SignalKind::terminate()).context("SIGTERM")?;
        let interrupt = signal(SignalKind::interrupt()).context("SIGINT")?;
        Ok(Self { terminate, interrupt })
    }

    pub(super) async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

pub(super) fn log(settings: &Log) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(&settings.filter).context("log.filter")?;
    let colours = std::io::stderr().is_terminal();
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(colours);
    if settings.json {
        builder.json().init()
    } else {
        builder.init()
    }
    Ok(())
}
