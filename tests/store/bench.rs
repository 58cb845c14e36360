//! A database of its own for each test.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Once;
use std::time::Duration;

use callwright::base::cause::{HangupCause, Party, Termination};
use callwright::base::ids::{CallId, FlowName, InstanceId, TenantId};
use callwright::base::masked::Masked;
use callwright::model::admission::AsSent;
use callwright::model::live::LiveCall;
use callwright::model::record::{CallRecord, CameBy};
use callwright::model::tenant::Tenant;
use callwright::model::timeline::{Entry, What};
use callwright::store::{Config, Database, NewTenant, Signature, Store};
use jiff::Timestamp;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, SqliteConnection};
use uuid::Uuid;

pub(crate) const POSTGRES: &str = "CALLWRIGHT_TEST_POSTGRES";

pub(crate) struct Bench {
    pub(crate) config: Config,
    pub(crate) store: Store,
    pub(crate) folder: tempfile::TempDir,
}

impl Bench {
    pub(crate) async fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::Sqlite(folder.path().join("test.db"));
        Self::on(database, folder).await
    }

    /// None, and a loud word, where there is no PostgreSQL.
    pub(crate) async fn postgres() -> Option<Self> {
        let url = server()?;
        let name = format!("callwright_{}", Uuid::now_v7().simple());
        let mut connection = PgConnection::connect(&url).await.unwrap();
        connection.execute(AssertSqlSafe(format!("CREATE DATABASE {name}"))).await.unwrap();
        let mut own = url::Url::parse(&url).unwrap();
        own.set_path(&name);
        let folder = tempfile::tempdir().unwrap();
        Some(Self::on(Database::Postgres(Masked::new(own.to_string())), folder).await)
    }

    pub(crate) async fn on(database: Database, folder: tempfile::TempDir) -> Self {
        let spool = folder.path().join("spool");
        let config = Config { database, spool, connections: 4, ..Config::default() };
        let store = Store::open(&config).await.unwrap();
        Self { config, store, folder }
    }

    /// A second handle that shares nothing with the first but the database.
    pub(crate) async fn another_store(&self) -> Store {
        Store::open(&self.config).await.unwrap()
    }

    /// Does something to the database that the store does not do.
    pub(crate) async fn sql(&self, statement: &'static str) {
        match &self.config.database {
            Database::Sqlite(path) => {
                let url = format!("sqlite:{}", path.display());
                let mut connection = SqliteConnection::connect(&url).await.unwrap();
                connection.execute(statement).await.unwrap();
            }
            Database::Postgres(url) => {
                let mut connection = PgConnection::connect(url.reveal()).await.unwrap();
                connection.execute(statement).await.unwrap();
            }
        }
    }

    pub(crate) fn file(&self) -> PathBuf {
        match &self.config.database {
            Database::Sqlite(path) => path.clone(),
            Database::Postgres(_) => unreachable!("only tests of SQLite ask"),
        }
    }

    pub(crate) async fn tenant(&self, slug: &str) -> Tenant {
        let new = NewTenant::named(slug.parse().unwrap());
        self.store.operator().create_tenant(&new).await.unwrap()
    }
}

/// The URL of the test server.
pub(crate) fn server() -> Option<String> {
    static SAID: Once = Once::new();
    let url = std::env::var(POSTGRES).ok();
    if url.is_none() {
        SAID.call_once(|| {
            let word =
                format!("\n*** NOT RUN: the PostgreSQL half of these tests; set {POSTGRES}\n\n");
            // Not `eprintln!`: the harness would keep it to itself.
            std::io::stderr().write_all(word.as_bytes()).unwrap();
        });
    }
    url
}

/// Makes two tests of each function that takes a [`Bench`].
macro_rules! on_both {
    ($($claim:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $claim() {
                super::$claim($crate::bench::Bench::sqlite().await).await;
            })+
        }

        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $claim() {
                if let Some(bench) = $crate::bench::Bench::postgres().await {
                    super::$claim(bench).await;
                }
            })+
        }
    };
}

pub(crate) use on_both;

