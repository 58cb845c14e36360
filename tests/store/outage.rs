//! Databases that go away while calls run, and processes that are killed.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use callwright::base::ids::TenantId;
use callwright::model::live::LiveCall;
use callwright::store::{
    Asked, CallFilter, Config, Database, Directory, NewNumber, Recorder, Settled, Store, StoreError,
};
use sqlx::{Connection, SqliteConnection};
use uuid::Uuid;

use crate::bench::{
    Bench, call_id, entry, eventually, live, name, publish, record, server, spooled,
};
use crate::cluster::Cluster;

const SOON: Duration = Duration::from_secs(20);
/// Long enough for a write that works, and no longer than a test may wait for one that can't.
const SHORTLY: Duration = Duration::from_millis(500);
/// What handing over an entry may take a call, with a wide margin for a busy machine.
const AT_ONCE: Duration = Duration::from_millis(50);

/// A tenant whose number 100 leads to a flow, and what serves its calls.
struct Daemon {
    bench: Bench,
    tenant: TenantId,
    directory: Directory,
    recorder: Recorder,
}

impl Daemon {
    async fn start(bench: Bench) -> Self {
        let tenant = bench.tenant("acme").await.id;
        publish(&bench.store, tenant, "main", "one").await;
        let number = NewNumber::exact("100", name("main"));
        bench.store.tenant(tenant).put_number(&number).await.unwrap();
        let directory = Directory::start(&bench.store, &bench.config).await.unwrap();
        let recorder = Recorder::start(&bench.store, &bench.config).unwrap();
        Self { bench, tenant, directory, recorder }
    }

    fn routed_version(&self) -> u32 {
        let program = self.directory.find(&Asked { dialed: "100", ..Asked::default() }).unwrap();
        program.flows[&program.main].version
    }

    /// Routes and writes down some calls as drivers would, and fails if that ever takes a call's
    /// time.
    fn serve(&self, calls: u32) {
        for _ in 0..calls {
            let call = call_id();
            let began = Instant::now();
            self.routed_version();
            self.recorder.live(live(self.tenant, call, 0));
            self.recorder.note(self.tenant, call, entry(1, "arrived"));
            self.recorder.record(record(self.tenant, call, 1));
            assert!(began.elapsed() < AT_ONCE, "{:?}", began.elapsed());
        }
    }

    /// Another process of the same machine takes calls and is gone before it wrote them to the
    /// database; the last of them is still up.
    fn die_and_leave_calls(&self) -> Box<LiveCall> {
        let other = Recorder::start(&self.bench.store, &self.bench.config).unwrap();
        for _ in 0..10 {
            let call = call_id();
            other.live(live(self.tenant, call, 0));
            other.record(record(self.tenant, call, 1));
        }
        let up = live(self.tenant, call_id(), 0);
        other.live(up.clone());
        up
    }

    async fn calls_in_database(&self) -> usize {
        let page = self
            .bench
            .store
            .tenant(self.tenant)
            .calls(&CallFilter::default(), None, 500)
            .await
            .unwrap();
        page.items.len()
    }

