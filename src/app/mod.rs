//! Puts the parts together: settings in, a daemon out that takes calls until it is told to stop.

pub mod config;
pub mod doctor;
mod figures;
pub mod host;
pub mod intake;
mod limits;
mod lines;
mod links;
mod outbound;
mod park;
mod relay;
mod rooms;
pub mod sockets;
pub mod supervisor;
mod sweep;

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use jiff::Timestamp;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::archive::{Archive, key_file};
use crate::base::ids::{CallId, FlowName, InstanceId, TenantId};
use crate::call::admission::Arriving;
use crate::control::console::Errand;
use crate::driver::call::{Clock, Counters, Shared, Sink, Switchboard};
use crate::driver::http::Http;
use crate::driver::registry::{Registry, When};
use crate::driver::serve::{self, Drain, Socket};
use crate::driver::session::{Around, Router, Settings};
use crate::driver::translate::arrival::Inquiry;
use crate::driver::wake::Wake;
use crate::esl::argument::Word;
use crate::flow::program::Program;
use crate::hooks::Hooks;
use crate::model::audit::AuditEntry;
use crate::model::live::LiveCall;
use crate::model::record::{CallRecord, RecordingNote};
use crate::model::sip::MediaEncryption;
use crate::model::timeline::Entry;
use crate::sip::Accounts;
use crate::store::{
    Asked, Caller, Directory, Followed, Instance, Operator, Recorder, Settled, Sound, Store,
};
use crate::switch::limits::Gate;
use crate::switch::link::LinkEvents;
use crate::switch::listener::{Listener, bind};
use crate::telemetry::{Metrics, Telemetry};

use config::Config;
use intake::Intake;
use limits::StoredLimits;
use lines::Lines;
use links::Links;
use outbound::Exchange;
use park::StoredSlots;
use relay::Relay;
use sweep::Sweep;

/// How long records may take to reach the database when the daemon stops; they are safe on disk
/// before.
const SETTLE: Duration = Duration::from_secs(5);

/// How often the database hears that this process is alive.
const BEAT: Duration = Duration::from_secs(1);
/// How long it may take to hear that it is gone.
const LEAVE: Duration = Duration::from_secs(1);

/// A daemon that is ready: the database is open, the port bound, nothing taken yet.
pub struct Daemon {
    listener: Listener,
    shared: Arc<Shared>,
    directory: Directory,
    gate: Arc<Gate>,
    drain: Drain,
    recorder: Recorder,
    watch: Watch,
    archive: Arc<Archive>,
    /// What is told of tenants.
    followed: Followed,
    /// The way to other processes, where there may be any.
    elsewhere: Option<mpsc::Sender<Errand>>,
    grace: Duration,
}

impl std::fmt::Debug for Daemon {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Daemon").field("listener", &self.listener).finish_non_exhaustive()
    }
}

