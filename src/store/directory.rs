//! Who gets which flow, held in memory: a new call never waits for the database, and a database
//! that is gone leaves the last picture in use.
//!
//! The picture is drawn anew when something changed: at once after this process's own changes, on
//! PostgreSQL's notification, on SQLite when its file's version moved; and to be safe after
//! [`SAFETY_INTERVAL`].

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use sqlx::FromRow;
use tokio::sync::{Mutex, Notify};
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

use super::number::NumberRow;
use super::pool::{in_snapshot, on};
use super::prompt::PromptRow;
use super::routes::{Asked, Facts, Ground, NoRoute, Routes, program};
use super::tenant::TenantRow;
use super::watch::Watch;
use super::{Config, Store, StoreError, TenantScope, number, positive, prompt};
use crate::base::ids::{FlowId, FlowName, TenantId};
use crate::flow::program::{Program, Published};
use crate::flow::{Flow, Step};
use crate::model::tenant::{NumberRoute, StoredPrompt, Tenant};

/// Even if no notice comes, the database is asked this often.
const SAFETY_INTERVAL: Duration = Duration::from_secs(30);
/// How long after a failure to try again.
const RETRY: Duration = Duration::from_secs(1);
/// A database that takes longer counts as gone.
const LOAD_TIMEOUT: Duration = Duration::from_secs(20);

/// The routing of new calls; a clone is the same one.
#[derive(Debug, Clone)]
pub struct Directory {
    core: Arc<Core>,
    _tasks: Arc<Tasks>,
}

#[derive(Debug)]
struct Tasks([AbortHandle; 2]);

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
}

type Library = BTreeMap<(FlowId, u32), Arc<Published>>;

#[derive(Debug)]
struct Picture {
    /// The database's count of changes when it was read.
    counter: i64,
    routes: Arc<Routes>,
    /// Parsed versions, so that each is parsed once.
    library: Library,
}

impl Directory {
    /// Reads the database once, and keeps up with it from then on. Call it within a tokio runtime.
    pub async fn start(store: &Store, config: &Config) -> Result<Self, StoreError> {
        let routes = Arc::new(Routes::default());
        let empty = Picture { counter: -1, routes, library: Library::new() };
        let core = Arc::new(Core {
            store: store.clone(),
            ground: Ground::from(config),
            picture: ArcSwap::from_pointee(empty),
            drawing: Mutex::new(()),
        });
        let bell = Arc::new(Notify::new());
        // Before the first reading: what changes in between is noticed.
        let own = store.changed.subscribe();
        core.refresh().await?;
        let watching = tokio::spawn(watch(Watch::new(&store.pool), Arc::clone(&bell)));
        let drawing = tokio::spawn(keep_up(Arc::clone(&core), own, bell));
        let tasks = Tasks([watching.abort_handle(), drawing.abort_handle()]);
        Ok(Self { core, _tasks: Arc::new(tasks) })
    }

    /// The program for a call; never waits.
    pub fn find(&self, asked: &Asked<'_>) -> Result<Arc<Program>, NoRoute> {
        self.core.picture.load().routes.find(asked)
    }

    /// The picture of this moment.
    pub fn routes(&self) -> Arc<Routes> {
        Arc::clone(&self.core.picture.load().routes)
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
        let prompts = self.prompts().await?;
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
        Ok(program(main, &flows, &prompts, &tenant, ground))
    }
}

