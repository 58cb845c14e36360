//! Who gets which flow, held in memory: a new call never waits for the database, and a database
//! that is gone leaves the last picture in use.
//!
//! The picture is drawn anew when something changed: at once after this process's own changes, on
//! PostgreSQL's notification, on SQLite when its file's version moved; and to be safe after
//! [`SAFETY_INTERVAL`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::{Mutex, Notify};
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

use super::around::{Around, Ground, reachable};
use super::facts::{self, Facts};
use super::routes::{Asked, NoRoute, Routes};
use super::sip::SipFacts;
use super::sketch::Sketch;
use super::watch::Watch;
use super::{Config, Store, StoreError, TenantScope};
use crate::base::ids::FlowName;
use crate::flow::program::{Program, Published};
use crate::flow::{Flow, Step};

/// Even if no notice comes, the database is asked this often.
const SAFETY_INTERVAL: Duration = Duration::from_secs(5);
/// How long after a failure to try again.
const RETRY: Duration = Duration::from_secs(1);
/// A database that takes longer counts as gone.
const LOAD_TIMEOUT: Duration = Duration::from_secs(20);
/// A database that has not answered by then is not waited for at the start.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(3);
/// At most so often is routing written down.
const SKETCH_INTERVAL: Duration = Duration::from_secs(1);

/// The routing of new calls; a clone is the same one.
#[derive(Debug, Clone)]
pub struct Directory {
    core: Arc<Core>,
    _tasks: Arc<Tasks>,
}

#[derive(Debug)]
struct Tasks([AbortHandle; 3]);

impl Drop for Tasks {
    fn drop(&mut self) {
        self.0.iter().for_each(AbortHandle::abort);
    }
}

#[derive(Debug)]
struct Core {
    store: Store,
    ground: Ground,
    picture: ArcSwap<Picture>,
    /// One refresh at a time, so that none puts an older picture over a newer one.
    drawing: Mutex<()>,
    sketch: Sketch,
    /// The database's picture changed.
    drawn: Notify,
    /// Counts the pictures; 0 is none.
    pictures: tokio::sync::watch::Sender<u64>,
}

#[derive(Debug)]
struct Picture {
    facts: Facts,
    routes: Arc<Routes>,
    sip: Arc<SipFacts>,
}

impl Directory {
    /// Reads the database once, and keeps up with it from then on; if it does not answer within
    /// three seconds, begins with what was written down last. Call it within a tokio runtime.
    ///
    /// # Errors
    /// The database can't be read, and nothing was written down in the spool's directory.
    pub async fn start(store: &Store, config: &Config) -> Result<Self, StoreError> {
        let core = Arc::new(Core {
            store: store.clone(),
            ground: Ground::from(config),
            picture: ArcSwap::from_pointee(Picture {
                facts: Facts::nothing(),
                routes: Arc::default(),
                sip: Arc::default(),
            }),
            drawing: Mutex::new(()),
            sketch: Sketch::new(config),
            drawn: Notify::new(),
            pictures: tokio::sync::watch::Sender::new(0),
        });
        let bell = Arc::new(Notify::new());
        // Before the first reading: what changes in between is noticed.
        let own = store.changed.subscribe();
        let follows = core.begin().await?;
        let watching = tokio::spawn(watch(Watch::new(&store.pool), Arc::clone(&bell)));
        let drawing = tokio::spawn(keep_up(Arc::clone(&core), own, bell, !follows));
        let writing = tokio::spawn(write_down(Arc::clone(&core)));
        let tasks = [watching, drawing, writing].map(|task| task.abort_handle());
        Ok(Self { core, _tasks: Arc::new(Tasks(tasks)) })
    }

    /// The program for a call; never waits.
    pub fn find(&self, asked: &Asked<'_>) -> Result<Arc<Program>, NoRoute> {
        self.core.picture.load().routes.find(asked)
    }

    /// The picture of this moment.
    pub fn routes(&self) -> Arc<Routes> {
        Arc::clone(&self.core.picture.load().routes)
    }

    /// What FreeSWITCH is to know, at this moment.
    pub fn sip(&self) -> Arc<SipFacts> {
        Arc::clone(&self.core.picture.load().sip)
    }

    /// Tells of each picture that is drawn.
    pub fn pictures(&self) -> tokio::sync::watch::Receiver<u64> {
        self.core.pictures.subscribe()
    }

    /// Reads the database now if anything changed; otherwise done soon after each change by itself.
    pub async fn refresh(&self) -> Result<(), StoreError> {
        self.core.refresh().await
    }
}

