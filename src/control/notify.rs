//! Word to whoever supervises the process: systemd, or our own supervisor (sd_notify(3)).

use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// Where word is sent to.
pub const SOCKET: &str = "NOTIFY_SOCKET";
/// How often a beat is expected at least, in microseconds.
pub const WATCHDOG: &str = "WATCHDOG_USEC";
/// For whom that is meant; for everybody where it is missing.
pub const WATCHDOG_PID: &str = "WATCHDOG_PID";
/// How often word that must arrive is tried.
const TRIES_MAX: u32 = 100;
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(10);

/// The way to the supervisor; without one, words go nowhere. It never blocks: a supervisor that
/// stands still must not stop the daemon.
#[derive(Debug, Default)]
pub struct Notifier {
    socket: Option<UnixDatagram>,
    watchdog: Option<Duration>,
}

impl Notifier {
    /// The supervisor that the environment names.
    ///
    /// # Errors
    /// It names one that can't be reached.
    pub fn of_environment() -> io::Result<Self> {
        let Some(name) = std::env::var_os(SOCKET).filter(|name| !name.is_empty()) else {
            return Ok(Self::default());
        };
        let address = match name.as_bytes().strip_prefix(b"@") {
            Some(hidden) => SocketAddr::from_abstract_name(hidden)?,
            None => SocketAddr::from_pathname(&name)?,
        };
        let socket = UnixDatagram::unbound()?;
        socket.connect_addr(&address)?;
        socket.set_nonblocking(true)?;
        Ok(Self { socket: Some(socket), watchdog: watchdog() })
    }

    /// Says something now or not at all.
    pub fn say(&self, word: &str) -> bool {
        let Some(socket) = &self.socket else { return true };
        match socket.send(word.as_bytes()) {
            Ok(_) => true,
            Err(error) => {
                tracing::debug!(%error, "the supervisor does not listen");
                error.kind() != io::ErrorKind::WouldBlock
            }
        }
    }

    /// Says something that must arrive.
    pub async fn insist(&self, word: &str) {
        for _ in 0..TRIES_MAX {
            if self.say(word) {
                return;
            }
            tokio::time::sleep(PAUSE).await;
        }
        tracing::warn!(word, "the supervisor did not hear");
    }

    /// Between two beats, when somebody expects them.
    pub fn beat(&self) -> Option<Duration> {
        self.watchdog.map(|interval| interval / 3)
    }
}

fn watchdog() -> Option<Duration> {
    let pid = std::env::var(WATCHDOG_PID).ok();
    if pid.is_some_and(|pid| pid.parse() != Ok(std::process::id())) {
        return None;
    }
    let microseconds = std::env::var(WATCHDOG).ok()?.parse().ok()?;
    Some(Duration::from_micros(microseconds)).filter(|interval| !interval.is_zero())
}
