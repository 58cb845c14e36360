//! The database's shape: numbered SQL files, the same numbers for both databases, carried in the program.

use std::time::Duration;

use sqlx::migrate::Migrator;

use super::StoreError;
use super::pool::Pool;

static SQLITE: Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES: Migrator = sqlx::migrate!("migrations/postgres");

/// SQLite has no lock around all migrations: of two processes that start at once, one may have to try again.
const SQLITE_ATTEMPTS: u32 = 5;
const SQLITE_PAUSE: Duration = Duration::from_millis(100);

pub(super) async fn migrate(pool: &Pool) -> Result<(), StoreError> {
    match pool {
        Pool::Postgres(db) => Ok(POSTGRES.run(db).await?),
        Pool::Sqlite(db) => {
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
