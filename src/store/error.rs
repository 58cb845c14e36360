//! What can go wrong between us and the database.

use std::error::Error;

use sqlx::error::{DatabaseError, ErrorKind};
use sqlx::migrate::MigrateError;

/// Why the store did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The asking tenant has no such thing; whether another has, isn't said.
    #[error("there is no {what} `{name}`")]
    NotFound { what: &'static str, name: String },
    /// Somebody else was faster, or the name is taken.
    #[error("{0}")]
    Conflict(String),
    /// What was handed in can't be stored.
    #[error("{0}")]
    Invalid(String),
    /// This part of what was handed in can't be stored.
    #[error("{0}: {1}")]
    Field(&'static str, String),
    /// The database is gone, busy or full: the same may work later.
    #[error("the database can't be used now: {0}")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
    /// The database answers with what this program can't read.
    #[error("the database holds something unreadable: {0}")]
    Corrupt(#[source] Box<dyn Error + Send + Sync>),
}

impl StoreError {
    /// Whether the same request may succeed later.
    pub const fn retryable(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }

    pub(super) fn not_found(what: &'static str, name: impl ToString) -> Self {
        Self::NotFound { what, name: name.to_string() }
    }

    pub(super) fn corrupt(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Corrupt(error.into())
    }

    pub(super) fn unavailable(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Unavailable(error.into())
    }

    /// Says in the caller's words what a violated uniqueness means.
    #[must_use]
    pub(super) fn taken(self, sentence: impl FnOnce() -> String) -> Self {
        match self {
            Self::Conflict(_) => Self::Conflict(sentence()),
            other @ (Self::NotFound { .. }
            | Self::Invalid(_)
            | Self::Field(..)
            | Self::Unavailable(_)
            | Self::Corrupt(_)) => other,
        }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(error) => from_database(error),
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::BeginFailed
            | sqlx::Error::WorkerCrashed => Self::unavailable(error),
            other => Self::corrupt(other),
        }
    }
}

fn from_database(error: Box<dyn DatabaseError>) -> StoreError {
    match error.kind() {
        ErrorKind::UniqueViolation => StoreError::Conflict(error.message().to_owned()),
        ErrorKind::ForeignKeyViolation
        | ErrorKind::NotNullViolation
        | ErrorKind::CheckViolation
        | ErrorKind::ExclusionViolation => StoreError::Invalid(error.message().to_owned()),
        _ => match error.code().map(|code| judge(&code)) {
            Some(Fault::Passing) => StoreError::unavailable(sqlx::Error::Database(error)),
            Some(Fault::Value) => StoreError::Invalid(error.message().to_owned()),
            Some(Fault::Lasting) | None => StoreError::corrupt(sqlx::Error::Database(error)),
        },
    }
}

enum Fault {
    Passing,
    Value,
    Lasting,
}

/// SQLSTATE classes are five characters (PostgreSQL manual, appendix A); SQLite's extended result
/// codes are numbers whose low byte is the primary code (sqlite.org/rescode.html).
fn judge(code: &str) -> Fault {
    if code.len() == 5 {
        return match code.get(..2) {
            // Connection, log-in, no such database, rollback, resources, state, intervention,
            // system: what an operator puts right, or time.
            Some("08" | "28" | "3D" | "40" | "53" | "55" | "57" | "58") => Fault::Passing,
            Some("22" | "23") => Fault::Value,
            _ => Fault::Lasting,
        };
    }
    match code.parse::<u32>().map(|number| number & 0xff) {
        // BUSY, LOCKED, NOMEM, READONLY, INTERRUPT, IOERR, FULL, CANTOPEN, PROTOCOL.
        Ok(5 | 6 | 7 | 8 | 9 | 10 | 13 | 14 | 15) => Fault::Passing,
        // TOOBIG, CONSTRAINT, MISMATCH.
        Ok(18..=20) => Fault::Value,
        _ => Fault::Lasting,
    }
}

impl From<MigrateError> for StoreError {
    fn from(error: MigrateError) -> Self {
        match error {
            MigrateError::Execute(error) => error.into(),
            other => Self::corrupt(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_or_stopped_database_may_be_asked_again_and_a_broken_one_not() {
        for code in ["5", "261", "14", "57P01", "57P03", "08006", "53300"] {
            assert!(matches!(judge(code), Fault::Passing), "{code}");
        }
        for code in ["11", "26", "42P01"] {
            assert!(matches!(judge(code), Fault::Lasting), "{code}");
        }
        assert!(matches!(judge("22021"), Fault::Value));
        assert!(StoreError::from(sqlx::Error::PoolTimedOut).retryable());
        assert!(!StoreError::not_found("flow", "x").retryable());
    }
}
