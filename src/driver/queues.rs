//! Waiting lines: who keeps them, as calls see it.

use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::Mutex;

use crate::call::queue::{QueueFound, QueueQuery};

/// Keeps the waiting lines of all processes. It answers within seconds, if only that it does not
/// know.
pub trait Queues: Send + Sync {
    fn ask(&self, query: QueueQuery) -> Finding<'_>;
}

/// What is about to be known of a line.
pub type Finding<'a> = Pin<Box<dyn Future<Output = QueueFound> + Send + 'a>>;

/// Nobody keeps any: who waits, waits on.
#[derive(Debug)]
pub struct NoQueues;

impl Queues for NoQueues {
    fn ask(&self, _query: QueueQuery) -> Finding<'_> {
        Box::pin(ready(QueueFound::Unknown))
    }
}

/// One call's questions, one after another: its place must not be asked for after it was given up.
#[derive(Clone)]
pub(super) struct Counter {
    queues: Arc<dyn Queues>,
    turn: Arc<Mutex<()>>,
}

impl Counter {
    pub(super) fn new(queues: &Arc<dyn Queues>) -> Self {
        Self { queues: Arc::clone(queues), turn: Arc::default() }
    }

    pub(super) async fn ask(self, query: QueueQuery) -> QueueFound {
        let _turn = self.turn.lock().await;
        self.queues.ask(query).await
    }

    /// It is told even if the call is over by then.
    pub(super) fn tell(&self, query: QueueQuery) {
        tokio::spawn(self.clone().ask(query));
    }
}
