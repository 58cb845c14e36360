//! What is told of tenants, passed on to who follows them: read from the database once for all
//! followers in this process, kept in memory for a while, and taken by each at its own pace.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::backlog::{Backlog, Batch};
use super::event::{EVENTS_MAX, Told, Untold};
use super::{Store, StoreError, TenantScope};
use crate::base::ids::TenantId;

/// How often it is asked what other processes tell.
const LOOK: Duration = Duration::from_millis(200);
/// After a failure.
const RETRY: Duration = Duration::from_secs(1);
/// Events of a tenant that are kept in memory; who is further behind takes from the backlog.
const RING_MAX: usize = 4_096;
/// Events that a follower takes at once.
const BATCH_MAX: usize = 256;

/// Whom somebody follows in this process.
#[derive(Debug, Clone)]
pub struct Followed(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: Store,
    backlog: Backlog,
    tails: Mutex<HashMap<TenantId, Weak<Tail>>>,
}

/// The newest of what was told of a tenant.
#[derive(Debug)]
struct Tail {
    ring: Mutex<VecDeque<(u64, Arc<str>)>>,
    /// The last that is in the ring, or was before.
    last: watch::Sender<u64>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Followed {
    /// Reads what is told as long as anybody follows, until all clones are gone. Call it within a
    /// tokio runtime.
    pub fn start(store: Store) -> Self {
        let inner = Inner { store, backlog: Backlog::new(), tails: Mutex::default() };
        let inner = Arc::new(inner);
        tokio::spawn(read(Arc::downgrade(&inner)));
        Self(inner)
    }

    /// Follows a tenant from behind the event `after`.
    ///
    /// # Errors
    /// What came after is not kept any more, was never told, or the database is away.
    pub async fn follow(&self, scope: TenantScope, after: u64) -> Result<Follower, Untold> {
        let tail = match self.0.tail_behind(&scope, after).await {
            Some(tail) => tail,
            None => {
                let told = scope.told_after(after, 1).await?;
                self.0.tail(scope.id(), told.last)
            }
        };
        let (last, backlog) = (tail.last.subscribe(), self.0.backlog.clone());
        Ok(Follower { scope, tail, backlog, last, after })
    }
}

impl Inner {
    /// The tail of a tenant that somebody follows already, if it is certain without a question that
    /// nothing is missing behind the event `after`: of many who come back at once few need to ask.
    async fn tail_behind(&self, scope: &TenantScope, after: u64) -> Option<Arc<Tail>> {
        let tail = lock(&self.tails).get(&scope.id()).and_then(Weak::upgrade)?;
        let last = *tail.last.borrow();
        let at_hand = tail.holds(after) || self.backlog.after(scope, after, last).await.is_some();
        at_hand.then_some(tail)
    }

    fn tail(&self, tenant: TenantId, last: u64) -> Arc<Tail> {
        let mut tails = lock(&self.tails);
        if let Some(tail) = tails.get(&tenant).and_then(Weak::upgrade) {
            return tail;
        }
        let tail = Arc::new(Tail { ring: Mutex::default(), last: watch::Sender::new(last) });
        tails.insert(tenant, Arc::downgrade(&tail));
        tail
    }

    /// Those that somebody has.
    fn tails(&self) -> Vec<(TenantId, Arc<Tail>)> {
        let mut tails = lock(&self.tails);
        tails.retain(|_, tail| tail.strong_count() > 0);
        tails.iter().filter_map(|(tenant, tail)| Some((*tenant, tail.upgrade()?))).collect()
    }

