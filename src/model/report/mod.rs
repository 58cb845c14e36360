//! Reports: what the records of calls come to over a time.
//!
//! A report is folded from records one by one, in any order; parts that were folded apart are
//! merged, to the same report. Nothing is counted while calls run, so no count can drift, and any
//! time can be asked for.

pub mod calls;
pub mod flow;
pub mod peak;
pub mod period;
pub mod queue;
pub mod times;

#[cfg(test)]
mod properties;

use super::record::{CallRecord, LegRecord, LegRole};

/// What records are folded into.
pub trait Tally {
    /// # Errors
    /// The report would have too many lines.
    fn add(&mut self, record: &CallRecord) -> Result<(), TooWide>;
}

/// A report has more lines than anybody reads, or than may be held in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the report would have more than {most} {what}: ask for {instead}")]
pub struct TooWide {
    pub most: usize,
    pub what: &'static str,
    pub instead: &'static str,
}

/// A part of a whole, from 0 to 1, to four decimals; 0 of nothing.
#[allow(clippy::cast_precision_loss, reason = "a share has four decimals")]
pub fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        return 0.0;
    }
    (part as f64 / whole as f64 * 10_000.0).round() / 10_000.0
}

/// The legs that a call called, apart from its caller's.
fn dialed(record: &CallRecord) -> impl Iterator<Item = &LegRecord> {
    record.legs.iter().filter(|leg| leg.role == LegRole::Dialed)
}

/// Milliseconds from one moment to a later one.
fn between(from: jiff::Timestamp, to: jiff::Timestamp) -> u64 {
    u64::try_from(to.as_millisecond().saturating_sub(from.as_millisecond())).unwrap_or(0)
}
