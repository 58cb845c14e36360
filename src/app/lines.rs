//! The waiting lines of all nodes, which the database keeps.

use std::time::Duration;

use tokio::time::timeout;

use crate::call::queue::{QueueFound, QueueQuery};
use crate::driver::queues::{Finding, Queues};
use crate::store::Store;

/// How long the database may take; then the caller waits on, and asks again.
const ANSWER: Duration = Duration::from_secs(3);

/// Asks the database.
#[derive(Debug)]
pub(super) struct Lines(pub(super) Store);

impl Queues for Lines {
    fn ask(&self, query: QueueQuery) -> Finding<'_> {
        Box::pin(async move {
            let scope = self.0.tenant(query.tenant);
            match timeout(ANSWER, scope.ask_queue(&query)).await {
                Ok(Ok(found)) => found,
                Ok(Err(error)) => {
                    tracing::debug!(call = %query.call, %error, "a queue could not be asked");
                    QueueFound::Unknown
                }
                Err(_) => {
                    tracing::debug!(call = %query.call, "a queue could not be asked in time");
                    QueueFound::Unknown
                }
            }
        })
    }
}
