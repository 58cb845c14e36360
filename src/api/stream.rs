//! Bodies that are made while they are sent.

use std::io;
use std::time::Duration;

use axum::body::{Body, Bytes};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// How long a reader may take nothing before it is given up.
const STALLED: Duration = Duration::from_secs(60);

/// Whoever reads is gone, or takes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gone;

/// The end at which a body is written. One piece waits to be sent, no more.
#[derive(Debug, Clone)]
pub(super) struct Pipe(mpsc::Sender<io::Result<Bytes>>);

impl Pipe {
    /// # Errors
    /// Nobody reads it: there is no use in going on.
    pub(super) async fn send(&self, bytes: impl Into<Bytes>) -> Result<(), Gone> {
        self.put(Ok(bytes.into())).await
    }

    /// Breaks the connection off, so that nobody takes what came for the whole.
    pub(super) async fn fail(&self, error: &(dyn std::error::Error + Sync)) {
        tracing::error!(%error, "an answer breaks off");
        let _ = self.put(Err(io::Error::other("broken off"))).await;
    }

    async fn put(&self, piece: io::Result<Bytes>) -> Result<(), Gone> {
        match timeout(STALLED, self.0.send(piece)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Gone),
        }
    }
}

/// A body that `write` writes in a task of its own, which ends when nobody reads.
pub(super) fn written<Run>(write: impl FnOnce(Pipe) -> Run) -> Body
where
    Run: Future<Output = ()> + Send + 'static,
{
    let (pipe, pieces) = mpsc::channel(1);
    tokio::spawn(write(Pipe(pipe)));
    Body::from_stream(futures_util::stream::unfold(pieces, |mut pieces| async move {
        pieces.recv().await.map(|piece| (piece, pieces))
    }))
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;

    use super::*;

    #[tokio::test]
    async fn a_writer_ends_when_nobody_reads_any_more() {
        let (told, ended) = tokio::sync::oneshot::channel();
        let body = written(async move |pipe| {
            while pipe.send("more").await.is_ok() {}
            told.send(()).unwrap();
        });
        drop(body);
        ended.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_who_takes_nothing_is_given_up() {
        let (told, ended) = tokio::sync::oneshot::channel();
        let body = written(async move |pipe| {
            while pipe.send("more").await.is_ok() {}
            told.send(()).unwrap();
        });
        ended.await.unwrap();
        drop(body);
    }

    #[tokio::test]
    async fn what_broke_off_is_never_taken_for_the_whole() {
        let good = written(async |pipe| pipe.send("all").await.unwrap());
        assert_eq!(to_bytes(good, 100).await.unwrap(), "all");
        let bad = written(async |pipe| {
            pipe.send("half").await.unwrap();
            pipe.fail(&io::Error::other("no more")).await;
        });
        assert!(to_bytes(bad, 100).await.is_err());
    }
}
