//! Words that every floor shares: identities, numbers, digits, causes, time. Nothing here waits,
//! reads a clock or keeps state.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

pub mod cause;
pub mod digits;
pub mod ids;
pub mod masked;
pub mod millis;
pub mod networks;
pub mod now;
pub mod slot;
pub mod span;
pub mod wav;
