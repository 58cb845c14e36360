//! Letters between processes that share a PostgreSQL: each listens on a channel of its own.
//!
//! A letter arrives within milliseconds or never: nobody keeps it for a process that does not
//! listen at that moment. Who asks for something therefore waits for an answer, and not for ever.

use std::sync::Arc;
use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::PgListener;
use tokio::sync::mpsc::{self, Receiver, Sender, error::TrySendError};
use tokio::task::AbortHandle;
use tokio::time::sleep;

use super::pool::Pool;
use super::{Store, StoreError};
use crate::base::ids::InstanceId;

/// A letter has at most so many bytes; PostgreSQL takes 7 999 with the sender's name
/// (postgresql.org, NOTIFY).
const TEXT_MAX: usize = 7 * 1_024;
/// Letters that may wait to be read; more are thrown away.
const WAITING_MAX: usize = 256;
/// How long after a failure to try again.
const RETRY: Duration = Duration::from_millis(500);

/// Sends letters; a clone sends for the same process.
#[derive(Debug, Clone)]
pub struct Post {
    pool: PgPool,
    own: InstanceId,
    _listening: Arc<Listening>,
}

#[derive(Debug)]
struct Listening(AbortHandle);

impl Drop for Listening {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Something that another process says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    pub from: InstanceId,
    pub text: String,
}

/// Letters to this process, in the order of their arrival.
#[derive(Debug)]
pub struct Mailbox {
    letters: Receiver<Letter>,
}

impl Mailbox {
    /// The next letter; none when the last [`Post`] of this process is gone.
    pub async fn next(&mut self) -> Option<Letter> {
        self.letters.recv().await
    }
}

impl Post {
    /// Begins to listen, and goes on whenever the database is back. Call it within a tokio runtime.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] on SQLite.
    pub fn start(store: &Store, own: InstanceId) -> Result<(Self, Mailbox), StoreError> {
        let Pool::Postgres(pool) = &store.pool else {
            let why = "one database file, one node: letters go through PostgreSQL";
            return Err(StoreError::Invalid(why.into()));
        };
        let (sender, letters) = mpsc::channel(WAITING_MAX);
        let listening = tokio::spawn(listen(pool.clone(), own, sender)).abort_handle();
        let post = Self { pool: pool.clone(), own, _listening: Arc::new(Listening(listening)) };
        Ok((post, Mailbox { letters }))
    }

    /// Sends a letter of at most 7 KiB without NUL. That it was sent does not say that it arrives.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] for what can't be a letter; whatever the database says.
    pub async fn send(&self, to: InstanceId, text: &str) -> Result<(), StoreError> {
        if text.len() > TEXT_MAX || text.contains('\0') {
            let length = text.len();
            let why = format!("a letter has at most {TEXT_MAX} bytes and no NUL: {length} bytes");
            return Err(StoreError::Invalid(why));
        }
        sqlx::query("SELECT pg_notify($1, $2)")
            .bind(channel(to))
            .bind(format!("{} {text}", self.own))
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}

/// 43 of the 63 bytes that a name may have.
fn channel(instance: InstanceId) -> String {
    format!("callwright_{}", instance.0.simple())
}

fn letter(payload: &str) -> Option<Letter> {
    let (from, text) = payload.split_once(' ')?;
    Some(Letter { from: from.parse().ok()?, text: text.to_owned() })
}

async fn listen(pool: PgPool, own: InstanceId, letters: Sender<Letter>) {
    let mut failing = false;
    while !pool.is_closed() {
        match listener(&pool, own).await {
            Ok(listener) => {
                failing = false;
                let ended = receive(listener, &letters).await;
                tracing::debug!(error = %ended, "letters can't be received now");
            }
            Err(error) => {
                if !failing {
                    tracing::warn!(%error, "no letters until the database is back");
                }
                failing = true;
            }
        }
        sleep(RETRY).await;
    }
}

async fn listener(pool: &PgPool, own: InstanceId) -> Result<PgListener, sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen(&channel(own)).await?;
    Ok(listener)
}

async fn receive(mut listener: PgListener, letters: &Sender<Letter>) -> sqlx::Error {
    loop {
        let notice = match listener.recv().await {
            Ok(notice) => notice,
            Err(error) => return error,
        };
        match letter(notice.payload()).map(|letter| letters.try_send(letter)) {
            Some(Ok(())) => {}
            Some(Err(TrySendError::Full(lost))) => {
                tracing::warn!(from = %lost.from, "a letter is thrown away: too many wait");
            }
            Some(Err(TrySendError::Closed(_))) => {
                tracing::debug!("a letter is thrown away: nobody reads them any more");
            }
            None => tracing::warn!("a letter without a sender is thrown away"),
        }
    }
}
