//! The answering end of a control socket.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::UnixStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::pass::Lines;
use super::path::Place;
use super::protocol::{Answer, REQUEST_MAX, Request};

/// Conversations at once; others wait.
const CLIENTS_MAX: usize = 16;
/// A conversation in which nothing is asked for so long is over.
const IDLE_MAX: Duration = Duration::from_secs(60);
/// How long an answer may take to be read.
const SEND_MAX: Duration = Duration::from_secs(5);
/// Between two attempts after an accept that failed.
const PAUSE: Duration = Duration::from_millis(100);

/// Whoever answers, within seconds.
pub trait Office: Send + Sync {
    /// The answer, and the sockets that come beside it.
    fn answer(&self, request: Request) -> impl Future<Output = (Answer, Vec<OwnedFd>)> + Send;
}

/// Answers for ever.
pub async fn run(place: Arc<Place>, office: Arc<impl Office + 'static>) {
    let clients = Arc::new(Semaphore::new(CLIENTS_MAX));
    while let Ok(client) = Arc::clone(&clients).acquire_owned().await {
        match place.listener().accept().await {
            Ok((stream, _)) => {
                let office = Arc::clone(&office);
                tokio::spawn(async move {
                    if let Err(error) = talk(stream, &*office).await {
                        tracing::debug!(%error, "a conversation on the control socket broke");
                    }
                    drop(client);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "the control socket accepts nobody");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

async fn talk(stream: UnixStream, office: &impl Office) -> io::Result<()> {
    let mut lines = Lines::new(stream);
    while let Ok(received) = timeout(IDLE_MAX, lines.receive(REQUEST_MAX)).await {
        let Some((line, _)) = received? else { return Ok(()) };
        let (answer, sockets) = match serde_json::from_slice(&line) {
            Ok(request) => office.answer(request).await,
            Err(error) => (Answer::Refused { reason: error.to_string() }, Vec::new()),
        };
        let beside: Vec<_> = sockets.iter().map(AsFd::as_fd).collect();
        let line = serde_json::to_vec(&answer)?;
        timeout(SEND_MAX, lines.send(&line, &beside)).await??;
    }
    Ok(())
}
