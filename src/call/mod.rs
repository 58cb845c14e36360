//! The machine of one call, without I/O: inputs in, outputs out.
//!
//! **How to drive it.** Hand in one input with [`Call::handle`]; take outputs with [`Call::poll_output`]
//! until there is none; then ask [`Call::poll_timeout`] when to come back. Never two inputs in a row.
//!
//! - Time comes only from arguments, identities from birth; the same inputs give the same outputs.
//! - Inputs cannot fail: what is not expected is noted in the timeline and put up with.
//! - Every action carries an [`output::ActionId`]; a completion whose id is not awaited is stale and ignored.
//! - Actions, queries and notes leave in one queue: their order is part of the behaviour.
//! - After `Output::Ended` nothing follows.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

pub mod arrival;
pub mod input;
pub mod output;
