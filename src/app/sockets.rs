//! Where the listening sockets come from: systemd, our supervisor, the process that runs already,
//! or the system.
//!
//! A socket that is handed over is the same socket, with the connections in its queue: none of them
//! is reset when one process follows another (with `SO_REUSEPORT` those of the old socket would
//! be).

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use anyhow::Context;
use listenfd::ListenFd;

use super::config::Config;
use crate::control::ask::{Passed, Peer};
use crate::control::protocol::SocketName;
use crate::store::Database;
use crate::switch::listener::bind;

/// The environment variable with which our supervisor names its socket.
pub const SUPERVISOR: &str = "CALLWRIGHT_SUPERVISOR";
/// The control socket's name where the settings have none.
const CONTROL: &str = "callwright.sock";

/// Who held the listening socket before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    Systemd,
    Supervisor,
    /// The process that ran before, whose number this is.
    Predecessor(i32),
    /// Nobody: it was bound.
    Bound,
}

/// The listening sockets of a process.
#[derive(Debug)]
pub struct Sockets {
    pub calls: TcpListener,
    pub health: Option<TcpListener>,
    pub api: Option<TcpListener>,
    pub xml_curl: Option<TcpListener>,
    pub origin: Origin,
    /// The process that runs already and is to hand over when we are ready.
    pub predecessor: Option<Peer>,
}

impl Sockets {
    /// Takes or binds the sockets that `config` names.
    ///
    /// # Errors
    /// A port is taken, or whoever has the sockets does not give them.
    pub async fn find(config: &Config) -> anyhow::Result<Self> {
        let (passed, origin, predecessor) = passed(config).await?;
        let origin = if passed.is_empty() { Origin::Bound } else { origin };
        let mut passed = Stock(passed);
        let address = config.switch.listen;
        let mut beside = |name, wanted: Option<SocketAddr>| {
            wanted.map(|wanted| passed.take(name, wanted)).transpose()
        };
        let health = beside(SocketName::Health, config.health.listen)?;
        let api = beside(SocketName::Api, config.api.listen)?;
        let xml_curl = beside(SocketName::XmlCurl, config.xml_curl.listen)?;
        let calls = passed.take(SocketName::Calls, address)?;
        Ok(Self { calls, health, api, xml_curl, origin, predecessor })
    }

    /// Whether somebody else keeps the listening socket open when we end.
    pub const fn kept(&self) -> bool {
        matches!(self.origin, Origin::Systemd | Origin::Supervisor)
    }
}

async fn passed(config: &Config) -> anyhow::Result<(Vec<Passed>, Origin, Option<Peer>)> {
    if let Some(path) = std::env::var_os(SUPERVISOR) {
        let sockets = Peer::meet(Path::new(&path)).await?.sockets().await?;
        return Ok((sockets, Origin::Supervisor, None));
    }
    let activated = activated(config)?;
    let mut predecessor = Peer::find(&control_path(config)).await?;
    if !activated.is_empty() {
        return Ok((activated, Origin::Systemd, predecessor));
    }
    match &mut predecessor {
        None => Ok((Vec::new(), Origin::Bound, None)),
        Some(peer) => {
            let origin = Origin::Predecessor(peer.pid());
            Ok((peer.sockets().await?, origin, predecessor))
        }
    }
}

/// Sockets from systemd (sd_listen_fds(3)). They come without names: all but the one for calls are
/// known by their addresses.
fn activated(config: &Config) -> anyhow::Result<Vec<Passed>> {
    let mut sockets = ListenFd::from_env();
    let mut found = Vec::new();
    for index in 0..sockets.len() {
        let socket = sockets.take_tcp_listener(index).context("a socket from systemd")?;
        let Some(socket) = socket else { continue };
        let is =
            |wanted: Option<SocketAddr>| wanted.is_some() && socket.local_addr().ok() == wanted;
        let name = if is(config.health.listen) {
            SocketName::Health
        } else if is(config.api.listen) {
            SocketName::Api
        } else if is(config.xml_curl.listen) {
            SocketName::XmlCurl
        } else {
            SocketName::Calls
        };
        found.push((name, socket));
    }
    Ok(found)
}

/// Sockets that were passed and not used yet.
struct Stock(Vec<Passed>);

impl Stock {
    fn take(&mut self, name: SocketName, wanted: SocketAddr) -> anyhow::Result<TcpListener> {
        if let Some(index) = self.0.iter().position(|(passed, _)| *passed == name) {
            let (_, socket) = self.0.swap_remove(index);
            let address = socket.local_addr()?;
            if wanted.port() == 0 || address == wanted {
                return Ok(socket);
            }
            tracing::warn!(%address, %wanted, "the socket that was handed over is another");
        }
        bind(wanted).with_context(|| format!("can't listen on {wanted}"))
    }
}

/// Where the control socket is.
pub fn control_path(config: &Config) -> PathBuf {
    match (&config.control.socket, &config.store.database) {
        (Some(path), _) => path.clone(),
        (None, Database::Sqlite(file)) => file.with_file_name(CONTROL),
        (None, Database::Postgres(_)) => CONTROL.into(),
    }
}
