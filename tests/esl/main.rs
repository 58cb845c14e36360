//! The Event Socket against recordings of real conversations, arbitrary bytes and hostile values.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod conversations;
mod recordings;
mod streams;
