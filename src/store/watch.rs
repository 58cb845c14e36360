//! When to look again: another process changed something, or nobody can tell.

use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::PgListener;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, PgPool, SqliteConnection};
use tokio::time::sleep;

use super::pool::{Pool, WatchedFile};

/// What the trigger notifies (`migrations/postgres`).
const CHANNEL: &str = "callwright_routing";
/// How often SQLite's file is asked whether another process wrote; that takes some microseconds and
/// no disk.
const FILE_INTERVAL: Duration = Duration::from_millis(250);
/// How long after a failure to try again.
const RETRY: Duration = Duration::from_secs(1);

/// Waits for what others do to the database.
#[derive(Debug)]
pub(super) enum Watch {
    File { options: Arc<SqliteConnectOptions>, open: Option<(SqliteConnection, WatchedFile, i64)> },
    Server { pool: PgPool, listener: Option<PgListener> },
}

impl Watch {
    pub(super) fn new(pool: &Pool) -> Self {
        match pool {
            Pool::Sqlite(db) => Self::File { options: db.connect_options(), open: None },
            Pool::Postgres(db) => Self::Server { pool: db.clone(), listener: None },
        }
    }

    /// Returns when something may have changed. Cancelling it loses no change: the next call begins
    /// with the same connection.
    pub(super) async fn changed(&mut self) {
        loop {
            let done = match self {
                Self::File { options, open } => file_changed(options, open).await,
                Self::Server { pool, listener } => server_changed(pool, listener).await,
            };
            match done {
                Ok(()) => return,
                Err(error) => {
                    tracing::debug!(%error, "changes can't be watched now");
                    self.forget();
                    sleep(RETRY).await;
                }
            }
        }
    }

    fn forget(&mut self) {
        match self {
            Self::File { open, .. } => *open = None,
            Self::Server { listener, .. } => *listener = None,
        }
    }
}

type OpenFile = Option<(SqliteConnection, WatchedFile, i64)>;

async fn file_changed(
    options: &SqliteConnectOptions,
    open: &mut OpenFile,
) -> Result<(), sqlx::Error> {
    let Some((connection, file, version)) = open else {
        let file = WatchedFile::new(options.get_filename())?;
        let mut connection = options.connect().await?;
        let version = data_version(&mut connection).await?;
        *open = Some((connection, file, version));
        // Nobody knows what happened before.
        return Ok(());
    };
    while file.is_same() {
        sleep(FILE_INTERVAL).await;
        let now = data_version(connection).await?;
        if now != *version {
            *version = now;
            return Ok(());
        }
    }
    *open = None;
    Ok(())
}

/// Differs from before when another connection committed (sqlite.org/pragma.html, data_version).
async fn data_version(connection: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    let (version,) =
        sqlx::query_as::<_, (i64,)>("PRAGMA data_version").fetch_one(connection).await?;
    Ok(version)
}

async fn server_changed(
    pool: &PgPool,
    listener: &mut Option<PgListener>,
) -> Result<(), sqlx::Error> {
    let Some(open) = listener else {
        let mut fresh = PgListener::connect_with(pool).await?;
        fresh.ignore_pool_close_event(true);
        fresh.listen(CHANNEL).await?;
        *listener = Some(fresh);
        return Ok(());
    };
    // None: the connection was lost, and notices with it.
    open.try_recv().await?;
    while open.next_buffered().is_some() {}
    Ok(())
}