impl TenantScope {
    /// The program of a flow that is not published: `main` with this content as version 0, and all
    /// else as calls would get it now. For simulations.
    pub async fn program(
        &self,
        main: &FlowName,
        flow: Flow,
        ground: &Ground,
    ) -> Result<Program, StoreError> {
        let tenant = self.tenant().await?;
        let mut around = Around::of(&tenant, &self.prompts().await?, &self.rooms().await?, ground);
        around.add_gateways(self.gateways().await?.iter());
        around.add_schedules(self.schedules().await?.iter());
        let mut flows = BTreeMap::new();
        for head in self.flows().await? {
            let Some(version) = head.version.filter(|_| head.name != *main) else { continue };
            let document = self.version(&head.name, version).await?.document;
            let flow = serde_json::from_value(document).map_err(StoreError::corrupt)?;
            let name = head.name;
            flows.insert(name.clone(), Arc::new(Published::new(name, version, flow)));
        }
        let draft = Published::new(main.clone(), 0, flow);
        flows.insert(main.clone(), Arc::new(draft));
        Ok(around.program(main, reachable(main, &flows)))
    }
}

/// FreeSWITCH's `record` makes no folder: it hangs the caller up where one is missing
/// (`mod_dptools.c` record_function). The group may write, and hands its files on: FreeSWITCH is
/// often another user of it.
async fn make_message_folders(facts: &Facts, ground: &Ground) {
    let takes = |flow: &Flow| flow.steps.values().any(|step| matches!(step, Step::Message(_)));
    let taking = facts.versions.iter().filter(|one| takes(&one.published.flow));
    for tenant in taking.map(|one| one.tenant).collect::<BTreeSet<_>>() {
        let folder = ground.message_folder(tenant);
        let made = tokio::fs::DirBuilder::new().recursive(true).mode(0o2770).create(&folder).await;
        if let Err(error) = made {
            tracing::warn!(%folder, %error, "messages can't be taken: their folder can't be made");
        }
    }
}

async fn watch(mut watch: Watch, bell: Arc<Notify>) {
    loop {
        watch.changed().await;
        bell.notify_one();
    }
}

async fn keep_up(
    core: Arc<Core>,
    mut own: tokio::sync::watch::Receiver<u64>,
    bell: Arc<Notify>,
    mut failing: bool,
) {
    loop {
        let pause = if failing { RETRY } else { SAFETY_INTERVAL };
        tokio::select! {
            biased;
            // `core` holds the sender: it is never closed.
            _ = own.changed(), if !failing => {}
            () = bell.notified(), if !failing => {}
            () = sleep(pause) => {}
        }
        match core.refresh().await {
            Ok(()) => {
                if failing {
                    tracing::info!("routing follows the database again");
                }
                failing = false;
            }
            Err(error) => {
                if !failing {
                    tracing::warn!(%error, "routing goes on with what was known last");
                }
                failing = true;
            }
        }
    }
}

impl Core {
    async fn refresh(&self) -> Result<(), StoreError> {
        let _alone = self.drawing.lock().await;
        timeout(LOAD_TIMEOUT, self.redraw()).await.map_err(StoreError::unavailable)?
    }

    async fn redraw(&self) -> Result<(), StoreError> {
        let before = self.picture.load_full();
        if facts::counter(&self.store).await? == before.facts.counter {
            return Ok(());
        }
        let facts = Facts::read(&self.store, &before.facts).await?;
        make_message_folders(&facts, &self.ground).await;
        let counter = facts.counter;
        self.draw(facts);
        self.drawn.notify_one();
        tracing::debug!(counter, "routing was drawn anew");
        Ok(())
    }

    fn draw(&self, facts: Facts) {
        let before = self.picture.load();
        let routes = Arc::new(Routes::draw(&facts, &self.ground, &before.routes));
        let sip = Arc::new(SipFacts::of(&facts));
        self.picture.store(Arc::new(Picture { facts, routes, sip }));
        self.pictures.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Draws the first picture, and says whether it is the database's.
    async fn begin(&self) -> Result<bool, StoreError> {
        let error = match timeout(ANSWER_TIMEOUT, self.refresh()).await {
            Ok(Ok(())) => return Ok(true),
            Ok(Err(error)) if !error.retryable() => return Err(error),
            Ok(Err(error)) => error,
            Err(late) => StoreError::unavailable(late),
        };
        let sketch = self.sketch.clone();
        let found = tokio::task::spawn_blocking(move || sketch.load()).await;
        match found.map_err(StoreError::unavailable)? {
            Ok(facts) => {
                tracing::warn!(%error, "routing begins with what was known last");
                self.draw(facts);
                Ok(false)
            }
            Err(why) => {
                tracing::warn!(%error, %why, "routing waits for the database");
                self.refresh().await.map(|()| true)
            }
        }
    }
}

/// Writes down what was drawn, so that the next process can begin with it.
async fn write_down(core: Arc<Core>) {
    loop {
        core.drawn.notified().await;
        let (sketch, picture) = (core.sketch.clone(), core.picture.load_full());
        let saved = tokio::task::spawn_blocking(move || sketch.save(&picture.facts)).await;
        if let Err(error) = saved.map_err(std::io::Error::other).flatten() {
            tracing::warn!(%error, "routing can't be written down for a later start");
        }
        sleep(SKETCH_INTERVAL).await;
    }
}