impl Daemon {
    /// A daemon on a port of its own, whose calls somebody watches: `watch` hears every note and
    /// record, and must not wait.
    ///
    /// # Errors
    /// Whatever is missing or taken, in words for the operator.
    pub async fn watched(
        config: &Config,
        store: &Store,
        watch: impl Fn(News<'_>) + Send + Sync + 'static,
    ) -> anyhow::Result<Self> {
        let address = config.switch.listen;
        let socket = bind(address).with_context(|| format!("can't listen on {address}"))?;
        Self::on(socket, config, store, watch).await
    }

    /// Opens what calls need, on a socket that listens already.
    async fn on(
        socket: TcpListener,
        config: &Config,
        store: &Store,
        watch: impl Fn(News<'_>) + Send + Sync + 'static,
    ) -> anyhow::Result<Self> {
        let directory = Directory::start(store, &config.store).await?;
        let recorder = Recorder::start(store, &config.store)?;
        let gate = Arc::new(Gate::new(&config.limits));
        let listener = Listener::on(socket, config.switch.clone(), Arc::clone(&gate))?;
        let profile = Word::new("profile", &config.dial.profile).context("dial.profile")?;
        let encryption = asked_by(&directory, config.dial.profile.clone());
        let context = Word::new("context", &config.dial.context).context("dial.context")?;
        let keys = Arc::new(key_file::load(&config.handover.keys)?);
        let instance = InstanceId(uuid::Uuid::now_v7());
        let archive = Arc::new(config.archive(store)?);
        let (links, events) = Links::start(&config.link, store).context("link")?;
        let (own, keys_of) = (links.all().iter().cloned(), archive.keys().clone());
        let (followed, keyring) = (Followed::start(store.clone()), archive.keys().clone());
        let settings = config.webhooks.clone();
        let telemetry = telemetry(config)?;
        let watched = telemetry.clone();
        let hooks = Hooks::new(store, followed.clone(), keyring, settings, instance, watched)?;
        let settings = config.sip.clone();
        let accounts = Accounts::new(store, &directory, keys_of, settings, instance, own);
        let (kept, own) = (recorder.clone(), directory.clone());
        let kept = Kept::new(kept, telemetry.clone(), own, watch);
        let shared = Shared {
            router: Box::new(ByDirectory(directory.clone())),
            sink: Box::new(kept),
            http: Http::new(&config.http)?,
            settings: Settings { profile, encryption, context, keys, instance },
            clock: Clock::start(),
            registry: Registry::default(),
            counters: Counters::default(),
            telemetry,
            wake: Wake::default(),
            switchboard: Arc::clone(&links) as Arc<dyn Switchboard>,
            slots: Box::new(StoredSlots(store.clone())),
            queues: Arc::new(Lines(store.clone())),
            limits: Box::new(StoredLimits(store.clone())),
            outside: Arc::new(Exchange {
                store: store.clone(),
                directory: directory.clone(),
                accounts: accounts.clone(),
            }),
            draining: CancellationToken::new(),
        };
        let (shared, drain) = (Arc::new(shared), Drain::default());
        let (elsewhere, relay) = Relay::open(store, instance).unzip();
        let spool = config.spool();
        let intake = Intake::new(Arc::clone(&archive), spool, instance, config.recordings.clone());
        let (store, node) = (store.clone(), config.node());
        let watch = Watch { links, events, relay, intake, accounts, hooks, store, node };
        let grace = config.grace.into();
        Ok(Self {
            listener,
            shared,
            directory,
            gate,
            drain,
            recorder,
            watch,
            archive,
            followed,
            elsewhere,
            grace,
        })
    }

    /// Where it listens: the port that was bound, when the settings leave the choice to the system.
    ///
    /// # Errors
    /// The system does not say.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Takes calls until `shutdown`; then lets those that are up go, and writes down what is left.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let drain = self.drain.clone();
        let order = async {
            shutdown.await;
            drain.order(When::Boundary, Socket::Close);
        };
        tokio::join!(order, self.drained());
    }

    /// Takes calls until the order to stop; then lets those that are up go, and writes down what is
    /// left.
    async fn drained(self) {
        let (operator, instance) = (self.watch.store.operator(), self.shared.settings.instance);
        let telemetry = self.shared.telemetry.clone();
        let mut around = self.watch.begin(&self.shared);
        serve::run(self.listener, self.shared, &self.drain, self.grace).await;
        around.shutdown().await;
        match self.recorder.settle(SETTLE).await {
            Settled::Written => {}
            Settled::Spooled => tracing::warn!("records wait on disk for the database"),
            Settled::Waiting => {
                tracing::error!(lost = ?self.recorder.lost(), "records are missing")
            }
        }
        telemetry.settle(LEAVE).await;
        match timeout(LEAVE, operator.leave(instance)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => tracing::debug!("nobody was told that this process is gone"),
        }
    }
}

fn telemetry(config: &Config) -> anyhow::Result<Telemetry> {
    let metrics = Arc::new(Metrics::new().context("figures")?);
    Telemetry::start(&config.traces, &config.node(), metrics).context("traces")
}

/// What a profile asks of its calls' sound, as long as somebody wants to know.
fn asked_by(directory: &Directory, profile: String) -> watch::Receiver<MediaEncryption> {
    let (tell, told) = watch::channel(directory.routes().encryption(&profile));
    let (directory, mut pictures) = (directory.clone(), directory.pictures());
    tokio::spawn(async move {
        loop {
            tokio::select! {
                () = tell.closed() => return,
                // We hold the directory: it is never closed.
                _ = pictures.changed() => {}
            }
            tell.send_replace(directory.routes().encryption(&profile));
        }
    });
    told
}

/// What looks after calls beside their own connections.
struct Watch {
    links: Arc<Links>,
    events: Vec<LinkEvents>,
    relay: Option<Relay>,
    intake: Arc<Intake>,
    accounts: Accounts,
    hooks: Hooks,
    store: Store,
    node: String,
}

impl Watch {
    fn begin(self, shared: &Arc<Shared>) -> JoinSet<()> {
        let Self { links, events, relay, intake, accounts, hooks, store, node } = self;
        let mut tasks = JoinSet::new();
        let id = shared.settings.instance;
        let instance = Instance { id, node, started: Timestamp::now(), alive: true };
        tasks.spawn(beat(store.operator(), instance));
        tasks.spawn(Arc::clone(&links).listen(events, Arc::clone(shared), accounts.clone()));
        tasks.spawn(accounts.run());
        // Whoever follows us goes on with them while our last calls end.
        tasks.spawn(hooks.run(shared.draining.clone()));
        if let Some(relay) = relay {
            tasks.spawn(relay.run(Arc::clone(shared)));
        }
        tasks.spawn(intake.run());
        tasks.spawn(rooms::watch(Arc::clone(shared), Arc::clone(&links), store.clone()));
        tasks.spawn(Sweep::new(Arc::clone(shared), links, store).run());
        tasks
    }
}

/// Says for ever that this process is alive.
async fn beat(operator: Operator, instance: Instance) {
    let mut turns = tokio::time::interval(BEAT);
    turns.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        turns.tick().await;
        match timeout(BEAT, operator.beat(&instance)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "the database does not hear us"),
            Err(_) => tracing::debug!("the database does not hear us"),
        }
    }
}

