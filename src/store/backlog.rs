//! What was told longer ago than the newest that is at hand, read once for all who are that far
//! behind: after a restart, or a break in the network, many come back at once and ask for the same.

use std::sync::Arc;

use moka::future::Cache;

use super::event::Untold;
use super::{StoreError, TenantScope};
use crate::base::ids::TenantId;

/// Events that are read and kept together.
const PIECE: u32 = 256;
/// What is kept of all tenants, bytes.
const BYTES_MAX: u64 = 32 * 1_024 * 1_024;
/// What an event takes beside its text, bytes.
const BESIDE: usize = 48;

/// Events in their order, as JSON.
pub type Batch = Vec<(u64, Arc<str>)>;

/// Pieces of tenants' events: `PIECE` of them, of which the first follows a multiple of `PIECE`. A
/// piece that is whole never changes.
#[derive(Debug, Clone)]
pub(super) struct Backlog(Cache<(TenantId, u64), Arc<Batch>>);

impl Backlog {
    pub(super) fn new() -> Self {
        let weigh = |_: &_, piece: &Arc<Batch>| {
            let bytes = piece.iter().map(|(_, event)| event.len() + BESIDE).sum::<usize>();
            u32::try_from(bytes).unwrap_or(u32::MAX)
        };
        Self(Cache::builder().max_capacity(BYTES_MAX).weigher(weigh).build())
    }

    /// Forgets all: the database is not the one that it was read from.
    pub(super) fn forget(&self) {
        self.0.invalidate_all();
    }

    /// Some events behind `after`, at least one; none where the piece ends behind the event `last`,
    /// is not kept whole any more, or can't be read now: then everybody asks for itself.
    pub(super) async fn after(&self, scope: &TenantScope, after: u64, last: u64) -> Option<Batch> {
        let number = after / u64::from(PIECE);
        let before = number * u64::from(PIECE);
        if last.checked_sub(before).is_none_or(|more| more < u64::from(PIECE)) {
            return None;
        }
        let piece = self.0.try_get_with((scope.id(), number), read(scope, before)).await.ok()?;
        Some(piece.iter().filter(|(sequence, _)| *sequence > after).cloned().collect())
    }
}

/// Those behind `before`.
async fn read(scope: &TenantScope, before: u64) -> Result<Arc<Batch>, Untold> {
    let events = scope.told_after(before, PIECE).await?.events;
    if events.len() < PIECE as usize {
        return Err(StoreError::corrupt("events are missing").into());
    }
    let events = events.into_iter().map(|(sequence, event)| (sequence, Arc::from(event)));
    Ok(Arc::new(events.collect()))
}
