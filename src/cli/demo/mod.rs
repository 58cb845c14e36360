//! `callwright demo`: a sample tenant, a daemon and a simulated switch in one process, at real
//! speed. Nothing is left behind.

mod backend;
mod callers;
mod sample;
mod stub;
mod tenants;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use serde::Serialize;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::app::config::Config;
use crate::app::{Daemon, News};
use crate::driver::call::Clock;
use crate::driver::dialer::place;
use crate::simulator::{Script, Verdict};
use crate::store::{Database, Store};

use super::args::Demo;
use super::screen::{BOLD, DIM, GREEN, RED, Screen, paint};
use super::{exit, serve, timeline};

/// How a sample call came out.
#[derive(Serialize)]
struct Told<'a> {
    call: &'a str,
    passed: bool,
    failure: Option<String>,
}

pub(super) async fn run(args: &Demo, screen: Screen) -> anyhow::Result<ExitCode> {
    if let Some(api) = args.api {
        return backend::run(api, args.keys.as_deref(), screen).await;
    }
    let folder = tempfile::tempdir()?;
    let config = settings(folder.path());
    let store = Store::open(&config.store).await?;
    let stub = stub::start().await?;
    sample::set_up(&store, stub).await?;
    let daemon = Daemon::watched(&config, &store, move |news| tell(news, screen)).await?;
    let address = daemon.address()?;
    let stop = CancellationToken::new();
    let serving = tokio::spawn(daemon.run(stop.clone().cancelled_owned()));
    if !screen.json {
        screen.line(format!(
            "{} A daemon listens on {address}; a simulated switch places {} calls.",
            paint(BOLD, "callwright demo"),
            sample::CALLS.len()
        ))?;
    }
    let all = call_all(address, screen).await?;
    if !args.exit {
        if !screen.json {
            screen.line(format!("\nStill serving on {address}; Ctrl-C ends it."))?;
        }
        serve::Stops::new()?.next().await;
    }
    stop.cancel();
    serving.await?;
    store.close().await;
    Ok(if all { ExitCode::SUCCESS } else { ExitCode::from(exit::NO) })
}

/// SQLite in a folder that is thrown away, and free ports.
fn settings(folder: &Path) -> Config {
    let mut config = Config::default();
    config.switch.listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    config.store.database = Database::Sqlite(folder.join("demo.db"));
    config.store.spool = folder.join("spool");
    config.store.message_directory = folder.join("messages").to_string_lossy().into_owned();
    config.recordings.store = folder.join("recordings").to_string_lossy().into_owned();
    config.prompts.directory = folder.join("prompts").to_string_lossy().into_owned();
    config.handover.keys = folder.join("callwright.key");
    config.http.allow_private = config.switch.allow.clone();
    config
}

/// One call after another, so that a person can follow. Whether all went as their scripts say.
async fn call_all(address: SocketAddr, screen: Screen) -> anyhow::Result<bool> {
    let clock = Clock::start();
    let mut all = true;
    for (at, (title, text)) in sample::CALLS.iter().enumerate() {
        if !screen.json {
            let number = paint(BOLD, &format!("{}/{}", at + 1, sample::CALLS.len()));
            screen.line(format!("\n{number} A caller {title}."))?;
        }
        let script = Arc::new(Script::from_yaml(text)?);
        let uuid = Uuid::now_v7().to_string();
        let verdict = place(script, &uuid, address, clock).await?;
        all &= verdict == Verdict::Passed;
        let failure = match &verdict {
            Verdict::Passed => None,
            Verdict::Failed(failure) => Some(failure.to_string()),
        };
        let told = Told { call: title, passed: failure.is_none(), failure: failure.clone() };
        screen.either(&told, |screen| match failure {
            None => screen.line(paint(GREEN, "           ✓ as its script says")),
            Some(failure) => screen.line(paint(RED, &format!("           ✗ {failure}"))),
        })?;
    }
    Ok(all)
}

/// Prints what happens to a call. Who closed our output wants no more of it.
fn tell(news: News<'_>, screen: Screen) {
    let printed = match news {
        News::Note(call, entry) if screen.json => screen.value(&(call, entry)),
        News::Record(record) if screen.json => screen.value(record),
        News::Note(_, entry) => screen.line(timeline::line(entry)),
        News::Record(record) => {
            let path: Vec<&str> = record.path.iter().map(|visit| visit.step.as_str()).collect();
            screen.line(paint(DIM, &format!("           path {}", path.join(" → "))))
        }
    };
    drop(printed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_demo_writes_into_the_folder_that_is_thrown_away_only() {
        let folder = Path::new("/away");
        let config = settings(folder);
        assert!(config.handover.keys.starts_with(folder));
        assert!(config.store.spool.starts_with(folder));
        assert!(Path::new(&config.store.message_directory).starts_with(folder));
        assert!(Path::new(&config.recordings.store).starts_with(folder));
        assert!(Path::new(&config.prompts.directory).starts_with(folder));
        assert_eq!(config.store.database, Database::Sqlite(folder.join("demo.db")));
    }
}
