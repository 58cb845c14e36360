//! Where things are kept, and how much.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sqlx::postgres::PgConnectOptions;
use url::Url;

use crate::base::ids::{FlowName, TenantSlug};
use crate::base::masked::Masked;
use crate::base::millis::Millis;
use crate::flow::program::SpeechEngine;

/// The store's settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// A path of an SQLite file, or a `postgres://` URL. Default: `callwright.db`.
    pub database: Database,
    /// Connections to PostgreSQL at most; SQLite has one. Default: 8.
    pub connections: u32,
    /// Directory in which records wait for the database; each process has one of its own in it.
    /// Default: `spool`.
    pub spool: PathBuf,
    /// Bytes that may wait there; timelines give way at three quarters of it. Default: 1 GiB.
    pub spool_bytes_max: u64,
    /// How long what happened is kept for followers who were away; of calls that are up it is kept
    /// longer. Default: 24h.
    pub events: Millis,
    /// The flow of calls whose number nobody has. Default: none, and such calls are refused.
    pub default_flow: Option<DefaultFlow>,
    /// Directory in which FreeSWITCH writes messages, one directory below it for each tenant.
    /// Absolute. Default: `/var/lib/callwright/messages`.
    pub message_directory: String,
    /// FreeSWITCH's text-to-speech engine. Default: none.
    pub speech: Option<Speech>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            database: Database::Sqlite("callwright.db".into()),
            connections: 8,
            spool: "spool".into(),
            spool_bytes_max: 1 << 30,
            events: Millis::seconds(24 * 3_600),
            default_flow: None,
            message_directory: "/var/lib/callwright/messages".into(),
            speech: None,
        }
    }
}

/// A flow of some tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DefaultFlow {
    /// The tenant's slug.
    pub tenant: TenantSlug,
    pub flow: FlowName,
}

/// A text-to-speech engine, as FreeSWITCH names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Speech {
    pub engine: String,
    pub voice: String,
}

impl From<&Speech> for SpeechEngine {
    fn from(speech: &Speech) -> Self {
        Self { engine: speech.engine.clone(), voice: speech.voice.clone() }
    }
}

/// Which database. Printing it (`Display`, `Debug` and serialised) hides the password.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Database {
    Sqlite(PathBuf),
    Postgres(Masked<String>),
}

/// Why a text names no database.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DatabaseError {
    #[error("the database's name is empty: give a file's path or a `postgres://` URL")]
    Empty,
    #[error("`{0}:` databases are not supported: give a file's path or a `postgres://` URL")]
    Scheme(String),
    #[error("the PostgreSQL URL can't be read: {0}")]
    Url(String),
}

impl FromStr for Database {
    type Err = DatabaseError;

    fn from_str(text: &str) -> Result<Self, DatabaseError> {
        let scheme = text.split_once("://").map(|(scheme, _)| scheme);
        match scheme {
            Some("postgres" | "postgresql") => PgConnectOptions::from_str(text)
                .map(|_| Self::Postgres(Masked::new(text.to_owned())))
                .map_err(|error| DatabaseError::Url(error.to_string())),
            Some("sqlite") | None => {
                let path = text.strip_prefix("sqlite:").unwrap_or(text);
                let path = path.strip_prefix("//").unwrap_or(path);
                if path.is_empty() {
                    Err(DatabaseError::Empty)
                } else {
                    Ok(Self::Sqlite(path.into()))
                }
            }
            Some(other) => Err(DatabaseError::Scheme(other.chars().take(20).collect())),
        }
    }
}

impl TryFrom<String> for Database {
    type Error = DatabaseError;
    fn try_from(text: String) -> Result<Self, DatabaseError> {
        text.parse()
    }
}

impl From<Database> for String {
    fn from(database: Database) -> Self {
        database.to_string()
    }
}

impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => path.display().fmt(f),
            Self::Postgres(url) => match Url::parse(url.reveal()) {
                Ok(mut url) => {
                    url.set_query(None);
                    if url.password().is_some() && url.set_password(Some("***")).is_err() {
                        return f.write_str("postgres://***");
                    }
                    url.fmt(f)
                }
                Err(_) => f.write_str("postgres://***"),
            },
        }
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_or_a_postgres_url_is_a_database_and_nothing_else() {
        let file: Database = "sqlite:///var/lib/x.db".parse().unwrap();
        assert_eq!(file, Database::Sqlite("/var/lib/x.db".into()));
        assert_eq!("x.db".parse(), Ok(Database::Sqlite("x.db".into())));
        assert!(matches!("postgres://h/x".parse(), Ok(Database::Postgres(_))));
        assert_eq!("mysql://h/x".parse::<Database>(), Err(DatabaseError::Scheme("mysql".into())));
        assert_eq!("".parse::<Database>(), Err(DatabaseError::Empty));
    }

    #[test]
    fn a_password_is_never_printed() {
        let url = "postgres://ada:hunter2@db.example/calls?password=hunter3";
        let database: Database = url.parse().unwrap();
        let config = Config { database, ..Config::default() };
        let printed = format!("{config:?} {}", serde_json::to_string(&config).unwrap());
        assert!(!printed.contains("hunter"), "{printed}");
        assert!(printed.contains("ada:***@db.example/calls"), "{printed}");
    }
}
