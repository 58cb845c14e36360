//! What is read of this machine.

use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use rustix::fs::{Access, access, statvfs};
use tokio::time::timeout;

use super::certificate;
use super::ports::{Holder, holder, processes};
use super::used::{self, Used};
use crate::app::config::Config;
use crate::app::sockets::control_path;
use crate::control::ask::Peer;
use crate::store::Database;
use crate::store::{Shape, Store, survey};

/// How long reading all tenants' flows and prompts may take.
const USED: Duration = Duration::from_secs(10);
/// FreeSWITCH's process.
const FREESWITCH: &str = "freeswitch";

/// What was read.
#[derive(Debug)]
pub(super) struct Machine {
    pub(super) now: Timestamp,
    /// The Callwright that runs with these settings.
    pub(super) daemon: Option<i32>,
    /// Whether any FreeSWITCH runs here.
    pub(super) has_freeswitch: bool,
    pub(super) ports: Vec<Port>,
    pub(super) disks: Vec<Disk>,
    pub(super) key_files: Vec<KeyFile>,
    /// The API's certificate, and when it ends.
    pub(super) certificate: Option<(PathBuf, Result<Timestamp, String>)>,
    pub(super) database: Result<Shape, String>,
    /// What tenants use; as nothing where that can't be read.
    pub(super) used: Used,
    pub(super) memory: Option<Memory>,
}

/// A port on which we listen.
#[derive(Debug)]
pub(super) struct Port {
    /// The setting that names it.
    pub(super) setting: &'static str,
    pub(super) address: SocketAddr,
    pub(super) holder: Holder,
}

/// A directory that has to have room.
#[derive(Debug, Clone)]
pub(super) struct Disk {
    /// What names it: a setting, or a variable of FreeSWITCH's.
    pub(super) named_by: String,
    pub(super) path: PathBuf,
    /// Of the file system on which it lies, or will.
    pub(super) room: Option<Room>,
    pub(super) writable: bool,
}

/// What is left on a file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Room {
    pub(super) bytes: u64,
    pub(super) free: u64,
    pub(super) files: u64,
    pub(super) files_free: u64,
}

/// A file of keys.
#[derive(Debug)]
pub(super) struct KeyFile {
    pub(super) setting: &'static str,
    pub(super) path: PathBuf,
    /// Its mode; none where there is no such file.
    pub(super) mode: Option<u32>,
    pub(super) readable: bool,
}

/// Memory of the machine, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Memory {
    pub(super) all: u64,
    pub(super) available: u64,
}

pub(super) async fn read(config: &Config) -> Machine {
    let daemon = Peer::find(&control_path(config)).await.ok().flatten().map(|peer| peer.pid());
    let (database, used) = database(config).await;
    let certificate = config.api.tls.as_ref().map(|tls| tls.certificate.clone());
    Machine {
        now: Timestamp::now(),
        daemon,
        has_freeswitch: processes().any(|(_, name)| name == FREESWITCH),
        ports: ports(config, daemon),
        disks: disks(config),
        key_files: key_files(config),
        certificate: certificate.map(|file| (file.clone(), certificate::ends(&file))),
        database,
        used,
        memory: std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| memory(&text)),
    }
}

impl Machine {
    /// How it is, in a line.
    pub(super) fn describe(&self) -> String {
        let daemon = self.daemon.map_or_else(
            || "Callwright does not run".to_owned(),
            |pid| format!("Callwright runs as process {pid}"),
        );
        let Used { tenants, prompts, .. } = &self.used;
        format!("{daemon}; {tenants} tenants, {} prompts", prompts.len())
    }
}

fn ports(config: &Config, daemon: Option<i32>) -> Vec<Port> {
    let named = [
        ("switch.listen", Some(config.switch.listen)),
        ("health.listen", config.health.listen),
        ("api.listen", config.api.listen),
        ("xml_curl.listen", config.xml_curl.listen),
    ];
    let wanted = named.into_iter().filter_map(|(setting, address)| Some((setting, address?)));
    let wanted = wanted.filter(|(_, address)| address.port() > 0);
    wanted
        .map(|(setting, address)| Port { setting, address, holder: holder(address, daemon) })
        .collect()
}

fn disks(config: &Config) -> Vec<Disk> {
    let prompts = config.prompts.here.clone();
    let mut named = vec![
        ("store.spool", config.store.spool.clone()),
        ("store.message_directory", config.spool()),
        ("prompts.directory", prompts.unwrap_or_else(|| PathBuf::from(&config.prompts.directory))),
    ];
    if let Database::Sqlite(file) = &config.store.database {
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
        named.push(("store.database", folder.unwrap_or_else(|| Path::new(".")).to_owned()));
    }
    if !config.recordings.store.contains("://") {
        named.push(("recordings.store", PathBuf::from(&config.recordings.store)));
    }
    named.into_iter().map(|(setting, path)| Disk::read(setting.to_owned(), path)).collect()
}

impl Disk {
    pub(super) fn read(named_by: String, path: PathBuf) -> Self {
        let nearest = path.ancestors().find(|part| part.exists());
        let nearest = nearest.unwrap_or_else(|| Path::new("."));
        let room = statvfs(nearest).ok().map(|told| Room {
            bytes: told.f_blocks.saturating_mul(told.f_frsize),
            free: told.f_bavail.saturating_mul(told.f_frsize),
            files: told.f_files,
            files_free: told.f_favail,
        });
        let writable = access(nearest, Access::WRITE_OK).is_ok();
        Self { named_by, path, room, writable }
    }
}

fn key_files(config: &Config) -> Vec<KeyFile> {
    let own = config.recordings.keys.as_ref().map(|path| ("recordings.keys", path));
    let files = std::iter::once(("handover.keys", &config.handover.keys)).chain(own);
    let read = |(setting, path): (&'static str, &PathBuf)| KeyFile {
        setting,
        path: path.clone(),
        mode: std::fs::metadata(path).ok().map(|data| data.mode()),
        readable: std::fs::File::open(path).is_ok(),
    };
    files.map(read).collect()
}

/// How the database is, and what tenants use. Nothing is made or brought up to date.
async fn database(config: &Config) -> (Result<Shape, String>, Used) {
    let whole = |error: crate::store::StoreError| format!("{:#}", anyhow::Error::new(error));
    let shape = survey(&config.store).await.map_err(whole);
    if shape != Ok(Shape::Current) {
        return (shape, Used::default());
    }
    let store = match Store::open(&config.store).await {
        Ok(store) => store,
        Err(error) => return (Err(whole(error)), Used::default()),
    };
    let used = timeout(USED, used::read(&store)).await;
    store.close().await;
    match used {
        Ok(Ok(used)) => (shape, used),
        Ok(Err(error)) => (Err(whole(error)), Used::default()),
        Err(_) => (shape, Used::default()),
    }
}

/// Reads proc_meminfo(5).
fn memory(text: &str) -> Option<Memory> {
    let kib = |name: &str| -> Option<u64> {
        let line = text.lines().find(|line| line.starts_with(name))?;
        line.split_whitespace().nth(1)?.parse().ok()
    };
    let (all, available) = (kib("MemTotal:")?, kib("MemAvailable:")?);
    Some(Memory { all: all << 10, available: available << 10 })
}