/// FreeSWITCH's `record` makes no folder: it hangs the caller up where one is missing
/// (`mod_dptools.c` record_function). The group may write, and hands its files on: FreeSWITCH is
/// often another user of it.
async fn make_message_folders(facts: &Facts, ground: &Ground) {
    let takes = |flow: &Published| flow.flow.steps.values().any(|s| matches!(s, Step::Message(_)));
    for (tenant, flows) in &facts.flows {
        if !flows.values().any(|flow| takes(flow)) {
            continue;
        }
        let folder = ground.message_folder(*tenant);
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

async fn keep_up(core: Arc<Core>, mut own: tokio::sync::watch::Receiver<u64>, bell: Arc<Notify>) {
    let mut failing = false;
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
        if counter(&self.store).await? == before.counter {
            return Ok(());
        }
        let read = read(&self.store, &before.library).await?;
        let mut library = Library::new();
        let mut facts = Facts {
            tenants: parse_each::<_, Tenant>(read.tenants)?,
            numbers: parse_each::<_, NumberRoute>(read.numbers)?,
            prompts: parse_each::<_, StoredPrompt>(read.prompts)?,
            flows: BTreeMap::new(),
        };
        for (flow, document) in read.flows {
            let Some((key, tenant, published)) = published(&flow, document, &before.library)?
            else {
                continue;
            };
            let name = published.name.clone();
            facts.flows.entry(tenant).or_default().insert(name, Arc::clone(&published));
            library.insert(key, published);
        }
        make_message_folders(&facts, &self.ground).await;
        let routes = Arc::new(Routes::draw(facts, &self.ground, &before.routes));
        self.picture.store(Arc::new(Picture { counter: read.counter, routes, library }));
        tracing::debug!(counter = read.counter, "routing was drawn anew");
        Ok(())
    }
}

fn parse_each<Row, T: TryFrom<Row, Error = StoreError>>(
    rows: Vec<Row>,
) -> Result<Vec<T>, StoreError> {
    rows.into_iter().map(T::try_from).collect()
}

/// A version by its key; parsed unless it is known. One that can't be read leaves the others in
/// use.
fn published(
    row: &FlowRow,
    document: Option<String>,
    known: &Library,
) -> Result<Option<((FlowId, u32), TenantId, Arc<Published>)>, StoreError> {
    let tenant = row.tenant.parse().map_err(StoreError::corrupt)?;
    let name: FlowName = row.name.parse().map_err(StoreError::corrupt)?;
    let key = row.key()?;
    if let Some(published) = known.get(&key) {
        return Ok(Some((key, tenant, Arc::clone(published))));
    }
    match serde_json::from_str(&document.unwrap_or_default()) {
        Ok(flow) => Ok(Some((key, tenant, Arc::new(Published::new(name, key.1, flow))))),
        Err(error) => {
            tracing::error!(%tenant, flow = %name, version = key.1, %error, "a flow can't be read");
            Ok(None)
        }
    }
}

#[derive(Debug, FromRow)]
struct FlowRow {
    id: String,
    tenant: String,
    name: String,
    version: i64,
}

impl FlowRow {
    fn key(&self) -> Result<(FlowId, u32), StoreError> {
        Ok((self.id.parse().map_err(StoreError::corrupt)?, positive(self.version)?))
    }
}

struct Read {
    counter: i64,
    tenants: Vec<TenantRow>,
    numbers: Vec<NumberRow>,
    prompts: Vec<PromptRow>,
    /// Published flows; the document only of those not known.
    flows: Vec<(FlowRow, Option<String>)>,
}

const COUNTER: &str = "SELECT counter FROM routing_change";

async fn counter(store: &Store) -> Result<i64, StoreError> {
    let (counter,) = on!(store.ready().await?, db => {
        sqlx::query_as::<_, (i64,)>(COUNTER).fetch_one(db).await?
    });
    Ok(counter)
}

/// Reads everything as of one moment.
async fn read(store: &Store, known: &Library) -> Result<Read, StoreError> {
    Ok(in_snapshot!(store.ready().await?, tx => {
        let (counter,) = sqlx::query_as::<_, (i64,)>(COUNTER).fetch_one(&mut *tx).await?;
        let tenants = sqlx::query_as("SELECT * FROM tenant ORDER BY created_ms, id")
            .fetch_all(&mut *tx)
            .await?;
        let numbers = sqlx::query_as(number::ALL).fetch_all(&mut *tx).await?;
        let prompts = sqlx::query_as(prompt::ALL).fetch_all(&mut *tx).await?;
        let heads = sqlx::query_as::<_, FlowRow>(
            "SELECT id, tenant, name, version FROM flow WHERE version > 0",
        )
        .fetch_all(&mut *tx)
        .await?;
        let mut flows = Vec::new();
        for head in heads {
            let mut document = None;
            if !known.contains_key(&head.key()?) {
                let (text,) = sqlx::query_as::<_, (String,)>(
                    "SELECT document FROM flow_version WHERE flow = $1 AND version = $2",
                )
                .bind(&head.id)
                .bind(head.version)
                .fetch_one(&mut *tx)
                .await?;
                document = Some(text);
            }
            flows.push((head, document));
        }
        Read { counter, tenants, numbers, prompts, flows }
    }))
}
