//! Lists in pages: a page ends with where the next begins.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::base::ids::CallId;

/// A page has at most so many items.
const PAGE_MAX: u32 = 500;

/// Where the next page begins: after the item of this moment and identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Cursor {
    pub(super) at_ms: i64,
    pub(super) id: Uuid,
}

impl Cursor {
    pub fn new(at: Timestamp, id: Uuid) -> Self {
        Self { at_ms: at.as_millisecond(), id }
    }

    /// The moment in Unix milliseconds and the call, where it is a place among calls.
    pub const fn of_call(self) -> (i64, CallId) {
        (self.at_ms, CallId(self.id))
    }
}

/// Some of a list, the newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// Where to go on; none after the last.
    pub next: Option<Cursor>,
}

/// How a page is asked for: what is before the cursor, and one item more than are wanted, which
/// tells whether there are more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) before_ms: i64,
    pub(super) before_id: String,
    items: usize,
}

impl Wanted {
    pub(super) fn new(after: Option<Cursor>, limit: u32) -> Self {
        let (before_ms, before_id) = match after {
            Some(cursor) => (cursor.at_ms, cursor.id.to_string()),
            // Greater than every uuid.
            None => (i64::MAX, "g".to_owned()),
        };
        let items = usize::try_from(limit.clamp(1, PAGE_MAX)).unwrap_or(usize::MAX);
        Self { before_ms, before_id, items }
    }

    /// Rows to be read.
    pub(super) fn rows(&self) -> i64 {
        i64::try_from(self.items).unwrap_or(i64::MAX).saturating_add(1)
    }

    pub(super) fn page<T>(&self, mut items: Vec<T>, place: impl Fn(&T) -> Cursor) -> Page<T> {
        let more = items.len() > self.items;
        items.truncate(self.items);
        let next = items.last().filter(|_| more).map(place);
        Page { items, next }
    }
}
