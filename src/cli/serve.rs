//! `callwright serve`: the daemon.

use std::io::IsTerminal;
use std::process::ExitCode;

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::app::Daemon;
use crate::app::config::{Config, Log};

use super::args::Serve;
use super::{exit, open};

pub(super) async fn run(mut config: Config, args: &Serve) -> anyhow::Result<ExitCode> {
    if let Some(address) = args.listen {
        config.switch.listen = address;
    }
    log(&config.log)?;
    let store = open(&config).await?;
    let daemon = match Daemon::build(&config, &store).await {
        Ok(daemon) => daemon,
        Err(error) => {
            tracing::error!("{error:#}");
            return Ok(ExitCode::from(exit::UNAVAILABLE));
        }
    };
    let version = env!("CARGO_PKG_VERSION");
    tracing::info!(address = %daemon.address()?, version, "ready for calls");
    daemon.run(stopped()?).await;
    store.close().await;
    tracing::info!("stopped");
    Ok(ExitCode::SUCCESS)
}

/// The end of the process's life by the operator's or the system's hand: SIGTERM or Ctrl-C.
pub(super) fn stopped() -> anyhow::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate()).context("SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT")?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

fn log(settings: &Log) -> anyhow::Result<()> {
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
