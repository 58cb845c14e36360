//! `callwright check`: the effective settings, and whether they work.

use std::path::Path;
use std::process::ExitCode;

use serde::Serialize;

use crate::app::config::Config;
use crate::app::sockets::control_path;
use crate::control::ask::Peer;
use crate::store::Store;
use crate::switch::listener::bind;

use super::exit;
use super::screen::{BOLD, GREEN, RED, Screen, paint};

/// One thing that was tried.
#[derive(Debug, Serialize)]
struct Tried {
    what: &'static str,
    ok: bool,
    /// What was found, or what is wrong.
    found: String,
}

impl Tried {
    fn new(what: &'static str, result: Result<String, String>) -> Self {
        let ok = result.is_ok();
        Self { what, ok, found: result.unwrap_or_else(|error| error) }
    }
}

#[derive(Serialize)]
struct Report<'a> {
    settings: &'a Config,
    tried: &'a [Tried],
}

/// Prints settings (secrets hidden) and findings; exit 64 when something is wrong.
pub(super) async fn run(config: Config, screen: Screen) -> anyhow::Result<ExitCode> {
    let tried = [
        Tried::new("database", database(&config).await),
        Tried::new("port", port(&config).await),
        Tried::new("spool", spool(&config.store.spool)),
    ];
    let report = Report { settings: &config, tried: &tried };
    screen.either(&report, |screen| {
        screen.line(paint(BOLD, "settings"))?;
        screen.line(toml::to_string(&config).unwrap_or_default())?;
        tried.iter().try_for_each(|one| {
            let (style, sign) = if one.ok { (GREEN, "✓") } else { (RED, "✗") };
            screen.line(format!("{} {}: {}", paint(style, sign), one.what, one.found))
        })
    })?;
    let all = tried.iter().all(|one| one.ok);
    Ok(if all { ExitCode::SUCCESS } else { ExitCode::from(exit::USAGE) })
}

async fn database(config: &Config) -> Result<String, String> {
    let whole = |error: crate::store::StoreError| format!("{:#}", anyhow::Error::new(error));
    let store = Store::open(&config.store).await.map_err(whole)?;
    let took = store.operator().ping().await.map_err(whole)?;
    let tenants = store.operator().tenants().await.map_err(whole)?.len();
    store.close().await;
    let name = String::from(config.store.database.clone());
    Ok(format!("{name} answers in {} ms and has {tenants} tenants", took.as_millis()))
}

async fn port(config: &Config) -> Result<String, String> {
    let address = config.switch.listen;
    match (bind(address), Peer::find(&control_path(config)).await) {
        (Ok(_), _) => Ok(format!("{address} is free")),
        (Err(_), Ok(Some(peer))) => {
            Ok(format!("{address} is Callwright's, process {}", peer.pid()))
        }
        (Err(error), _) => Err(format!("{address} can't be listened on: {error}")),
    }
}

fn spool(directory: &Path) -> Result<String, String> {
    let shown = directory.display();
    std::fs::create_dir_all(directory)
        .and_then(|()| tempfile_in(directory))
        .map(|()| format!("{shown} can be written"))
        .map_err(|error| format!("{shown} can't be written: {error}"))
}

fn tempfile_in(directory: &Path) -> std::io::Result<()> {
    let file = directory.join(format!(".check-{}", std::process::id()));
    std::fs::write(&file, b"callwright check")?;
    std::fs::remove_file(file)
}
