//! Connections: SQLite or PostgreSQL behind one name. A query's text is the same for both; its body
//! is compiled once for each.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{PgPool, SqlitePool};

use super::StoreError;
use super::config::{Config, Database};
use crate::base::masked::Masked;

/// How long a request waits for a connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);

/// Connections that wait for notices: of changed routing, and of letters.
const LISTENERS: u32 = 2;

/// How long SQLite waits for another process's lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(4);

/// One of the two databases.
#[derive(Debug, Clone)]
pub(super) enum Pool {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

/// Runs the same body on whichever database it is.
macro_rules! on {
    ($pool:expr, $db:ident => $body:expr) => {
        match $pool {
            $crate::store::pool::Pool::Sqlite($db) => $body,
            $crate::store::pool::Pool::Postgres($db) => $body,
        }
    };
}

/// The same inside a transaction, which is rolled back when the body leaves by `?`. SQLite takes
/// the write lock at once: a transaction that reads first and writes later could not wait for it.
macro_rules! in_transaction {
    ($pool:expr, $tx:ident => $body:block) => {
        $crate::store::pool::begin_with!($pool, "BEGIN IMMEDIATE", "BEGIN", $tx => $body)
    };
}

/// The same inside a transaction that sees the database as of one moment.
macro_rules! in_snapshot {
    ($pool:expr, $tx:ident => $body:block) => {
        $crate::store::pool::begin_with!(
            $pool, "BEGIN", "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", $tx => $body
        )
    };
}

macro_rules! begin_with {
    ($pool:expr, $sqlite:literal, $postgres:literal, $tx:ident => $body:block) => {
        match $pool {
            $crate::store::pool::Pool::Sqlite(db) => {
                let mut $tx = db.begin_with($sqlite).await?;
                let value = $body;
                $tx.commit().await?;
                value
            }
            $crate::store::pool::Pool::Postgres(db) => {
                let mut $tx = db.begin_with($postgres).await?;
                let value = $body;
                $tx.commit().await?;
                value
            }
        }
    };
}

pub(super) use {begin_with, in_snapshot, in_transaction, on};

impl Pool {
    /// Connects when it is first asked something.
    pub(super) fn lazy(config: &Config) -> Result<Self, StoreError> {
        match &config.database {
            Database::Sqlite(path) => Ok(Self::Sqlite(sqlite(path))),
            Database::Postgres(url) => postgres(url, config.connections).map(Self::Postgres),
        }
    }

    pub(super) async fn close(&self) {
        on!(self, db => db.close().await);
    }
}

fn postgres(url: &Masked<String>, connections: u32) -> Result<PgPool, StoreError> {
    let options =
        PgConnectOptions::from_str(url.reveal())?.application_name(env!("CARGO_PKG_NAME"));
    Ok(PgPoolOptions::new()
        .max_connections(connections.max(2) + LISTENERS)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .connect_lazy_with(options))
}

/// How this program opens an SQLite file. With a write-ahead log readers of other processes don't
/// wait for us; `synchronous = NORMAL` may lose the last commits on a power cut, never the file's
/// integrity.
fn sqlite_options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Normal)
        .busy_timeout(BUSY_TIMEOUT)
        // What is deleted is overwritten: wrapped keys must not stay in free pages.
        .pragma("secure_delete", "ON")
        .foreign_keys(true)
}

/// Records are nobody else's business: the file is its owner's alone, and so are its companions.
pub(super) fn make_file(path: &Path) -> io::Result<()> {
    OpenOptions::new().create(true).append(true).mode(0o600).open(path).map(drop)
}

fn sqlite(path: &Path) -> SqlitePool {
    let file = Arc::new(WatchedFile::unopened(path));
    let noted = Arc::clone(&file);
    SqlitePoolOptions::new()
        // One connection: its file is certain to be the one that `WatchedFile` noted.
        .max_connections(1)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .after_connect(move |_, _| {
            let noted = Arc::clone(&noted);
            Box::pin(async move { noted.note().map_err(sqlx::Error::Io) })
        })
        .before_acquire(move |_, _| {
            let same = file.is_same();
            Box::pin(async move { Ok(same) })
        })
        .connect_lazy_with(sqlite_options(path))
}

/// Which file is open. SQLite goes on writing into a file that was removed or replaced, and all of
/// it would be lost: such a connection is given up, and a new one finds the new file or none.
#[derive(Debug)]
pub(super) struct WatchedFile {
    path: PathBuf,
    opened: Mutex<Option<(u64, u64)>>,
}

impl WatchedFile {
    fn unopened(path: &Path) -> Self {
        Self { path: path.to_owned(), opened: Mutex::new(None) }
    }

    /// The file that is there now.
    pub(super) fn new(path: &Path) -> io::Result<Self> {
        let file = Self::unopened(path);
        file.note()?;
        Ok(file)
    }

    fn identity(&self) -> io::Result<(u64, u64)> {
        std::fs::metadata(&self.path).map(|file| (file.dev(), file.ino()))
    }

    fn note(&self) -> io::Result<()> {
        let identity = self.identity()?;
        *self.opened.lock().unwrap_or_else(PoisonError::into_inner) = Some(identity);
        Ok(())
    }

    pub(super) fn is_same(&self) -> bool {
        let opened = *self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        self.identity().ok() == opened
    }
}