    async fn look(&self) -> Result<(), StoreError> {
        let tails = self.tails();
        if tails.is_empty() {
            return Ok(());
        }
        let told: HashMap<_, _> = self.store.told().await?.into_iter().collect();
        for (tenant, tail) in tails {
            let Some(&last) = told.get(&tenant) else { continue };
            if last < *tail.last.borrow() {
                // An earlier state of the database was restored.
                self.backlog.forget();
                tail.begin_anew(last);
            }
            while last > *tail.last.borrow() {
                let after = *tail.last.borrow();
                match self.store.tenant(tenant).told_after(after, EVENTS_MAX).await {
                    Ok(Told { events, .. }) if events.is_empty() => break,
                    Ok(Told { events, .. }) => tail.take(events),
                    Err(Untold::Store(error)) => return Err(error),
                    // Who is behind learns it by itself.
                    Err(Untold::Gone { kept_after: last } | Untold::Ahead { last }) => {
                        tail.begin_anew(last);
                    }
                }
            }
        }
        Ok(())
    }
}

impl Tail {
    fn take(&self, events: Vec<(u64, String)>) {
        let Some(last) = events.last().map(|(sequence, _)| *sequence) else { return };
        let mut ring = lock(&self.ring);
        ring.extend(events.into_iter().map(|(sequence, event)| (sequence, Arc::from(event))));
        let over = ring.len().saturating_sub(RING_MAX);
        ring.drain(..over);
        drop(ring);
        self.last.send_replace(last);
    }

    /// What is here does not lead to what comes behind `last`.
    fn begin_anew(&self, last: u64) {
        lock(&self.ring).clear();
        self.last.send_replace(last);
    }

    /// Whether all behind `after` is here.
    fn holds(&self, after: u64) -> bool {
        let ring = lock(&self.ring);
        let last = *self.last.borrow();
        let before = ring.front().map_or(last, |(sequence, _)| sequence - 1);
        (before..=last).contains(&after)
    }

    /// What is here of that behind `after`; none where it is not.
    fn after(&self, after: u64) -> Option<Batch> {
        let ring = lock(&self.ring);
        let first = ring.front().map(|(sequence, _)| *sequence)?;
        let skip = usize::try_from((after + 1).checked_sub(first)?).ok()?;
        let batch: Vec<_> = ring.iter().skip(skip).take(BATCH_MAX).cloned().collect();
        (!batch.is_empty()).then_some(batch)
    }
}

async fn read(inner: Weak<Inner>) {
    let Some(mut rung) = inner.upgrade().map(|inner| inner.store.told.subscribe()) else { return };
    loop {
        // Another process rings no bell here.
        if let Ok(Err(_)) = timeout(LOOK, rung.changed()).await {
            return;
        }
        let Some(inner) = inner.upgrade() else { return };
        if let Err(error) = inner.look().await {
            tracing::debug!(%error, "what is told can't be read now");
            drop(inner);
            sleep(RETRY).await;
        }
    }
}

/// Somebody who is told what happens to a tenant's calls, gateways, recordings and flows.
#[derive(Debug)]
pub struct Follower {
    scope: TenantScope,
    tail: Arc<Tail>,
    backlog: Backlog,
    last: watch::Receiver<u64>,
    after: u64,
}

impl Follower {
    /// That of the last event that it was given.
    pub const fn after(&self) -> u64 {
        self.after
    }

    /// The next events, at least one; it waits until there is one. Dropping it midway loses
    /// nothing.
    ///
    /// # Errors
    /// Some are not kept any more, or the database is away and it must be asked again.
    pub async fn next(&mut self) -> Result<Batch, Untold> {
        loop {
            if let Some(batch) = self.tail.after(self.after) {
                return Ok(self.give(batch));
            }
            let last = *self.last.borrow_and_update();
            // It is less where this process has not seen what another did, or it was undone.
            if last != self.after {
                if let Some(batch) = self.backlog.after(&self.scope, self.after, last).await {
                    return Ok(self.give(batch));
                }
                let told = self.scope.told_after(self.after, EVENTS_MAX).await?;
                if !told.events.is_empty() {
                    let events = told.events.into_iter();
                    let batch = events.map(|(sequence, event)| (sequence, Arc::from(event)));
                    return Ok(self.give(batch.collect()));
                }
            }
            // It goes with the tail, which we have.
            let _ = self.last.changed().await;
        }
    }

    fn give(&mut self, batch: Batch) -> Batch {
        self.after = batch.last().map_or(self.after, |(sequence, _)| *sequence);
        batch
    }
}
