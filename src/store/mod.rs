//! What is kept: tenants, their users, numbers, prompts, rooms, schedules, flows and their
//! versions, call records, timelines, who listened to whom, recordings and their keys; in an SQLite
//! file or in PostgreSQL. SQL is nowhere else.
//!
//! Tenants' data is reached only through [`Store::tenant`], which takes the tenant: a query that
//! forgets it can't be written. What concerns all tenants is behind [`Store::operator`], for the
//! command line and for the daemon itself.
//!
//! A call asks neither: it is routed by [`Directory`], a copy in memory, and written down by
//! [`Recorder`], which puts records on disk first.

mod act;
mod admit;
mod adopt;
mod answered;
mod api_key;
mod around;
mod audit;
mod backlog;
mod blocked;
mod call;
mod checksum;
mod config;
mod directory;
mod drain;
mod error;
mod event;
mod extension;
mod facts;
mod flow;
mod follow;
mod gateway;
mod instance;
mod keeper;
mod kept;
mod key;
mod limit;
mod live;
mod migrate;
mod number;
mod outbound;
mod own;
mod page;
mod park;
mod pool;
mod post;
mod profile;
mod prompt;
mod queue;
mod recorder;
mod recording;
mod registration;
mod report;
mod resumed;
mod room;
mod routes;
mod schedule;
mod screen;
mod sealed;
mod sip;
mod sketch;
mod spool;
mod survey;
mod taking;
mod tenant;
mod token;
mod trace;
mod trunks;
mod turn;
mod unseen;
mod user;
mod watch;
mod webhook;
mod world;
mod write;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::OnceCell;
use tokio::sync::watch::Sender;
use tokio::time::timeout;

use crate::base::ids::TenantId;
use crate::model::act::Actor;

use pool::Pool;

pub use act::ActFilter;
pub use answered::{Earlier, KeptAnswer};
pub use api_key::{KnownKey, NewApiKey, read as read_api_key};
pub use around::Ground;
pub use backlog::Batch;
pub use blocked::{BlockedCallers, NewBlock};
pub use call::CallFilter;
pub use config::{Config, Database, DatabaseError, DefaultFlow, Speech};
pub use directory::Directory;
pub use error::StoreError;
pub use event::{EVENTS_MAX, Told, Untold};
pub use extension::StoredExtension;
pub use flow::{Draft, Signature, Version};
pub use follow::{Followed, Follower};
pub use gateway::StoredGateway;
pub use instance::Instance;
pub use key::WrappedKey;
pub use number::NewNumber;
pub use outbound::{Claimed, NewLeg, StoredRoute};
pub use page::{Cursor, Page};
pub use post::{Letter, Mailbox, Post};
pub use queue::QueueLength;
pub use recorder::{Lost, Recorder, Settled};
pub use recording::{Kept, RecordingFilter, StoredAudio};
pub use registration::HISTORY_PAGE;
pub use report::{KeptRecord, Names, RecordPage, ReportFilter};
pub use resumed::NoProgram;
pub use room::StoredRoom;
pub use routes::{Asked, NoRoute, Routes};
pub use schedule::StoredSchedule;
pub use screen::{Caller, Sound};
pub use sealed::{Sealed, SecretOf, TenantKeys};
pub use sip::SipFacts;
pub use survey::{Shape, survey};
pub use taking::{Fate, Measured, RunningRoom};
pub use tenant::{NewTenant, Operator};
pub use trace::{Deed, Trace};
pub use user::StoredUser;
pub use webhook::{
    AtWork, Attempt, Claim, Fresh, Laid, NewSecret, Outcome, StoredSecret, StoredWebhook, Verdict,
    WINDOW_MAX, Waiting,
};

/// How long to wait for connections that are in use when the store is closed.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(3);

/// The database; a clone is the same one.
#[derive(Debug, Clone)]
pub struct Store {
    pool: Pool,
    /// Set when the tables are as this program knows them.
    migrated: Arc<OnceCell<()>>,
    /// Rung after each change that new calls may notice.
    changed: Arc<Sender<u64>>,
    /// Rung after each event that is told.
    told: Arc<Sender<u64>>,
}

impl Store {
    /// Connects and brings the tables up to date. A missing SQLite file is made.
    pub async fn open(config: &Config) -> Result<Self, StoreError> {
        let store = Self::lazy(config)?;
        store.ready().await?;
        Ok(store)
    }

    /// Does what [`Store::open`] does when it is first asked something, and until it has worked.
    /// Call it within a tokio runtime.
    ///
    /// # Errors
    /// Only for settings that can't be right.
    pub fn lazy(config: &Config) -> Result<Self, StoreError> {
        Ok(Self {
            pool: Pool::lazy(config)?,
            migrated: Arc::default(),
            changed: Arc::new(Sender::new(0)),
            told: Arc::new(Sender::new(0)),
        })
    }

    /// The connections, once the tables are up to date.
    async fn ready(&self) -> Result<&Pool, StoreError> {
        self.migrated.get_or_try_init(|| migrate::migrate(&self.pool)).await?;
        Ok(&self.pool)
    }

    /// What belongs to one tenant.
    pub fn tenant(&self, tenant: TenantId) -> TenantScope {
        TenantScope { store: self.clone(), tenant, by: Arc::new(Actor::callwright()) }
    }

    /// What concerns all tenants.
    pub fn operator(&self) -> Operator {
        Operator::new(self.clone())
    }

    /// Counts what was changed through this store, and its clones.
    pub fn changes(&self) -> u64 {
        *self.changed.borrow()
    }

    fn ring(&self) {
        self.changed.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Lets every connection go, so that nothing holds the file or the server; waits at most some
    /// seconds for who still uses one.
    pub async fn close(&self) {
        if timeout(CLOSE_TIMEOUT, self.pool.close()).await.is_err() {
            tracing::debug!("connections are still in use");
        }
    }
}

/// One tenant's part of the store: nothing here can see another's.
#[derive(Debug, Clone)]
pub struct TenantScope {
    store: Store,
    tenant: TenantId,
    /// Who has it.
    by: Arc<Actor>,
}

impl TenantScope {
    pub const fn id(&self) -> TenantId {
        self.tenant
    }

    fn key(&self) -> String {
        self.tenant.to_string()
    }

    /// Deletes the row of the tenant's that has this name, in the statement `$1` and `$2`, and
    /// writes down how it was.
    async fn forget<T: Serialize>(
        &self,
        delete: &'static str,
        (what, deed): (&'static str, &'static str),
        name: &str,
        was: &T,
    ) -> Result<(), StoreError> {
        let act = self.act(deed, name, Some(was), None::<&()>)?;
        let rows = pool::in_transaction!(self.store.ready().await?, tx => {
            let delete = sqlx::query(delete).bind(self.key()).bind(name);
            let rows = delete.execute(&mut *tx).await?.rows_affected();
            if rows > 0 {
                act::put_act!(tx, act);
            }
            rows
        });
        if rows == 0 {
            return Err(StoreError::not_found(what, name));
        }
        self.store.ring();
        Ok(())
    }
}

/// Milliseconds since 1970, as the tables hold times.
fn now_ms() -> i64 {
    Timestamp::now().as_millisecond()
}

fn timestamp(ms: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_millisecond(ms).map_err(StoreError::corrupt)
}

fn positive(number: i64) -> Result<u32, StoreError> {
    u32::try_from(number).map_err(StoreError::corrupt)
}