/// Asks again until the answer is yes, at most ten seconds.
pub(crate) async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) -> Duration {
    let began = std::time::Instant::now();
    let mut ticks = tokio::time::interval(Duration::from_millis(10));
    while !is_so().await {
        assert!(began.elapsed() < Duration::from_secs(10), "never happened: {what}");
        ticks.tick().await;
    }
    began.elapsed()
}

pub(crate) fn name(text: &str) -> FlowName {
    text.parse().unwrap()
}

pub(crate) fn signed(note: &str) -> Signature {
    Signature { author: "ada".into(), note: note.into() }
}

/// The shortest flow, recognisable by its title.
pub(crate) fn flow(title: &str) -> Value {
    json!({
        "callwright": 1,
        "title": title,
        "start": "bye",
        "steps": { "bye": { "kind": "hangup" } },
    })
}

/// Saves and publishes a flow, whatever was there before.
pub(crate) async fn publish(store: &Store, tenant: TenantId, flow_name: &str, title: &str) -> u32 {
    let scope = store.tenant(tenant);
    let flow_name = name(flow_name);
    let before = scope.flow(&flow_name).await.ok().map(|head| head.draft_revision);
    let saved = scope.save_draft(&flow_name, &flow(title), "ada", before).await.unwrap();
    let by = signed(title);
    scope.publish(&flow_name, saved.draft_revision, &by, |_| Ok(())).await.unwrap().version
}

pub(crate) fn call_id() -> CallId {
    CallId(Uuid::now_v7())
}

pub(crate) fn instance_id() -> InstanceId {
    InstanceId(Uuid::now_v7())
}

/// A call that is up, in the hands of a process that nobody knows.
pub(crate) fn live(tenant: TenantId, call: CallId, term: u32) -> Box<LiveCall> {
    Box::new(LiveCall {
        call,
        tenant,
        holder: instance_id(),
        term,
        channel: "a-channel".parse().unwrap(),
        flow: name("main"),
        version: 3,
        caller_name: "Ada".into(),
        caller_number: "+1555\u{0}0100".into(),
        dialed: "+15550199".into(),
        started: "2026-11-22T10:00:00Z".parse().unwrap(),
        number: None,
        gateway: None,
        pending: false,
    })
}

pub(crate) fn entry(sequence: u32, text: &str) -> Box<Entry> {
    let at: Timestamp = "2026-11-22T10:00:00Z".parse().unwrap();
    let what = What::Noticed { text: text.into(), sign: None };
    Box::new(Entry { term: 0, sequence, at, ms: u64::from(sequence) * 20, what })
}

/// A record of a call that began so many seconds into the day.
pub(crate) fn record(tenant: TenantId, call: CallId, second: i64) -> Box<CallRecord> {
    let started: Timestamp = "2026-11-22T00:00:00.123456Z".parse().unwrap();
    let started = started + jiff::SignedDuration::from_secs(second);
    Box::new(CallRecord {
        call,
        tenant,
        flow: name("main"),
        version: 3,
        caller_name: "Ada\r\n'; DROP TABLE call_record; --".into(),
        caller_number: "+1555\u{0}0100".into(),
        dialed: "+15550199".into(),
        started,
        answered: None,
        ended: started + jiff::SignedDuration::from_secs(60),
        legs: Vec::new(),
        path: Vec::new(),
        transfers: Vec::new(),
        turned_away: None,
        as_sent: AsSent::default(),
        termination: Termination {
            party: Party::Caller,
            cause: HangupCause::NormalClearing,
            reason: "the caller hung up".into(),
        },
        versions: [].into(),
        came_by: CameBy::default(),
        hands: 0,
        swept: false,
        recordings: Vec::new(),
        variables: [("note".to_owned(), json!("\u{0}\u{2028}é"))].into(),
    })
}

/// All segments below a spool's directory.
pub(crate) fn spooled(spool: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(spool).into_iter().flatten().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            found.extend(spooled(&path));
        } else if path.extension().is_some_and(|end| end == "spool") {
            found.push(path);
        }
    }
    found
}
