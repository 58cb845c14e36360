//! The only time that the modules without I/O see: it is handed in.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A moment, on two clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Now {
    /// Milliseconds on a clock that never goes back; its zero means nothing.
    pub mono_ms: u64,
    /// Date and time, which an administrator may set back.
    pub wall: Timestamp,
}

impl Now {
    pub const fn new(mono_ms: u64, wall: Timestamp) -> Self {
        Self { mono_ms, wall }
    }

    /// The moment `ms` milliseconds later, as a virtual clock needs it.
    #[must_use]
    pub fn plus_ms(self, ms: u64) -> Self {
        let span = jiff::SignedDuration::from_millis(i64::try_from(ms).unwrap_or(i64::MAX));
        Self {
            mono_ms: self.mono_ms.saturating_add(ms),
            wall: self.wall.saturating_add(span).unwrap_or(self.wall),
        }
    }
}