    /// Calls go on without the database, and nothing is missing when it is back.
    async fn outlive(&self, stop: impl AsyncFnOnce(), back: impl AsyncFnOnce()) {
        self.serve(10);
        assert_eq!(self.recorder.settle(SOON).await, Settled::Written);
        stop().await;
        self.serve(100);
        assert_eq!(self.recorder.settle(SHORTLY).await, Settled::Spooled);
        assert_eq!(self.routed_version(), 1);
        let up = self.die_and_leave_calls();
        back().await;
        self.serve(10);
        assert_eq!(self.recorder.settle(SOON).await, Settled::Written);
        eventually("what the dead left", async || self.calls_in_database().await == 130).await;
        let operator = self.bench.store.operator();
        let found = operator.live_calls().await.unwrap();
        assert_eq!(found, [*up], "every other call has ended");
        assert_eq!(self.recorder.lost(), callwright::store::Lost::default());
        let elsewhere = self.bench.another_store().await;
        publish(&elsewhere, self.tenant, "main", "two").await;
        eventually("routing follows again", async || self.routed_version() == 2).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_outlive_a_postgresql_that_is_stopped_and_started() {
    if server().is_none() {
        return;
    }
    let cluster = Cluster::start();
    let folder = tempfile::tempdir().unwrap();
    let database: Database = cluster.url.parse().unwrap();
    let daemon = Daemon::start(Bench::on(database, folder).await).await;
    let refused = async || {
        cluster.tell("stop");
        let error = daemon.bench.store.operator().ping().await.unwrap_err();
        assert!(error.retryable(), "{error}");
    };
    daemon.outlive(refused, async || drop(cluster.tell("start"))).await;
}

/// A daemon whose database is away from its start takes calls, and follows when it is back.
async fn begin_without(bench: Bench, stop: impl AsyncFnOnce(), back: impl AsyncFnOnce()) {
    let Daemon { bench, tenant, directory, .. } = Daemon::start(bench).await;
    let written = bench.config.spool.join("routing");
    eventually("routing is written down", async || written.exists()).await;
    drop(directory);
    bench.store.close().await;
    stop().await;
    let store = Store::lazy(&bench.config).unwrap();
    let directory = Directory::start(&store, &bench.config).await.unwrap();
    let recorder = Recorder::start(&store, &bench.config).unwrap();
    let version = || {
        let program = directory.find(&Asked { dialed: "100", ..Asked::default() }).unwrap();
        program.flows[&program.main].version
    };
    assert_eq!(version(), 1);
    let resumed = directory.program_of(tenant, &name("main"), &[(name("main"), 1)].into());
    assert_eq!(resumed.unwrap().tenant, tenant);
    let call = call_id();
    recorder.record(record(tenant, call, 1));
    back().await;
    assert_eq!(recorder.settle(SOON).await, Settled::Written);
    assert!(store.tenant(tenant).call(call).await.is_ok());
    publish(&store, tenant, "main", "two").await;
    eventually("routing follows", async || version() == 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_takes_calls_though_postgresql_is_stopped_from_its_start() {
    if server().is_none() {
        return;
    }
    let cluster = Cluster::start();
    let database: Database = cluster.url.parse().unwrap();
    let bench = Bench::on(database, tempfile::tempdir().unwrap()).await;
    begin_without(
        bench,
        async || drop(cluster.tell("stop")),
        async || {
            cluster.tell("start");
        },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_takes_calls_though_the_disk_of_its_file_is_missing_from_its_start() {
    let folder = tempfile::tempdir().unwrap();
    let (disk, aside) = (folder.path().join("disk"), folder.path().join("aside"));
    std::fs::create_dir(&disk).unwrap();
    let bench = Bench::on(Database::Sqlite(disk.join("test.db")), folder).await;
    let rename = |from: &Path, to: &Path| std::fs::rename(from, to).unwrap();
    begin_without(bench, async || rename(&disk, &aside), async || rename(&aside, &disk)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_outlive_an_sqlite_file_that_another_process_locks() {
    let daemon = Daemon::start(Bench::sqlite().await).await;
    let url = format!("sqlite:{}", daemon.bench.file().display());
    let mut other = SqliteConnection::connect(&url).await.unwrap();
    let lock = other.begin_with("BEGIN IMMEDIATE").await.unwrap();
    daemon.serve(100);
    assert_eq!(daemon.recorder.settle(SHORTLY).await, Settled::Spooled);
    lock.rollback().await.unwrap();
    assert_eq!(daemon.recorder.settle(SOON).await, Settled::Written);
    assert_eq!(daemon.calls_in_database().await, 100);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_outlive_an_sqlite_file_that_is_moved_away_and_put_back() {
    let daemon = Daemon::start(Bench::sqlite().await).await;
    let file = daemon.bench.file();
    let aside = file.with_extension("aside");
    let names = |path: &Path| {
        ["", "-wal", "-shm"].map(|end| PathBuf::from(format!("{}{end}", path.display())))
    };
    let rename = |from: &Path, to: &Path| {
        for (from, to) in names(from).iter().zip(names(to)) {
            if from.exists() {
                std::fs::rename(from, to).unwrap();
            }
        }
    };
    let gone = async || {
        rename(&file, &aside);
        let error = daemon.bench.store.operator().ping().await.unwrap_err();
        assert!(error.retryable(), "{error}");
    };
    daemon.outlive(gone, async || rename(&aside, &file)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_spool_keeps_records_longest_and_counts_what_it_loses() {
    const CALLS: u32 = 25;
    let mut bench = Bench::sqlite().await;
    bench.config.spool_bytes_max = 8 * 1_024;
    let daemon = Daemon::start(bench).await;
    let (file, aside) = (daemon.bench.file(), daemon.bench.file().with_extension("aside"));
    std::fs::rename(&file, &aside).unwrap();
    for _ in 0..CALLS {
        daemon.serve(1);
        // Each by itself, so that the limit is met in small steps.
        let settled = daemon.recorder.settle(Duration::from_millis(100)).await;
        assert_ne!(settled, Settled::Written);
    }
    let lost = daemon.recorder.lost();
    assert!(lost.entries > lost.records && lost.records > 0, "{lost:?}");
    assert!(daemon.recorder.waiting_bytes() < 10 * 1_024, "{}", daemon.recorder.waiting_bytes());
    std::fs::rename(&aside, &file).unwrap();
    assert_eq!(daemon.recorder.settle(SOON).await, Settled::Written);
    let written = u64::try_from(daemon.calls_in_database().await).unwrap();
    assert_eq!(written, u64::from(CALLS) - lost.records);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_said_to_be_unavailable() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("postgres://nobody@localhost/x?host={}", folder.path().display());
    let config = Config { database: url.parse().unwrap(), ..Config::default() };
    let error = Store::open(&config).await.unwrap_err();
    assert!(error.retryable(), "{error}");
    let nowhere = Database::Sqlite(folder.path().join("no/such/folder/x.db"));
    let error = Store::open(&Config { database: nowhere, ..config }).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error}");
}

const VICTIM_FOLDER: &str = "CALLWRIGHT_TEST_VICTIM";

/// Not a test of its own: the process that the next one kills.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn victim_of_a_kill() {
    let Ok(folder) = std::env::var(VICTIM_FOLDER).map(PathBuf::from) else { return };
    let database = Database::Sqlite(folder.join("victim.db"));
    let config = Config { database, spool: folder.join("spool"), ..Config::default() };
    let store = Store::open(&config).await.unwrap();
    std::fs::remove_file(folder.join("victim.db")).unwrap();
    let recorder = Recorder::start(&store, &config).unwrap();
    loop {
        recorder.record(record(TenantId(Uuid::from_u128(1)), call_id(), 1));
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_killed_process_had_written_is_read_by_the_next() {
    let bench = Bench::sqlite().await;
    let folder = bench.folder.path().join("victim");
    std::fs::create_dir(&folder).unwrap();
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "outage::victim_of_a_kill"])
        .env(VICTIM_FOLDER, &folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let spool = folder.join("spool");
    let bytes = || {
        let files = spooled(&spool).into_iter();
        files.map(|file| file.metadata().unwrap().len()).sum::<u64>()
    };
    eventually("the victim writes", async || bytes() > 200_000).await;
    victim.kill().unwrap();
    victim.wait().unwrap();

    let recorder = Recorder::start(&bench.store, &Config { spool, ..bench.config }).unwrap();
    assert_eq!(recorder.settle(SOON).await, Settled::Written);
    assert!(recorder.lost().unreadable <= 1, "{:?}", recorder.lost());
    let scope = bench.store.tenant(TenantId(Uuid::from_u128(1)));
    assert!(scope.calls(&CallFilter::default(), None, 500).await.unwrap().items.len() > 50);
}
