//! How a database stands with the tables that this program knows, without changing anything: no
//! file is made, no table brought up to date.

use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};
use tokio::time::timeout;

use super::StoreError;
use super::config::{Config, Database};
use super::migrate::latest;

/// How long the database may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// How the tables are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// There are none yet: whoever opens the database makes them.
    Empty,
    /// As this program knows them.
    Current,
    /// Older: whoever opens the database brings them up to date.
    Behind { has: i64, wants: i64 },
    /// A newer Callwright has been here; this one can't use them.
    Ahead { has: i64, knows: i64 },
    /// A step was begun and did not come to its end.
    Broken { step: i64 },
}

/// The steps that brought the tables to where they are, and whether each came to its end.
macro_rules! steps {
    ($options:expr) => {{
        let connecting = timeout(PATIENCE, $options.connect()).await;
        let mut own = connecting.map_err(StoreError::unavailable)??;
        let asked = sqlx::query_as("SELECT version, success FROM _sqlx_migrations ORDER BY 1");
        let told = timeout(PATIENCE, asked.fetch_all(&mut own)).await;
        let told = told.map_err(StoreError::unavailable)?;
        own.close().await?;
        match told {
            Ok(steps) => steps,
            // There is no such table.
            Err(sqlx::Error::Database(_)) => Vec::new(),
            Err(error) => return Err(error.into()),
        }
    }};
}

/// Looks at the database that `config` names.
///
/// # Errors
/// It can't be reached.
pub async fn survey(config: &Config) -> Result<Shape, StoreError> {
    let steps: Vec<(i64, bool)> = match &config.database {
        Database::Sqlite(path) if !path.exists() => return Ok(Shape::Empty),
        Database::Sqlite(path) => {
            steps!(SqliteConnectOptions::new().filename(path).read_only(true))
        }
        Database::Postgres(url) => steps!(PgConnectOptions::from_str(url.reveal())?),
    };
    Ok(shape(&steps, latest()))
}

fn shape(steps: &[(i64, bool)], wants: i64) -> Shape {
    if let Some((step, _)) = steps.iter().find(|(_, whole)| !whole) {
        return Shape::Broken { step: *step };
    }
    match steps.last() {
        None => Shape::Empty,
        Some((has, _)) if *has < wants => Shape::Behind { has: *has, wants },
        Some((has, _)) if *has > wants => Shape::Ahead { has: *has, knows: wants },
        Some(_) => Shape::Current,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    #[test]
    fn steps_tell_whether_the_tables_are_older_or_newer_than_the_program() {
        for (steps, expected) in [
            (&[][..], Shape::Empty),
            (&[(1, true), (5, true)], Shape::Current),
            (&[(1, true), (4, true)], Shape::Behind { has: 4, wants: 5 }),
            (&[(1, true), (6, true)], Shape::Ahead { has: 6, knows: 5 }),
            (&[(1, true), (5, false)], Shape::Broken { step: 5 }),
        ] {
            assert_eq!(shape(steps, 5), expected);
        }
    }

    #[tokio::test]
    async fn a_survey_makes_no_file_and_sees_what_opening_made() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.db");
        let config = Config { database: Database::Sqlite(path.clone()), ..Config::default() };
        assert_eq!(survey(&config).await.unwrap(), Shape::Empty);
        assert!(!path.exists());
        Store::open(&config).await.unwrap().close().await;
        assert_eq!(survey(&config).await.unwrap(), Shape::Current);
    }
}