/// What `Daemon::watched` tells.
#[derive(Debug, Clone, Copy)]
pub enum News<'a> {
    Note(CallId, &'a Entry),
    Record(&'a CallRecord),
}

fn asked(inquiry: &Inquiry) -> Asked<'_> {
    Asked {
        dialed: &inquiry.dialed,
        gateway: inquiry.gateway.as_deref(),
        address: inquiry.address.as_deref(),
        domain_uuid: inquiry.domain_uuid.as_deref(),
        domain_name: inquiry.domain_name.as_deref(),
        profile: inquiry.profile.as_deref(),
    }
}

/// Calls find their flow in the directory.
struct ByDirectory(Directory);

impl Router for ByDirectory {
    fn route(&self, inquiry: &Inquiry) -> Result<Arc<Program>, String> {
        self.0.find(&asked(inquiry)).map_err(|none| none.word().to_owned())
    }

    fn arrive(&self, inquiry: &Inquiry) -> Result<Arriving, String> {
        let caller = Caller {
            number: &inquiry.caller_number,
            private: inquiry.private,
            own_phone: inquiry.own_phone,
            sound: Sound { encrypted: inquiry.encrypted, encrypted_only: inquiry.encrypted_only },
        };
        let routes = self.0.routes();
        routes.arrive(&asked(inquiry), &caller).map_err(|none| none.word().to_owned())
    }

    fn program(
        &self,
        tenant: TenantId,
        main: &FlowName,
        versions: &BTreeMap<FlowName, u32>,
    ) -> Result<Arc<Program>, String> {
        self.0.program_of(tenant, main, versions).map_err(|error| {
            tracing::warn!(%tenant, %error, "the flows of a call that began earlier are gone");
            "flow_version".to_owned()
        })
    }

    fn leads(&self, tenant: TenantId, dialed: &str) -> Result<Option<Arc<Program>>, String> {
        self.0.routes().within(tenant, dialed).map_err(|none| none.word().to_owned())
    }

    fn live(&self, tenant: TenantId, flow: Option<&FlowName>) -> Result<Arc<Program>, String> {
        let routes = self.0.routes();
        match flow {
            Some(flow) => {
                routes.program(tenant, flow).ok_or_else(|| format!("no flow `{flow}` is live"))
            }
            None => routes.program_of_none(tenant).map_err(|error| error.to_string()),
        }
    }

    fn around(&self, tenant: TenantId) -> Option<Around> {
        let (settings, prompts) = self.0.routes().around(tenant)?;
        Some(Around { settings, prompts })
    }
}

/// Notes and records go to the store, to who watches, and into figures and traces.
struct Kept {
    recorder: Recorder,
    telemetry: Telemetry,
    directory: Directory,
    watch: Box<dyn Fn(News<'_>) + Send + Sync>,
}

impl Kept {
    fn new(
        recorder: Recorder,
        telemetry: Telemetry,
        directory: Directory,
        watch: impl Fn(News<'_>) + Send + Sync + 'static,
    ) -> Self {
        Self { recorder, telemetry, directory, watch: Box::new(watch) }
    }
}

impl Sink for Kept {
    fn note(&self, tenant: TenantId, call: CallId, entry: Box<Entry>) {
        (self.watch)(News::Note(call, &entry));
        self.telemetry.note(call, &entry);
        self.recorder.note(tenant, call, entry);
    }

    fn record(&self, record: Box<CallRecord>) {
        (self.watch)(News::Record(&record));
        let routes = self.directory.routes();
        // One that is deleted has no name any more.
        let tenant = routes.slug(record.tenant).map_or("", |slug| slug.as_str());
        self.telemetry.record(tenant, &record);
        self.recorder.record(record);
    }

    fn audit(&self, entry: Box<AuditEntry>) {
        self.recorder.audit(entry);
    }

    fn live(&self, live: Box<LiveCall>) {
        self.recorder.live(live);
    }

    fn recording(&self, tenant: TenantId, call: CallId, note: Box<RecordingNote>) {
        self.recorder.recording(tenant, call, note);
    }
}
