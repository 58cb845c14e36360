//! The database's shape: numbered SQL files, the same numbers for both databases, carried in the
//! program.

use std::time::Duration;

use sqlx::migrate::Migrator;
use sqlx::{ConnectOptions, Connection};
use tokio::time::timeout;

use super::StoreError;
use super::pool::{Pool, make_file};

static SQLITE: Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES: Migrator = sqlx::migrate!("migrations/postgres");

/// How long PostgreSQL may take to answer at first.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// SQLite has no lock around all migrations: of two processes that start at once, one may have to
/// try again.
const SQLITE_ATTEMPTS: u32 = 5;
const SQLITE_PAUSE: Duration = Duration::from_millis(100);

/// The number of the newest step that this program knows.
pub(super) fn latest() -> i64 {
    POSTGRES.iter().map(|one| one.version).max().unwrap_or_default()
}

pub(super) async fn migrate(pool: &Pool) -> Result<(), StoreError> {
    match pool {
        Pool::Postgres(db) => {
            // Not the pool's, which would only say that its time was up; and if this is cut short,
            // the lock around all migrations goes with the connection.
            let options = db.connect_options();
            let connecting = timeout(CONNECT_TIMEOUT, options.connect()).await;
            let mut own = connecting.map_err(StoreError::unavailable)??;
            POSTGRES.run_direct(None, &mut own, false).await?;
            Ok(own.close().await?)
        }
        Pool::Sqlite(db) => {
            make_file(db.connect_options().get_filename()).map_err(StoreError::unavailable)?;
            let mut attempt = 1;
            while let Err(error) = SQLITE.run(db).await {
                if attempt == SQLITE_ATTEMPTS {
                    return Err(error.into());
                }
                attempt += 1;
                tokio::time::sleep(SQLITE_PAUSE).await;
            }
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file that was added is compiled in only when this module is: touch it, or this fails.
    #[test]
    fn both_databases_have_the_same_numbers_and_every_file_is_in_the_program() {
        let carried = |migrator: &Migrator| -> Vec<String> {
            let names =
                migrator.iter().map(|one| format!("{:04}_{}", one.version, one.description));
            names.map(|name| name.replace(' ', "_")).collect()
        };
        assert_eq!(carried(&SQLITE), carried(&POSTGRES));
        for folder in ["sqlite", "postgres"] {
            let folder = format!("{}/migrations/{folder}", env!("CARGO_MANIFEST_DIR"));
            let names = std::fs::read_dir(folder).unwrap().map(|file| {
                let path = file.unwrap().path();
                path.file_stem().unwrap().to_str().unwrap().to_owned()
            });
            let mut names: Vec<_> = names.collect();
            names.sort();
            assert_eq!(names, carried(&SQLITE));
        }
    }
}
