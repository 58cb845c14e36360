//! The daemon's calls from the first to the last: accept, then let them end.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::task::TaskTracker;

use super::call::{Shared, serve};
use crate::base::cause::HangupCause;
use crate::call::input::Command;
use crate::switch::listener::Listener;

/// How long calls may take to end once they were told to.
const LAST: Duration = Duration::from_secs(6);

/// Takes calls until `shutdown`; then calls that are up may go on for `grace`, and what is left is
/// hung up. Returns when no call is left.
pub async fn run(
    listener: Listener,
    shared: Arc<Shared>,
    shutdown: impl Future<Output = ()>,
    grace: Duration,
) {
    let tasks = TaskTracker::new();
    listener
        .run(shutdown, |accepted| drop(tasks.spawn(serve(accepted, Arc::clone(&shared)))))
        .await;
    shared.draining.cancel();
    tasks.close();
    if !shared.registry.is_empty() {
        tracing::info!(calls = shared.registry.len(), ?grace, "waiting for calls to end");
    }
    if tokio::time::timeout(grace, tasks.wait()).await.is_ok() {
        return;
    }
    let left = shared.registry.calls();
    tracing::warn!(calls = left.len(), "hanging up what is left");
    for call in left {
        let hangup = Command::Hangup { cause: HangupCause::SystemShutdown };
        if let Err(error) = shared.registry.tell(call, hangup) {
            tracing::debug!(%call, %error, "a call is left to end by itself");
        }
    }
    if tokio::time::timeout(LAST, tasks.wait()).await.is_err() {
        tracing::error!(calls = shared.registry.len(), "calls did not end");
    }
}
