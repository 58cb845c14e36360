//! A whole simulated FreeSWITCH on a network, at the speed of the clock: callers come to the
//! controller, and an Event Socket of its own tells of their channels and takes orders for them, as
//! a `[[link]]` wants it. The demo for web backends runs on it.
//!
//! Each call is a [`Channel`] in a task (`line.rs`); legs that are called beside it belong to it.
//! What is told on the link comes from all of them (`port.rs`), and orders go to the one whose
//! channel they name (`orders.rs`).

mod line;
mod orders;
mod port;
mod ring;
mod sofia;
mod tape;

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::net::TcpListener;
use tokio::sync::{Semaphore, broadcast};
use uuid::Uuid;

use super::call::Clock;
use crate::base::masked::Masked;
use crate::simulator::{Action, Caller, Channel, FarEnd, Overheard, Script, Verdict, World};
use crate::switch::link::LinkConfig;

use line::{Line, Run};
pub use sofia::Directory;
use sofia::Sofia;

/// Events that wait for a connection that is slow to read; it loses more.
const NEWS_MAX: usize = 4_096;
/// Connections to the Event Socket at once.
const PORTS_MAX: usize = 16;
/// Calls at once.
const LINES_MAX: usize = 200;

/// A simulated FreeSWITCH; a clone is the same.
#[derive(Debug, Clone)]
pub struct StandIn(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    address: SocketAddr,
    password: String,
    clock: Clock,
    /// Recordings are written below this folder, and nowhere else.
    tapes: PathBuf,
    /// Who answers where, for calls that the controller begins.
    phones: BTreeMap<String, FarEnd>,
    controller: OnceLock<SocketAddr>,
    lines: Mutex<BTreeMap<String, Line>>,
    news: broadcast::Sender<Arc<Overheard>>,
    sofia: Sofia,
}

impl StandIn {
    /// Opens its Event Socket on a free port. `tapes` is the folder of recordings, `phones` are
    /// those that can be called.
    ///
    /// # Errors
    /// There is no port.
    pub async fn open(tapes: PathBuf, phones: BTreeMap<String, FarEnd>) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let own = Self(Arc::new(Inner {
            address: listener.local_addr()?,
            password: Uuid::now_v7().to_string(),
            clock: Clock::start(),
            tapes,
            phones,
            controller: OnceLock::new(),
            lines: Mutex::default(),
            news: broadcast::channel(NEWS_MAX).0,
            sofia: Sofia::default(),
        }));
        tokio::spawn(own.clone().accept(listener));
        Ok(own)
    }

    /// The link that leads here.
    pub fn link(&self) -> LinkConfig {
        LinkConfig {
            name: Some("demo".into()),
            address: self.0.address.to_string(),
            password: Some(Masked::new(self.0.password.clone())),
            ..LinkConfig::default()
        }
    }

    /// From now on calls go to `controller`, and gateways are asked for at `directory`. It counts
    /// once.
    pub fn begin(&self, controller: SocketAddr, directory: Option<Directory>) {
        // Whoever says it a second time has said it already.
        let _ = self.0.controller.set(controller);
        self.0.sofia.asks(directory);
    }

    /// Calls the controller, plays the caller's script, and says how it came out.
    ///
    /// # Errors
    /// There is no controller yet, or there are too many calls.
    pub async fn call(&self, script: Arc<Script>) -> io::Result<Verdict> {
        let uuid = Uuid::now_v7().to_string();
        let now = self.0.clock.now();
        let world = World { dialplan: offered(), ..self.world(script.world()) };
        let channel = Channel::new(script.call(&uuid), Arc::new(world), now);
        let run = Run::open(self, channel, Caller::new(script, now))?;
        Ok(run.run().await)
    }

    /// A world whose dialplan comes back to the controller.
    fn world(&self, mut world: World) -> World {
        for (number, phone) in &self.0.phones {
            world.far_ends.entry(number.clone()).or_insert_with(|| phone.clone());
        }
        world.extensions.insert("callwright_after".into(), offered());
        world
    }

    async fn accept(self, listener: TcpListener) {
        let places = Arc::new(Semaphore::new(PORTS_MAX));
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
            let own = self.clone();
            tokio::spawn(async move {
                // A connection that breaks is the client's affair.
                let _ = port::serve(&own, stream).await;
                drop(place);
            });
        }
    }

    fn lines(&self) -> MutexGuard<'_, BTreeMap<String, Line>> {
        self.0.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells all who listen; where nobody does it is lost.
    fn tell(&self, event: Overheard) {
        let _ = self.0.news.send(Arc::new(event));
    }
}

/// What our dialplan does with a call (`dialplan/callwright.xml`).
fn offered() -> Vec<Action> {
    vec![
        Action::new("set", "callwright_offered=true"),
        Action::new("set", "callwright_tries=x"),
        Action::new("set", "socket_resume=true"),
        Action::new("set", "continue_on_fail=true"),
        Action::new("set", "hangup_after_bridge=false"),
        Action::new("socket", "127.0.0.1:8084 async full"),
    ]
}
